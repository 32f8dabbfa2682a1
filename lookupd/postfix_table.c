#include "lookupd/postfix_table.h"

#include <stdlib.h>

#include "lib/buf.h"
#include "lookupd/child.h"

enum {
	LINE_MAX_LEN = 256 * 1024, /* octets of a row; aliases may be long lists */
	KEY_MAX = 2048,
	ARGUMENTS_MAX = 8,
};

/* ---- programs ------------------------------------------------------------------------------------ */

struct line_reader {
	struct postfix_reader *r;
	const struct postfix_lines *lines;
	uint8_t *octets;
	size_t len;
	bool overlong;
};

static void
end_line(struct line_reader *l)
{
	if (l->overlong) {
		report_error(l->r->report, l->r->source, 0, "a row is too long",
		    span_head(span_of(l->octets, l->len), 60));
		l->r->failed = true;
	} else
		l->lines->take(l->lines->context, span_of(l->octets, l->len));
	l->len = 0;
	l->overlong = false;
}

static bool
take(void *context, struct span octets)
{
	struct line_reader *l = context;

	digest_update(l->r->digest, octets);
	while (octets.len > 0) {
		size_t end = span_find(octets, '\n');
		struct span piece = span_head(octets, end);

		if (piece.len > LINE_MAX_LEN - l->len) {
			l->overlong = true;
			piece = span_head(piece, LINE_MAX_LEN - l->len);
		}
		memcpy(l->octets + l->len, piece.p, piece.len);
		l->len += piece.len;
		if (end < octets.len)
			end_line(l);
		octets = span_from(octets, end + 1);
	}
	return !l->r->trouble;
}

static bool
run_into(struct postfix_reader *r, const char *const *argv, struct line_reader *l)
{
	struct child child = {
	    .argv = argv, .source = r->source, .report = r->report, .take = take, .context = l};
	enum child_status status = child_run(&child);

	if (status == CHILD_OK && l->len > 0)
		end_line(l);
	if (status != CHILD_OK)
		r->failed = true;
	if (status == CHILD_TROUBLE)
		r->trouble = true;
	return status == CHILD_OK;
}

bool
postfix_run(struct postfix_reader *r, const char *program, const char *const *arguments,
    const struct postfix_lines *lines)
{
	struct line_reader l = {.r = r, .lines = lines, .octets = malloc(LINE_MAX_LEN)};
	const char *argv[ARGUMENTS_MAX + 4] = {NULL, "-c", r->dir};
	char *path = NULL;
	bool good = false;

	for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
		argv[3 + i] = arguments[i];
	if (l.octets == NULL || asprintf(&path, "%s/%s", r->bin, program) < 0) {
		path = NULL;
		r->failed = r->trouble = true;
	} else {
		argv[0] = path;
		good = run_into(r, argv, &l);
	}
	free(path);
	free(l.octets);
	return good;
}

/* ---- rows -------------------------------------------------------------------------------------------- */

static struct span
lower_copy(struct postfix_reader *r, struct span key)
{
	uint8_t octets[KEY_MAX];
	struct buf b = BUF_OVER(octets);

	buf_put_lower(&b, key);
	return pool_copy(r->pool, buf_span(&b));
}

void
postfix_table_add(
    struct postfix_reader *r, struct postfix_table *t, struct span key, struct span value)
{
	struct span lower;
	struct postfix_row *row;

	if (key.len == 0 || key.len > KEY_MAX)
		return;
	lower = lower_copy(r, key);
	if (lower.p != NULL && keymap_get(&t->rows, lower) != NULL)
		return;
	row = pool_take(r->pool, sizeof(*row));
	if (row != NULL) {
		row->item.key = lower;
		row->written = span_eq(lower, key) ? lower : pool_copy(r->pool, key);
		row->value = pool_copy(r->pool, value);
	}
	if (row == NULL || lower.p == NULL || row->written.p == NULL || row->value.p == NULL ||
	    keymap_add(&t->rows, &row->item) < 0) {
		r->failed = r->trouble = true;
		return;
	}
	*t->tail = row;
	t->tail = &row->next;
}

const struct postfix_row *
postfix_table_get(const struct postfix_table *t, struct span key, bool folded)
{
	uint8_t octets[KEY_MAX];
	struct buf b = BUF_OVER(octets);
	const struct postfix_row *row;

	buf_put_lower(&b, key);
	if (b.full)
		return NULL;
	row = (const void *)keymap_get(&t->rows, buf_span(&b));
	return row != NULL && !folded && !span_eq(row->written, row->item.key) ? NULL : row;
}

struct row_reader {
	struct postfix_reader *r;
	struct postfix_table *t;
};

/* "key TAB value", of postalias "key:TAB value". */
static void
take_row(void *context, struct span line)
{
	struct row_reader *rr = context;
	size_t tab = span_find(line, '\t');
	struct span key = span_head(line, tab), value = span_from(line, tab + 1);

	if (rr->t->aliases) {
		if (key.len > 0 && key.p[key.len - 1] == ':')
			key = span_head(key, key.len - 1);
		/* What sendmail and NIS keep for themselves. */
		if (span_eq(key, SPAN("@")) || span_eq(key, SPAN("YP_LAST_MODIFIED")) ||
		    span_eq(key, SPAN("YP_MASTER_NAME")))
			return;
	}
	if (tab == line.len && line.len > 0) {
		report_error(
		    rr->r->report, rr->t->source, 0, "a row has no value", span_head(line, 60));
		rr->r->failed = true;
		return;
	}
	postfix_table_add(rr->r, rr->t, key, value);
}

void
postfix_table_read(struct postfix_reader *r, struct postfix_table *t)
{
	struct row_reader rr = {r, t};
	struct postfix_lines lines = {take_row, &rr};
	char *name = pool_string(r->pool, t->name);
	const char *const map[] = {"-f", "-s", name, NULL}, *const alias[] = {"-s", name, NULL};
	const char *source = r->source;

	if (name == NULL) {
		r->failed = r->trouble = true;
		return;
	}
	r->source = t->source;
	/* -f: text files are shown as they are written, since not all programs fold them. */
	if (t->aliases)
		postfix_run(r, "postalias", alias, &lines);
	else
		postfix_run(r, "postmap", map, &lines);
	r->source = source;
}

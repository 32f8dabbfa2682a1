/* fastforward: a table of aliases behind a default file. */
#include "lookupd/qmail.h"

#include "lib/bug.h"

#include "lookupd/cdbfile.h"

/* ---- targets ----------------------------------------------------------------------------------- */

struct alias {
	struct qmail_file *f;
	struct dotqmail *d;
	bool failed;
};

static void
take_command(struct alias *a, struct span command)
{
	struct program p;
	enum leaf_verdict v = LEAF_ACCEPT;

	program_parse(command, &p);
	a->d->delivered = true;
	if (p.kind == PROGRAM_EXITS) {
		enum program_end end = program_end(p.status);

		v = end == PROGRAM_BOUNCE      ? LEAF_UNKNOWN
		    : end == PROGRAM_TEMPORARY ? LEAF_DEFER
		                               : LEAF_ACCEPT;
	} else if (p.kind == PROGRAM_FORWARDS)
		for (size_t i = 0; i < p.word_count; i++)
			qmail_note_forward(a->f, p.words[i], 0);
	else if (!qmail_ask_program(a->f, &p, 0, &v)) {
		a->f->q->failed = true;
		a->failed = true;
	} else
		a->d->stores = a->d->unverified = true;
	if (v != LEAF_ACCEPT && a->d->verdict != LEAF_UNKNOWN)
		a->d->verdict = v;
}

/* A list of addresses in a file, each with NUL behind it, made by newinclude. */
static void
take_include(struct alias *a, struct span name)
{
	char path[PATH_MAX];
	struct span text;
	int n = snprintf(path, sizeof(path), "%s%s%.*s.bin", name.p[0] == '/' ? "" : a->f->home,
	    name.p[0] == '/' ? "" : "/", (int)name.len, (const char *)name.p);

	if (n < 0 || n >= (int)sizeof(path) ||
	    tree_load(&a->f->q->tree, path, CONTROL_MAX, &text) != 0) {
		report_warning(a->f->q->report, a->f->path, 0,
		    "a mailing list whose .bin file is not there is put off", name);
		a->d->verdict = LEAF_DEFER;
		return;
	}
	while (text.len > 0) {
		size_t end = span_find(text, '\0');
		struct span entry = span_head(text, end);

		if (entry.len > 1 && entry.p[0] == '&')
			qmail_note_forward(a->f, span_from(entry, 1), 0);
		text = span_from(text, end + 1);
	}
}

/* Values: entries with NUL behind each. */
static void
take_targets(struct alias *a, struct span value)
{
	while (value.len > 0 && !a->failed) {
		size_t end = span_find(value, '\0');
		struct span entry = span_head(value, end);

		value = span_from(value, end + 1);
		if (entry.len == 0)
			continue;
		switch (entry.p[0]) {
		case '&':
			qmail_note_forward(a->f, span_from(entry, 1), 0);
			break;
		case '.':
		case '/':
			take_include(a, entry);
			break;
		case '|':
		case '!':
			take_command(a, span_from(entry, 1));
			break;
		default:
			qmail_note_forward(a->f, entry, 0);
			break;
		}
	}
}

/* ---- the table ------------------------------------------------------------------------------------- */

static void
take_alias(struct qmail *q, const struct qmail_file *from, const char *path, uint32_t table,
    struct span key, struct span value)
{
	uint8_t octets[8 + ADDRESS_MAX];
	struct buf b = BUF_OVER(octets);
	struct qmail_file f;
	struct dotqmail d = {.verdict = LEAF_ACCEPT, .reason = "an alias"};
	struct alias a = {&f, &d, false};

	qmail_file_init(&f, q, from->as, from->home, path);
	if (key.len < 2 || key.p[0] != ':')
		return; /* "?": an owner of a list, which only changes the sender */
	take_targets(&a, value);
	if (a.failed)
		return;
	/* fastforward forwards by itself: to qmail it is a program that succeeds. */
	d.delivered = true;
	key_put_u32(&b, KEY_USER, table);
	buf_put_lower(&b, span_from(key, 1));
	if (!b.full)
		qmail_add_leaf(q, buf_span(&b), &d, 0, &f);
}

/* ---- the table as a whole ---------------------------------------------------------------------- */

/* With -p an address that is not there is left to the next line, of which there is none. */
static void
put_passed(struct qmail *q, const struct qmail_file *f, const struct dotqmail *d, uint32_t table)
{
	struct dotqmail passed = {.verdict = LEAF_ACCEPT,
	    .line = d->line,
	    .reason = "fastforward -p: no alias, and no other line",
	    .delivered = true};
	uint8_t octets[8];
	struct buf key = BUF_OVER(octets);
	struct qmail_file none;

	qmail_file_init(&none, q, f->as, f->home, f->path);
	key_put_u32(&key, KEY_CATCH_ALL, table);
	qmail_add_leaf(q, buf_span(&key), &passed, 0, &none);
}

static void
put_table(struct qmail *q, const struct domain *t, struct provenance from)
{
	uint8_t key_octets[8], octets[256];
	struct buf key = BUF_OVER(key_octets), value = BUF_OVER(octets);

	key_put_u32(&key, KEY_TABLE, t->tables[0]);
	domain_put(&value, t);
	BUG_ON(key.full || value.full);
	if (rules_add(q->rules, buf_span(&key), buf_span(&value), from, NULL) == NULL)
		qmail_no_memory(q);
}

/* The path in the tree, kept. Returns: NULL when it cannot be read; else the whole file. */
static const char *
load_table(struct qmail *q, const struct qmail_file *f, struct span name, struct span *octets_out)
{
	bool absolute = name.len > 0 && name.p[0] == '/';
	const char *path = absolute ? pool_string(&q->tree.pool, name) : NULL;

	if (!absolute) {
		char *relative = pool_string(&q->tree.pool, name);

		path = relative != NULL ? qmail_path(q, f->home, relative) : NULL;
	}
	return path != NULL && tree_load(&q->tree, path, CDB_MAX, octets_out) == 0 ? path : NULL;
}

uint32_t
fastforward_table(
    struct qmail *q, const struct qmail_file *f, const struct dotqmail *d, size_t skip)
{
	uint32_t at = CDBFILE_HEAD;
	const char *path;
	struct cdbfile cdb;
	struct span octets, key, value;
	struct domain t = {.flags = DOMAIN_TABLE,
	    .tables = {rules_new_table(q->rules)},
	    .table_count = 1,
	    .has_host = true,
	    .skip = d->table.by_default ? (uint32_t)skip : LAYOUT_SKIP_NOTHING};

	path = load_table(q, f, d->table.words[0], &octets);
	if (path == NULL || !cdbfile_over(&cdb, octets)) {
		report_error(q->report, f->path, d->line,
		    "the table of fastforward cannot be read; say rule:FILE=accept, refuse or "
		    "defer",
		    d->table.words[0]);
		q->failed = true;
		return 0;
	}
	q->rules->files++;
	while (cdbfile_next(&cdb, &at, &key, &value) == CDBFILE_FOUND && !q->failed)
		take_alias(q, f, path, t.tables[0], key, value);
	if (d->table.passes)
		put_passed(q, f, d, t.tables[0]);
	put_table(q, &t, (struct provenance){{f->path, d->line}, "a table of aliases"});
	return t.tables[0];
}

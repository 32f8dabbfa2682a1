/* vdelivermail of vpopmail: the users of a domain, and what happens to everybody else. */
#include "lookupd/qmail.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/bug.h"

#include "lookupd/cdbfile.h"
#include "lookupd/vpasswd.h"

enum { MAILDIRSIZE_MAX = 5120 * 16, SMALLEST_MAIL = 500 };

struct vtable {
	struct keymap_item item; /* directory NUL catch-all */
	uint32_t number;
};

struct domain_dir {
	struct qmail *q;
	struct rights as;
	const char *dir;
	const char *path; /* vpasswd or vpasswd.cdb */
	uint32_t table;
	bool extensions; /* names are also tried cut at the first "-" */
	uint8_t wild_lengths[LAYOUT_BITS_LEN];
	bool wild;
};

/* ---- files of a user -------------------------------------------------------------------------- */

/* Mailboxes are put off; a maildir is made when it is not there. */
static enum leaf_verdict
maildir_only(void *ctx, struct span path)
{
	(void)ctx;
	return path.p[path.len - 1] == '/' ? LEAF_ACCEPT : LEAF_DEFER;
}

static bool
run_lines(struct qmail_file *f, struct span text, struct dotqmail *d_out)
{
	struct dotqmail_world world = {
	    f, maildir_only, qmail_note_forward, qmail_ask_program, qmail_note_error};
	enum leaf_verdict word;

	if (options_word(&f->q->options, "rule:", span_str(f->path), &word)) {
		*d_out = (struct dotqmail){.verdict = word, .reason = "the operator's word"};
		d_out->delivered = true;
		return true;
	}
	if (!dotqmail_run_vpopmail(text, &world, d_out)) {
		f->q->failed = true;
		return false;
	}
	return true;
}

/*
 * A file of lines, as the user of vpopmail can read it.
 * Returns: whether it is there and not empty.
 */
static bool
load_lines(struct qmail *q, struct rights as, const char *path, struct span *text_out)
{
	struct tree_stat st;
	char real[PATH_MAX];
	int error = tree_stat(&q->tree, path, as, &st, real);

	if (error == TREE_BLIND) {
		report_error(q->report, path, 0,
		    "cannot be seen with our rights; compile as root, or take a copy",
		    span_of(NULL, 0));
		q->failed = true;
		return false;
	}
	if (error != 0 || !S_ISREG(st.mode) || !tree_may(&st, as, 4))
		return false;
	error = tree_read(&q->tree, real, DOTQMAIL_MAX, text_out);
	if (error == 0)
		return text_out->len > 0;
	report_error(q->report, path, 0, "cannot be read", span_str(strerror(error)));
	q->failed = true;
	return false;
}

/* ---- users -------------------------------------------------------------------------------------- */

static void
add(struct domain_dir *v, enum layout_key type, struct span name, const struct dotqmail *d,
    const struct qmail_file *f)
{
	uint8_t octets[8 + LAYOUT_NESTED_MAX];
	struct buf key = BUF_OVER(octets);

	key_put_u32(&key, type, v->table);
	buf_put_lower(&key, name);
	if (key.full)
		return; /* a longer name is cut before it is looked for */
	if (type == KEY_WILD) {
		lengths_set(v->wild_lengths, name.len, 1);
		v->wild = true;
	}
	qmail_add_leaf(v->q, buf_span(&key), d, 0, f);
}

/* What the quota says now. Returns: ACCEPT, OVER_QUOTA, or UNKNOWN: no mail ever fits. */
static enum leaf_verdict
judge_quota(struct domain_dir *v, const struct vpasswd *u)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct span text;
	struct quota quota;

	if (!quota_parse(u->quota, &quota))
		return LEAF_ACCEPT;
	if (quota.octets > 0 && quota.octets < SMALLEST_MAIL)
		return LEAF_UNKNOWN;
	if (snprintf(dir, sizeof(dir), "%.*s", (int)u->dir.len, (const char *)u->dir.p) >=
		(int)sizeof(dir) ||
	    snprintf(path, sizeof(path), "%s/Maildir/maildirsize", dir) >= (int)sizeof(path) ||
	    !load_lines(v->q, v->as, path, &text))
		return LEAF_ACCEPT;
	return text.len <= MAILDIRSIZE_MAX && maildirsize_over(text, &quota) ? LEAF_OVER_QUOTA
	                                                                     : LEAF_ACCEPT;
}

/* His .qmail-ext and .qmail-...-default, which qmail-ext knows. */
static void
add_extension(struct domain_dir *v, const struct vpasswd *u, const char *home, const char *name)
{
	struct span ext = span_str(name + 7); /* behind ".qmail-" */
	const char *path = qmail_path(v->q, home, name);
	uint8_t octets[LAYOUT_NESTED_MAX];
	struct buf key = BUF_OVER(octets);
	bool wild = ext.len >= 8 && span_eq(span_from(ext, ext.len - 8), SPAN("-default"));
	struct qmail_file f;
	struct dotqmail d;
	struct span text;

	if (path == NULL || !load_lines(v->q, v->as, path, &text))
		return;
	if (wild)
		ext = span_head(ext, ext.len - 7);
	else if (span_eq(ext, SPAN("default")))
		ext = span_of(NULL, 0), wild = true;
	buf_put_span(&key, u->name);
	buf_put_u8(&key, '-');
	for (size_t i = 0; i < ext.len; i++)
		buf_put_u8(&key, ext.p[i] == ':' ? '.' : ext.p[i]);
	qmail_file_init(&f, v->q, v->as, home, path);
	f.by_default = wild;
	if (key.full || span_find(ext, '.') < ext.len || !run_lines(&f, text, &d))
		return;
	add(v, wild ? KEY_WILD : KEY_USER, buf_span(&key), &d, &f);
}

static void
add_extensions(struct domain_dir *v, const struct vpasswd *u, const char *home)
{
	const char **names;
	size_t count;
	struct tree_stat st;
	char real[PATH_MAX];
	int error = tree_stat(&v->q->tree, home, v->as, &st, real);

	if (error == 0)
		error = tree_list(&v->q->tree, real, &names, &count);
	for (size_t i = 0; error == 0 && i < count; i++)
		if (strncmp(names[i], ".qmail-", 7) == 0)
			add_extension(v, u, home, names[i]);
}

static void
take_user(struct domain_dir *v, const struct vpasswd *u, uint32_t line)
{
	char *home = pool_string(&v->q->tree.pool, u->dir);
	const char *path = home != NULL ? qmail_path(v->q, home, ".qmail") : NULL;
	struct dotqmail d = {.verdict = LEAF_ACCEPT, .reason = "a user of vpopmail"};
	struct qmail_file f;
	struct span text;

	if (path == NULL) {
		qmail_no_memory(v->q);
		return;
	}
	qmail_file_init(&f, v->q, v->as, home, v->path);
	d.line = line;
	d.delivered = d.stores = true;
	if (u->flags & VPASSWD_BOUNCES) {
		d.verdict = LEAF_DISABLED;
		d.reason = "the user is locked: his mail is bounced";
	} else if (load_lines(v->q, v->as, path, &text)) {
		f.path = path;
		if (!run_lines(&f, text, &d))
			return;
	} else {
		d.verdict = judge_quota(v, u);
		if (d.verdict != LEAF_ACCEPT)
			d.reason = "over quota";
	}
	add(v, KEY_USER, u->name, &d, &f);
	if (v->extensions && !(u->flags & VPASSWD_BOUNCES))
		add_extensions(v, u, home);
}

/* ---- vpasswd ---------------------------------------------------------------------------------------- */

static void
take_line(struct domain_dir *v, struct span line, uint32_t number)
{
	struct vpasswd u;

	if (line.len == 0)
		return;
	if (!vpasswd_parse(line, &u)) {
		report_warning(
		    v->q->report, v->path, number, "not a user of vpopmail", span_head(line, 80));
		return;
	}
	for (size_t i = 0; i < u.name.len; i++)
		if (u.name.p[i] >= 'A' && u.name.p[i] <= 'Z') {
			report_warning(v->q->report, v->path, number,
			    "a name with a capital is never asked for", u.name);
			return;
		}
	take_user(v, &u, number);
}

static void
take_text(struct domain_dir *v, struct span text)
{
	for (uint32_t number = 1; text.len > 0 && !v->q->failed; number++) {
		size_t end = span_find(text, '\n');

		take_line(v, span_head(text, end), number);
		text = span_from(text, end + 1);
	}
}

static void
take_cdb(struct domain_dir *v, struct span octets)
{
	struct cdbfile cdb;
	uint32_t at = CDBFILE_HEAD;
	struct span key, value;
	enum cdbfile_status status = CDBFILE_BAD;

	if (cdbfile_over(&cdb, octets))
		while ((status = cdbfile_next(&cdb, &at, &key, &value)) == CDBFILE_FOUND &&
		       !v->q->failed) {
			uint8_t *line = pool_take(&v->q->tree.pool, key.len + 1 + value.len);

			if (line == NULL) {
				qmail_no_memory(v->q);
				return;
			}
			memcpy(line, key.p, key.len);
			line[key.len] = ':';
			memcpy(line + key.len + 1, value.p, value.len);
			take_line(v, span_of(line, key.len + 1 + value.len), 0);
		}
	if (status != CDBFILE_BAD)
		return;
	report_error(v->q->report, v->path, 0, "damaged", span_of(NULL, 0));
	v->q->failed = true;
}

/* The cdb decides; it is made anew only when it is missing. */
static void
take_users(struct domain_dir *v)
{
	const char *text_path = qmail_path(v->q, v->dir, "vpasswd");
	const char *cdb_path = qmail_path(v->q, v->dir, "vpasswd.cdb");
	int64_t made, changed;
	struct span octets;

	if (text_path == NULL || cdb_path == NULL)
		return;
	v->path = cdb_path;
	v->q->rules->files++;
	if (qmail_load(v->q, cdb_path, CDB_MAX, &octets)) {
		if (qmail_mtime(v->q, cdb_path, &made) && qmail_mtime(v->q, text_path, &changed) &&
		    changed > made)
			report_warning(
			    v->q->report, text_path, 0, "newer than vpasswd.cdb", span_of(NULL, 0));
		take_cdb(v, octets);
		return;
	}
	v->path = text_path;
	if (v->q->failed)
		return;
	if (qmail_load(v->q, text_path, CONTROL_MAX, &octets))
		take_text(v, octets);
	else if (!v->q->failed && !options_get(&v->q->options, "users")) {
		report_error(v->q->report, text_path, 0,
		    "there are no users beside a .qmail-default of vdelivermail; if they are in a "
		    "database, list them (command:) and say users=elsewhere",
		    span_of(NULL, 0));
		v->q->failed = true;
	}
}

/* ---- everybody else ------------------------------------------------------------------------------------- */

/* A directory that takes it all. */
static void
catch_into(struct domain_dir *v, const char *dir, struct dotqmail *d, struct qmail_file *f)
{
	const char *path = qmail_path(v->q, dir, ".qmail");
	const char *tmp = qmail_path(v->q, dir, "Maildir/tmp");
	struct tree_stat st;
	struct span text;

	if (path == NULL || tmp == NULL)
		return;
	if (load_lines(v->q, v->as, path, &text)) {
		f->path = path;
		(void)run_lines(f, text, d);
		return;
	}
	d->reason = "names that nobody has go into one maildir";
	if (tree_stat(&v->q->tree, tmp, v->as, &st, NULL) != 0 || !S_ISDIR(st.mode))
		d->verdict = LEAF_DEFER;
}

static void
take_catch_all(struct domain_dir *v, const struct qmail_file *from, const struct dotqmail *line)
{
	struct span what = line->table.words[0];
	struct dotqmail d = {.verdict = LEAF_ACCEPT, .line = line->line, .delivered = true};
	struct qmail_file f;

	qmail_file_init(&f, v->q, v->as, v->dir, from->path);
	if (span_eq(what, SPAN("delete")))
		d.reason = "names that nobody has are thrown away";
	else if (span_eq(what, SPAN("bounce-no-mailbox"))) {
		d.verdict = LEAF_UNKNOWN;
		d.reason = "names that nobody has are bounced";
	} else if (what.len > 0 && what.p[0] == '/') {
		char *dir = pool_string(&v->q->tree.pool, what);

		d.stores = true;
		if (dir != NULL)
			catch_into(v, dir, &d, &f);
	} else {
		d.reason = "names that nobody has go to one address";
		qmail_note_forward(&f, what, line->line);
	}
	add(v, KEY_CATCH_ALL, span_of(NULL, 0), &d, &f);
}

/* ---- tables -------------------------------------------------------------------------------------------------- */

/* is_username_valid(): anything else bounces, whatever the catch-all is. */
static void
user_charset(uint8_t set[LAYOUT_BITS_LEN])
{
	static const char others[] = "!#$&'*+-./=?^_`{|}~";

	for (unsigned c = 0; c < 256; c++)
		if (ascii_is_alpha((uint8_t)c) || ascii_is_digit((uint8_t)c) ||
		    (c != 0 && c < 128 && strchr(others, (int)c) != NULL))
			bits_set(set, c);
}

static void
host_charset(uint8_t set[LAYOUT_BITS_LEN])
{
	for (unsigned c = 0; c < 256; c++)
		if (ascii_is_alpha((uint8_t)c) || ascii_is_digit((uint8_t)c) || c == '.' ||
		    c == '-')
			bits_set(set, c);
}

static void
put_table(struct domain_dir *v, struct provenance from)
{
	uint8_t users[LAYOUT_BITS_LEN] = {0}, hosts[LAYOUT_BITS_LEN] = {0};
	uint8_t key_octets[8], octets[512];
	struct buf key = BUF_OVER(key_octets), value = BUF_OVER(octets);
	struct domain d = {.flags = DOMAIN_TABLE, .tables = {v->table}, .table_count = 1};

	user_charset(users);
	host_charset(hosts);
	d.charset = span_of(users, sizeof(users));
	d.host_charset = span_of(hosts, sizeof(hosts));
	if (v->extensions)
		d.delimiters = SPAN("-");
	if (v->wild) {
		d.wild_octets = SPAN("-");
		d.wild_lengths = span_of(v->wild_lengths, sizeof(v->wild_lengths));
	}
	key_put_u32(&key, KEY_TABLE, v->table);
	domain_put(&value, &d);
	BUG_ON(key.full || value.full);
	if (rules_add(v->q->rules, buf_span(&key), buf_span(&value), from, NULL) == NULL)
		qmail_no_memory(v->q);
}

/* The key of the tables that are there. Returns: an empty one at NULL without memory. */
static struct span
table_key(struct qmail *q, const char *dir, struct span what)
{
	size_t len = strlen(dir) + 1 + what.len;
	uint8_t *octets = pool_take(&q->tree.pool, len);
	struct buf b = buf_over(octets, len);

	if (octets == NULL)
		return span_of(NULL, 0);
	buf_put_str(&b, dir);
	buf_put_u8(&b, '\0');
	buf_put_span(&b, what);
	return buf_span(&b);
}

uint32_t
vpopmail_table(struct qmail *q, const struct qmail_file *f, const struct dotqmail *d)
{
	struct span key = table_key(q, f->home, d->table.words[0]);
	struct vtable *t = key.p != NULL ? (void *)keymap_get(&q->tables, key) : NULL;
	struct domain_dir v = {.q = q, .as = f->as, .dir = f->home, .extensions = q->extensions};

	if (t != NULL)
		return t->number;
	t = pool_take(&q->tree.pool, sizeof(*t));
	if (key.p == NULL || t == NULL) {
		qmail_no_memory(q);
		return 0;
	}
	t->item.key = key;
	t->number = v.table = rules_new_table(q->rules);
	if (keymap_add(&q->tables, &t->item) < 0) {
		qmail_no_memory(q);
		return 0;
	}
	take_users(&v);
	take_catch_all(&v, f, d);
	put_table(&v, (struct provenance){{f->path, d->line}, "the users of vpopmail"});
	return t->number;
}

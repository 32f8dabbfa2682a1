/* The .qmail files of users: qmail-local's checkhome() and qmesearch(). */
#include "lookupd/qmail.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/bug.h"

enum { DEPTH_MAX = 4, STICKY = 01000, PREFIX_LEN = 6 /* ".qmail" */ };

/* ---- one file -------------------------------------------------------------------------------- */

void
qmail_file_init(
    struct qmail_file *f, struct qmail *q, struct rights as, const char *home, const char *path)
{
	*f = (struct qmail_file){.q = q, .as = as, .home = home, .path = path};
	f->forward_tail = &f->forwards;
}

void
qmail_note_forward(void *ctx, struct span address, uint32_t line)
{
	struct qmail_file *f = ctx;
	struct rule_forward *n = pool_take(&f->q->rules->pool, sizeof(*n));
	struct span domain = f->q->default_domain;
	uint8_t *octets;
	struct buf b;

	if (span_find(address, '@') < address.len)
		domain = span_of(NULL, 0);
	octets = pool_take(&f->q->rules->pool, address.len + 1 + domain.len);
	if (n == NULL || octets == NULL) {
		qmail_no_memory(f->q);
		return;
	}
	b = buf_over(octets, address.len + 1 + domain.len);
	buf_put_span(&b, address);
	if (domain.len > 0)
		buf_put_u8(&b, '@');
	buf_put_span(&b, domain);
	n->address = buf_span(&b);
	n->place = (struct place){f->path, line};
	*f->forward_tail = n;
	f->forward_tail = &n->next;
}

void
qmail_note_error(void *ctx, uint32_t line, const char *message, struct span detail)
{
	struct qmail_file *f = ctx;

	report_error(f->q->report, f->path, line, message, detail);
}

/* "home/path", or path when it begins with "/". Returns: false when it is too long. */
static bool
absolute(const struct qmail_file *f, struct span path, char out[PATH_MAX])
{
	bool relative = path.len == 0 || path.p[0] != '/';
	int n;

	if (path.len >= PATH_MAX)
		return false;
	n = snprintf(out, PATH_MAX, "%s%s%.*s", relative ? f->home : "", relative ? "/" : "",
	    (int)path.len, (const char *)path.p);
	return n > 0 && n < PATH_MAX;
}

/* Returns: whether the user may do that; what nobody can say is an error. */
static bool
may(struct qmail_file *f, const char *path, uint32_t type, unsigned bits, bool *there_out)
{
	struct tree_stat st;
	int error = tree_stat(&f->q->tree, path, f->as, &st, NULL);

	*there_out = error == 0;
	if (error == TREE_BLIND) {
		report_error(f->q->report, path, 0,
		    "cannot be seen with our rights; compile as root, or take a copy",
		    span_of(NULL, 0));
		f->q->failed = true;
	}
	return error == 0 && (st.mode & S_IFMT) == type && tree_may(&st, f->as, bits);
}

/* A maildir has a tmp/ to write in; a mailbox can be opened to append. */
enum leaf_verdict
qmail_may_store(void *ctx, struct span path)
{
	struct qmail_file *f = ctx;
	char name[PATH_MAX + 8], *slash;
	bool there, ok;

	if (!absolute(f, path, name))
		return LEAF_DEFER;
	if (path.p[path.len - 1] == '/') {
		strcat(name, "tmp");
		return may(f, name, S_IFDIR, 3, &there) ? LEAF_ACCEPT : LEAF_DEFER;
	}
	ok = may(f, name, S_IFREG, 2, &there);
	if (!there) {
		slash = strrchr(name, '/');
		slash[slash == name] = '\0';
		ok = may(f, name, S_IFDIR, 3, &there);
	}
	return ok ? LEAF_ACCEPT : LEAF_DEFER;
}

static bool
has_word(const struct qmail *q, struct span name, enum leaf_verdict *v_out)
{
	size_t slash = span_find_last(name, '/');

	if (options_word(&q->options, "program:", name, v_out))
		return true;
	return slash < name.len &&
	       options_word(&q->options, "program:", span_from(name, slash + 1), v_out);
}

/* A program that is not there is one that sh does not find: 127. */
static bool
is_missing(struct qmail_file *f, struct span name)
{
	char path[PATH_MAX];
	struct tree_stat st;

	if (name.len == 0 || name.p[0] != '/' || !absolute(f, name, path))
		return false;
	return tree_stat(&f->q->tree, path, f->as, &st, NULL) == ENOENT;
}

/* Why nobody but the operator can say what a program does. */
static const char *
why_unknown(const struct program *p)
{
	size_t slash = span_find_last(p->name, '/');
	struct span name = slash < p->name.len ? span_from(p->name, slash + 1) : p->name;

	if (p->kind == PROGRAM_HAS_USERS)
		return "a program that knows its own users decides about all names; say "
		       "program:NAME=accept, or rule:FILE=, and list the users";
	if (span_eq(name, SPAN("forward")))
		return "forwards to what a variable of the shell says, another address for each "
		       "name; say rule:FILE=accept, refuse or defer, and list the recipients";
	return "a program that is not known; say program:NAME=accept, refuse, defer or discard";
}

bool
qmail_ask_program(void *ctx, const struct program *p, uint32_t line, enum leaf_verdict *v_out)
{
	struct qmail_file *f = ctx;
	struct report *report = f->q->report;

	if (has_word(f->q, p->name, v_out))
		return true;
	*v_out = LEAF_ACCEPT;
	if (p->kind == PROGRAM_DELIVERS || (p->kind == PROGRAM_HAS_USERS && !f->by_default)) {
		report_warning(report, f->path, line,
		    "a program has the last word; taken to deliver", p->name);
		return true;
	}
	if (is_missing(f, p->name)) {
		*v_out = LEAF_DEFER;
		report_warning(report, f->path, line,
		    "there is no such program, so that qmail puts the mail off; put off here too, "
		    "unless the source says program:NAME=accept",
		    p->name);
		return true;
	}
	report_error(report, f->path, line, why_unknown(p), p->name);
	return false;
}

bool
qmail_file_run(struct qmail_file *f, struct span text, bool executable, struct dotqmail *d_out)
{
	struct dotqmail_world world = {
	    f, qmail_may_store, qmail_note_forward, qmail_ask_program, qmail_note_error};
	enum leaf_verdict word;

	if (options_word(&f->q->options, "rule:", span_str(f->path), &word)) {
		*d_out = (struct dotqmail){.verdict = word, .reason = "the operator's word"};
		d_out->delivered = d_out->unverified = word == LEAF_ACCEPT;
		return true;
	}
	if (dotqmail_run(text, executable, &world, d_out))
		return true;
	f->q->failed = true;
	return false;
}

void
qmail_add_leaf(struct qmail *q, struct span key, const struct dotqmail *d, uint32_t table,
    const struct qmail_file *f)
{
	struct leaf leaf = {
	    .immediate = (uint8_t)d->verdict,
	    .flags = d->unverified ? LEAF_UNVERIFIED : 0,
	    .route = q->route,
	    .next_table = table,
	};
	struct provenance from = {{f->path, d->line}, d->reason};
	bool is_new;
	struct rule *rule = rules_add_leaf(q->rules, key, &leaf, from, &is_new);

	if (rule == NULL) {
		qmail_no_memory(q);
		return;
	}
	if (!is_new)
		return;
	rule->delivered = d->delivered;
	rule->stores = d->stores;
	for (const struct rule_forward *n = f->forwards; n != NULL; n = n->next)
		if (!rules_forward(q->rules, rule, n->address, n->place))
			qmail_no_memory(q);
}

/* ---- the files of a target ------------------------------------------------------------------------ */

struct files {
	struct qmail *q;
	struct rights as;
	struct qmail_target *t;
	const char *home, *real; /* real: in the tree, without links */
	struct span dash;
	const struct qmail_user *u;
};

/* What opening the file as the user comes to. Returns: false when it is as if it were not there. */
static bool
judge(struct files *w, const char *path, struct qmail_file *f, struct dotqmail *d_out)
{
	struct tree_stat st;
	char real[PATH_MAX];
	struct span text = SPAN("");
	int error = tree_stat(&w->q->tree, path, w->as, &st, real);

	*d_out = (struct dotqmail){.verdict = LEAF_DEFER, .reason = "cannot be read by its user"};
	if (error == EACCES || error == EPERM)
		goto defer;
	if (error == TREE_BLIND)
		goto blind;
	if (error != 0)
		return false;
	/* It is opened before it is looked at: a directory that cannot be read counts too. */
	if (!tree_may(&st, w->as, 4))
		goto defer;
	if (!S_ISREG(st.mode))
		return false;
	if (st.mode & w->q->patrn) {
		d_out->reason = "others may write it";
		goto defer;
	}
	error = tree_read(&w->q->tree, real, DOTQMAIL_MAX, &text);
	if (error != 0)
		goto blind;
	return qmail_file_run(f, text.len > 0 ? text : w->q->aliasempty,
	    text.len > 0 && (st.mode & 0100) != 0, d_out);
defer:
	report_warning(w->q->report, path, 0, d_out->reason,
	    SPAN("its mail is put off, and would be bounced in the end"));
	return true;
blind:
	report_error(w->q->report, path, 0, "cannot be read",
	    span_str(strerror(error == TREE_BLIND ? EACCES : error)));
	w->q->failed = true;
	return false;
}

static void
put_name(struct buf *key, enum layout_key type, uint32_t number, struct span name)
{
	key_put_u32(key, type, number);
	buf_put_span(key, name);
}

static bool
ends_in_default(struct span name, size_t from)
{
	struct span x = span_from(name, from);

	return x.len >= 7 && span_eq(span_from(x, x.len - 7), SPAN("default")) &&
	       (x.len == 7 || x.p[x.len - 8] == '-');
}

static uint32_t
table_of(struct files *w, const struct qmail_file *f, const struct dotqmail *d, size_t skip)
{
	if (d->verdict != LEAF_TABLE)
		return 0;
	return d->table.kind == PROGRAM_VPOPMAIL ? vpopmail_table(w->q, f, d)
	                                         : fastforward_table(w->q, f, d, skip);
}

/* In: name, behind ".qmail"; its dash is that of the target. */
static void
add_file(struct files *w, const char *path, struct span name)
{
	uint8_t octets[PATH_MAX + 8];
	struct buf key = BUF_OVER(octets);
	struct qmail_file f;
	struct dotqmail d;
	size_t dash = w->dash.len;
	bool by_default = ends_in_default(name, dash);

	w->q->rules->files++;
	qmail_file_init(&f, w->q, w->as, w->home, path);
	f.by_default = by_default;
	if (!judge(w, path, &f, &d))
		return;
	put_name(&key, KEY_EXTENSION, w->t->number, name);
	BUG_ON(key.full);
	qmail_add_leaf(w->q, buf_span(&key), &d, table_of(w, &f, &d, 0), &f);
	if (!by_default)
		return;
	key = BUF_OVER(octets);
	put_name(&key, KEY_DEFAULT, w->t->number, span_head(name, name.len - 7));
	lengths_set(w->t->default_lengths, name.len - 7, 0);
	qmail_add_leaf(w->q, buf_span(&key), &d, table_of(w, &f, &d, name.len - 7 - dash), &f);
}

/* Names are asked for in lower case and with dots as colons. */
static bool
can_be_asked(struct span part)
{
	for (size_t i = 0; i < part.len; i++)
		if (part.p[i] == '.' || (part.p[i] >= 'A' && part.p[i] <= 'Z'))
			return false;
	return true;
}

static void walk(struct files *w, const char *dir, struct span name, unsigned depth);

/* A file or directory. In: name, behind ".qmail". */
static void
take_name(struct files *w, const char *path, struct span name, unsigned depth)
{
	struct tree_stat st;
	struct rights all = {.all = true};
	char dot[PATH_MAX];
	uint8_t octets[PATH_MAX + 8];
	struct buf key = BUF_OVER(octets);
	size_t common = name.len < w->dash.len ? name.len : w->dash.len;
	int error;

	if (!span_eq(span_head(name, common), span_head(w->dash, common)))
		return;
	if (name.len >= w->dash.len) {
		if (can_be_asked(span_from(name, w->dash.len)))
			add_file(w, path, name);
		else if (w->dash.len > 0)
			report_warning(w->q->report, path, 0,
			    "a name with a capital or a dot is never asked for", name);
	}
	if (tree_stat(&w->q->tree, path, all, &st, NULL) != 0 || !S_ISDIR(st.mode))
		return;
	if (depth == DEPTH_MAX || !can_be_asked(span_from(name, common)) ||
	    snprintf(dot, sizeof(dot), "%s/.", path) >= (int)sizeof(dot))
		return;
	error = tree_stat(&w->q->tree, dot, w->as, &st, NULL);
	if (error == 0)
		walk(w, path, name, depth + 1);
	else if (error == EACCES || error == EPERM) {
		put_name(&key, KEY_UNSEARCHABLE, w->t->number, name);
		BUG_ON(key.full);
		w->t->directories = true;
		if (rules_add(w->q->rules, buf_span(&key), SPAN(""),
			(struct provenance){{path, 0}, "a directory that its user cannot search"},
			NULL) == NULL)
			qmail_no_memory(w->q);
	}
}

/* In: name, of the directory behind ".qmail"; empty for the home itself. */
static void
walk(struct files *w, const char *dir, struct span name, unsigned depth)
{
	const char **names;
	size_t count;
	char real[PATH_MAX];
	struct tree_stat st;
	struct rights all = {.all = true};
	int error = tree_stat(&w->q->tree, dir, all, &st, real);

	if (error == 0)
		error = tree_list(&w->q->tree, real, &names, &count);
	if (error != 0) {
		report_error(w->q->report, dir, 0, "cannot be listed",
		    span_str(strerror(error == TREE_BLIND ? EACCES : error)));
		w->q->failed = true;
		return;
	}
	for (size_t i = 0; i < count && !w->q->failed; i++) {
		const char *path;
		uint8_t octets[PATH_MAX];
		struct buf full = BUF_OVER(octets);

		if (depth == 0 && strncmp(names[i], ".qmail", PREFIX_LEN) != 0)
			continue;
		buf_put_span(&full, name);
		if (depth > 0)
			buf_put_u8(&full, '/');
		buf_put_str(&full, depth == 0 ? names[i] + PREFIX_LEN : names[i]);
		path = qmail_path(w->q, dir, names[i]);
		if (path != NULL && !full.full)
			take_name(w, path, buf_span(&full), depth);
	}
}

/* Only the two files that an account itself can have. */
static void
take_bare(struct files *w)
{
	const char *own = qmail_path(w->q, w->home, ".qmail");
	const char *quirk = qmail_path(w->q, w->home, ".qmaildefault");
	struct tree_stat st;
	struct rights all = {.all = true};

	if (own != NULL && tree_stat(&w->q->tree, own, all, &st, NULL) != ENOENT)
		add_file(w, own, SPAN(""));
	if (quirk != NULL && tree_stat(&w->q->tree, quirk, all, &st, NULL) != ENOENT)
		add_file(w, quirk, SPAN("default"));
}

/* With an empty dash a missing file is an empty one. */
static void
add_no_file(struct files *w, struct provenance from)
{
	uint8_t octets[8];
	struct buf key = BUF_OVER(octets);
	struct qmail_file f;
	struct dotqmail d;

	qmail_file_init(&f, w->q, w->as, w->home, from.place.source);
	if (!qmail_file_run(&f, w->q->aliasempty, false, &d))
		return;
	d.line = from.place.line;
	d.reason = d.verdict == LEAF_DEFER ? "no .qmail, and the default mailbox cannot be written"
	                                   : "no .qmail: the default delivery";
	if (d.verdict == LEAF_DEFER)
		report_warning(
		    w->q->report, from.place.source, from.place.line, d.reason, span_str(w->home));
	key_put_u32(&key, KEY_NO_FILE, w->t->number);
	qmail_add_leaf(w->q, buf_span(&key), &d, 0, &f);
}

/* ---- homes ----------------------------------------------------------------------------------------- */

/* What qmail-local says of the home. Returns: ACCEPT, or DEFER with the reason. */
static enum leaf_verdict
judge_home(struct files *w, const char **reason_out)
{
	char dot[PATH_MAX];
	struct tree_stat st;
	int error = snprintf(dot, sizeof(dot), "%s/.", w->home) < (int)sizeof(dot)
	                ? tree_stat(&w->q->tree, dot, w->as, &st, NULL)
	                : ENAMETOOLONG;

	*reason_out = "its user cannot enter the home";
	if (error == TREE_BLIND) {
		report_error(w->q->report, w->home, 0,
		    "cannot be seen with our rights; compile as root, or take a copy",
		    span_of(NULL, 0));
		w->q->failed = true;
	}
	if (error != 0)
		return LEAF_DEFER;
	*reason_out = "others may write the home";
	if (st.mode & w->q->patrn)
		return LEAF_DEFER;
	*reason_out = "the home is sticky: being changed";
	return st.mode & STICKY && !w->q->ignore_sticky ? LEAF_DEFER : LEAF_ACCEPT;
}

static void
fill_target(struct files *w, struct provenance from)
{
	const char *reason;

	w->t->verdict = judge_home(w, &reason);
	w->t->fixed = w->t->verdict != LEAF_ACCEPT;
	if (w->t->fixed) {
		report_warning(
		    w->q->report, from.place.source, from.place.line, reason, span_str(w->home));
		return;
	}
	w->t->number = rules_new_target(w->q->rules);
	if (w->u->bare)
		take_bare(w);
	else
		walk(w, w->home, SPAN(""), 0);
	if (w->u->dash.len == 0)
		add_no_file(w, from);
}

/* Runs of "/" as one. */
static struct span
collapsed(struct pool *pool, struct span s)
{
	uint8_t *p = pool_take(pool, s.len + 1);
	size_t n = 0;

	for (size_t i = 0; p != NULL && i < s.len; i++)
		if (s.p[i] != '/' || n == 0 || p[n - 1] != '/')
			p[n++] = s.p[i];
	return span_of(p, n);
}

/* The target of a user and dash, made when it is asked for first. */
static struct qmail_target *
target_for(struct qmail *q, const struct qmail_user *u, struct provenance from)
{
	size_t len = u->home.len + u->dash.len + 16;
	struct qmail_target *t = pool_take(&q->tree.pool, sizeof(*t));
	uint8_t *octets = pool_take(&q->tree.pool, len);
	struct buf key = buf_over(octets, len);
	struct files w = {.q = q, .as = {.uid = u->uid, .gid = u->gid}, .t = t, .u = u};

	if (t == NULL || octets == NULL)
		goto no_memory;
	buf_put_span(&key, u->home);
	buf_put_u8(&key, '\0');
	buf_put_span(&key, u->dash);
	buf_put_u8(&key, '\0');
	buf_put_u8(&key, u->bare);
	buf_put_u32(&key, u->uid);
	buf_put_u32(&key, u->gid);
	BUG_ON(key.full);
	t->item.key = buf_span(&key);
	if (keymap_get(&q->targets, t->item.key) != NULL)
		return (void *)keymap_get(&q->targets, t->item.key);
	w.home = pool_string(&q->tree.pool, u->home);
	w.dash = collapsed(&q->tree.pool, u->dash);
	if (w.home == NULL || w.dash.p == NULL || keymap_add(&q->targets, &t->item) < 0)
		goto no_memory;
	fill_target(&w, from);
	return t;
no_memory:
	qmail_no_memory(q);
	return NULL;
}

static void
put_fixed(struct buf *b, enum leaf_verdict v)
{
	uint8_t octets[8];
	struct buf leaf = BUF_OVER(octets);

	leaf_put(&leaf, &(struct leaf){.verdict = (uint8_t)v, .immediate = (uint8_t)v});
	controller_put(b, &(struct controller){.kind = CONTROLLER_FIXED, .fixed = buf_span(&leaf)});
}

void
qmail_controller(struct qmail *q, const struct qmail_user *u, struct provenance from, struct buf *b)
{
	struct controller c = {.kind = CONTROLLER_TARGET, .dash = u->dash, .pre = u->pre};
	const struct qmail_target *t;

	if (u->uid == 0) {
		report_warning(q->report, from.place.source, from.place.line,
		    "qmail makes no delivery as root: such mail is put off, and bounced in the end",
		    span_of(NULL, 0));
		put_fixed(b, LEAF_DEFER);
		return;
	}
	if (u->home.len == 0 || u->home.p[0] != '/') {
		put_fixed(b, LEAF_UNKNOWN);
		return;
	}
	t = target_for(q, u, from);
	if (t == NULL || t->fixed) {
		put_fixed(b, LEAF_DEFER);
		return;
	}
	if (u->dash.len + u->pre.len > CONTROLLER_MAX / 4) {
		report_error(q->report, from.place.source, from.place.line,
		    "dash and extension are longer than 1,024 octets", span_of(NULL, 0));
		q->failed = true;
		put_fixed(b, LEAF_DEFER);
		return;
	}
	c.target = t->number;
	c.none = LEAF_UNKNOWN;
	c.flags = t->directories ? CONTROLLER_DIRECTORIES : 0;
	c.default_lengths = span_of(t->default_lengths, LAYOUT_BITS_LEN);
	controller_put(b, &c);
}

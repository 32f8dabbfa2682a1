/* Who has a box: users/cdb or users/assign (qmail-lspawn, qmail-newu), and accounts (qmail-getpw). */
#include "lookupd/qmail.h"

#include <errno.h>

#include "lib/bug.h"

#include "lookupd/cdbfile.h"
#include "lookupd/qmail_control.h"

enum { BOX_LONGEST = 1024 };

static bool
is_lower(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return false;
	return true;
}

static bool
is_wild(const struct qmail *q, uint8_t c)
{
	return span_find(span_of(q->wild, q->wild_count), c) < q->wild_count;
}

static void
add_wild(struct qmail *q, uint8_t c)
{
	if (!is_wild(q, c))
		q->wild[q->wild_count++] = c;
}

/* Whether the home is one that this source is about. */
static bool
wanted(const struct qmail *q, struct span home)
{
	struct span under = span_str(q->only_under);

	return under.len == 0 || (home.len > under.len && home.p[under.len] == '/' &&
				     span_eq(span_head(home, under.len), under));
}

static void
put(struct qmail *q, enum layout_key type, struct span box, struct span value,
    struct provenance from)
{
	uint8_t octets[4 + BOX_LONGEST];
	struct buf key = BUF_OVER(octets);
	bool is_new;

	key_put_boxes(&key, q->of->number);
	buf_put_u8(&key, (uint8_t)type);
	buf_put_span(&key, box);
	if (key.full) {
		report_warning(q->report, from.place.source, from.place.line,
		    "longer than any address: never asked for", span_of(NULL, 0));
		return;
	}
	if (rules_add(q->rules, buf_span(&key), value, from, &is_new) == NULL)
		qmail_no_memory(q);
	else if (!is_new && type != KEY_ACCOUNT)
		report_warning(q->report, from.place.source, from.place.line,
		    "repeats an assignment; the first one counts", box);
}

/* ---- assignments ------------------------------------------------------------------------------- */

/* In: box, as the key in users/cdb has it, in lower case; a, NULL for a value that is too short. */
static void
assign(struct qmail *q, struct span box, bool wild, const struct assign_line *a, struct place place)
{
	uint8_t octets[CONTROLLER_MAX];
	struct buf value = BUF_OVER(octets);
	struct provenance from = {place,
	    wild ? "an assignment of all names that begin so" : "an assignment of this name"};
	struct qmail_user u;

	if (a == NULL) {
		static const uint8_t leaf[] = {CONTROLLER_FIXED, LEAF_DEFER, LEAF_DEFER, 0};

		buf_put(&value, leaf, sizeof(leaf));
	} else {
		if (!wanted(q, a->home))
			return;
		u = (struct qmail_user){.home = a->home,
		    .dash = a->dash,
		    .pre = a->pre,
		    .uid = (uint32_t)assign_number(a->uid),
		    .gid = (uint32_t)assign_number(a->gid)};
		qmail_controller(q, &u, from, &value);
	}
	BUG_ON(value.full);
	if (wild && box.len == 0) {
		q->catch_all = true;
		if (q->alias_controller.len == 0)
			q->alias_controller = pool_copy(&q->tree.pool, buf_span(&value));
		return;
	}
	if (wild)
		lengths_set(q->prefix_lengths, box.len, 1);
	put(q, wild ? KEY_BOX_PREFIX : KEY_BOX, box, buf_span(&value), from);
}

static void
warn_dead(struct qmail *q, struct place place, const char *why, struct span box)
{
	report_warning(q->report, place.source, place.line, why, box);
}

/* One record of users/cdb. */
static void
take_record(struct qmail *q, struct span key, struct span value, const char *path)
{
	struct place place = {path, 0};
	struct assign_line a;
	bool whole = assign_value(value, &a), simple;
	struct span box;

	if (key.len == 0 || key.p[0] != '!')
		return;
	simple = key.p[key.len - 1] == '\0';
	box = span_from(simple ? span_head(key, key.len - 1) : key, 1);
	if (!is_lower(box))
		warn_dead(q, place, "an assignment with a capital is never asked for", box);
	else if (!simple && box.len > 0 && !is_wild(q, box.p[box.len - 1]))
		warn_dead(q, place,
		    "the last octet of this beginning is no wild one: never asked for", box);
	else
		assign(q, box, !simple, whole ? &a : NULL, place);
}

static void
bad_table(struct qmail *q, const char *path)
{
	report_warning(q->report, path, 0,
	    "damaged: qmail puts off all mail for its own users, and so it is put off here",
	    span_of(NULL, 0));
	q->bad_assign = true;
}

static void
take_cdb(struct qmail *q, const char *path, struct span octets)
{
	struct cdbfile cdb;
	struct span wild, key, value;
	uint32_t at = CDBFILE_HEAD;
	enum cdbfile_status status;

	if (!cdbfile_over(&cdb, octets) || cdbfile_get(&cdb, SPAN(""), &wild) != CDBFILE_FOUND) {
		bad_table(q, path);
		return;
	}
	for (size_t i = 0; i < wild.len; i++)
		add_wild(q, wild.p[i]);
	while ((status = cdbfile_next(&cdb, &at, &key, &value)) == CDBFILE_FOUND && !q->failed)
		take_record(q, key, value, path);
	if (status == CDBFILE_BAD)
		bad_table(q, path);
}

/* The steps of qmail-newu over each line. Returns: false when it would refuse the file. */
static bool
each_line(struct qmail *q, const char *path, struct span text,
    void (*fn)(struct qmail *q, const struct assign_line *a, struct place place))
{
	struct assign_line a;

	for (uint32_t number = 1; text.len > 0 && !q->failed; number++) {
		size_t end = span_find(text, '\n');

		switch (assign_parse(span_head(text, end), &a)) {
		case ASSIGN_END:
			return true;
		case ASSIGN_BAD:
			report_error(q->report, path, number, "qmail-newu refuses this line",
			    span_head(span_head(text, end), 200));
			return false;
		case ASSIGN_LINE:
			fn(q, &a, (struct place){path, number});
			break;
		}
		text = span_from(text, end + 1);
	}
	if (!q->failed)
		report_error(q->report, path, 0,
		    "has no line with a single dot at its end: qmail-newu refuses it",
		    span_of(NULL, 0));
	return false;
}

static void
note_wild_octet(struct qmail *q, const struct assign_line *a, struct place place)
{
	(void)place;
	if (a->wild && a->local.len > 0)
		add_wild(q, a->local.p[a->local.len - 1]);
}

static void
take_assign_line(struct qmail *q, const struct assign_line *a, struct place place)
{
	uint8_t octets[BOX_LONGEST];
	struct buf box = BUF_OVER(octets);
	struct span name;

	buf_put_lower(&box, a->local);
	name = buf_span(&box);
	if (box.full)
		warn_dead(q, place, "longer than any address: never asked for", span_of(NULL, 0));
	else if (a->wild && name.len > 0 && !is_wild(q, name.p[name.len - 1]))
		warn_dead(q, place,
		    "the last octet of this beginning is no wild one: never asked for", name);
	else
		assign(q, name, a->wild, a, place);
}

static void
take_assign(struct qmail *q, const char *path, struct span text)
{
	report_warning(q->report, path, 0,
	    "there is no users/cdb, without which qmail does not look at this file; read as if "
	    "qmail-newu had been run",
	    span_of(NULL, 0));
	if (!each_line(q, path, text, note_wild_octet) ||
	    !each_line(q, path, text, take_assign_line))
		q->failed = true;
}

static void
take_assignments(struct qmail *q)
{
	const char *cdb = qmail_path(q, q->dir, "users/cdb");
	const char *assign_path = qmail_path(q, q->dir, "users/assign");
	int64_t made, changed;
	struct span octets;

	if (cdb == NULL || assign_path == NULL)
		return;
	if (qmail_load(q, cdb, CDB_MAX, &octets)) {
		if (qmail_mtime(q, cdb, &made) && qmail_mtime(q, assign_path, &changed) &&
		    changed > made)
			report_warning(q->report, assign_path, 0,
			    "newer than users/cdb: qmail-newu has not been run", span_of(NULL, 0));
		take_cdb(q, cdb, octets);
	} else if (!q->failed && qmail_load(q, assign_path, CONTROL_MAX, &octets))
		take_assign(q, assign_path, octets);
}

bool
qmail_assigned(struct qmail *q, struct span prefix)
{
	uint8_t octets[4 + BOX_LONGEST];

	for (size_t len = prefix.len; len > 0; len--) {
		struct buf key = BUF_OVER(octets);

		key_put_boxes(&key, q->of->number);
		buf_put_u8(&key, KEY_BOX_PREFIX);
		buf_put_lower(&key, span_head(prefix, len));
		if (!key.full && rules_find(q->rules, buf_span(&key)) != NULL)
			return true;
	}
	return false;
}

/* ---- accounts ------------------------------------------------------------------------------------- */

static void
put_counted(struct buf *b, struct span s)
{
	buf_put_u16(b, (uint16_t)s.len);
	buf_put_span(b, s);
}

static void
put_account(struct qmail *q, const struct account *a, struct span bare, struct span extension,
    const char *reason)
{
	uint8_t octets[2 * CONTROLLER_MAX + 4];
	struct buf value = BUF_OVER(octets);

	put_counted(&value, bare);
	put_counted(&value, extension);
	lengths_set(q->account_lengths, a->item.key.len, 1);
	put(q, KEY_ACCOUNT, a->item.key, buf_span(&value),
	    (struct provenance){{q->accounts.source, a->line}, reason});
}

/* Everything of the account is one verdict: the operator's word, or a passing error. */
static void
put_account_fixed(struct qmail *q, const struct account *a, enum leaf_verdict v, const char *reason)
{
	uint8_t octets[] = {CONTROLLER_FIXED, (uint8_t)v, (uint8_t)v, 0};
	struct span fixed = span_of(octets, sizeof(octets));

	put_account(q, a, fixed, fixed, reason);
}

static void
put_account_user(struct qmail *q, const struct account *a)
{
	uint8_t bare_octets[CONTROLLER_MAX], ext_octets[CONTROLLER_MAX];
	struct buf bare = BUF_OVER(bare_octets), ext = BUF_OVER(ext_octets);
	struct qmail_user u = {
	    .home = span_str(a->home), .uid = a->uid, .gid = a->gid, .bare = true};
	struct provenance from = {{q->accounts.source, a->line}, "an account"};

	qmail_controller(q, &u, from, &bare);
	u.bare = false;
	u.dash = SPAN("-");
	qmail_controller(q, &u, from, &ext);
	put_account(q, a, buf_span(&bare), buf_span(&ext), "an account");
}

/* Errors that qmail takes for passing ones (error_temp.c). */
static bool
is_passing(int error)
{
	return error == EIO || error == ESTALE || error == ENOMEM || error == ETIMEDOUT;
}

static void
take_account(struct qmail *q, const struct account *a)
{
	enum leaf_verdict word;
	struct tree_stat st;
	int error;

	if (options_word(&q->options, "account:", a->item.key, &word)) {
		put_account_fixed(q, a, word, "the operator's word");
		return;
	}
	if (!is_lower(a->item.key) || a->item.key.len > LAYOUT_ACCOUNT_MAX || a->uid == 0)
		return;
	error = tree_stat(&q->tree, a->home, q->qmailp, &st, NULL);
	if (error == TREE_BLIND) {
		report_error(q->report, a->home, 0,
		    "cannot be seen with our rights; compile as root, or take a copy",
		    span_of(NULL, 0));
		q->failed = true;
	} else if (is_passing(error))
		put_account_fixed(q, a, LEAF_DEFER, "the home cannot be seen for now");
	else if (error == 0 && st.uid == a->uid)
		put_account_user(q, a);
}

static void
take_alias(struct qmail *q)
{
	const struct account *a = accounts_find(&q->accounts, SPAN("alias"));
	uint8_t octets[CONTROLLER_MAX];
	struct buf value = BUF_OVER(octets);
	struct qmail_user u = {.dash = SPAN("-")};

	if (a == NULL) {
		report_warning(q->report, q->accounts.source, 0,
		    "there is no account alias: qmail puts off mail for names that nobody has",
		    span_of(NULL, 0));
		return;
	}
	u.home = span_str(a->home);
	u.uid = a->uid;
	u.gid = a->gid;
	qmail_controller(
	    q, &u, (struct provenance){{q->accounts.source, a->line}, "the account alias"}, &value);
	q->alias_controller = pool_copy(&q->tree.pool, buf_span(&value));
}

static struct span
keep(struct qmail *q, const void *octets, size_t len)
{
	struct span kept = pool_copy(&q->rules->pool, span_of(octets, len));

	if (kept.p == NULL)
		qmail_no_memory(q);
	return kept;
}

static void
note_boxes(struct qmail *q)
{
	struct boxes *b = &q->of->boxes;

	b->wild_octets = keep(q, q->wild, q->wild_count);
	b->prefix_lengths = keep(q, q->prefix_lengths, LAYOUT_BITS_LEN);
	b->account_lengths = keep(q, q->account_lengths, LAYOUT_BITS_LEN);
	b->breaks = keep(q, q->breaks, q->break_count);
	b->alias_controller = q->alias_controller;
	b->unreadable = q->bad_assign;
}

void
qmail_boxes(struct qmail *q)
{
	take_assignments(q);
	/* Nothing comes as far as the accounts when all boxes are assigned. */
	if (!q->catch_all && q->only_under == NULL) {
		for (const struct account *a = q->accounts.first; a != NULL && !q->failed;
		     a = a->next)
			take_account(q, a);
		take_alias(q);
	}
	note_boxes(q);
}

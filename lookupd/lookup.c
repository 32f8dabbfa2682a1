#include "lookupd/lookup.h"

#include "lib/bug.h"

enum { KEY_MAX = 8 + ADDRESS_MAX };

/* One question on its way through the steps. */
struct question {
	const struct database *db;
	uint8_t lower[ADDRESS_MAX];
	struct span local, domain; /* of lower, or of the record of an alias domain */
	struct domain record;
	bool redirected;
	struct lookup_result *r;
};

/* Returns of a step: the result is there, or the next step is asked. */
enum step { STEP_DECIDED, STEP_NEXT };

static enum step
decide(struct question *q, enum rcpt_verdict verdict)
{
	q->r->verdict = verdict;
	return STEP_DECIDED;
}

static enum step
trouble(struct question *q, const char *why, bool unevaluable)
{
	*q->r = (struct lookup_result){
	    .verdict = RCPT_TROUBLE, .trouble = why, .unevaluable = unevaluable};
	return STEP_DECIDED;
}

/* Row 270: what cannot be evaluated is temporary, and it is an alarm. */
static enum step
record_trouble(struct question *q, enum record_status status)
{
	return status == RECORD_UNKNOWN ? trouble(q, "a record needs a newer version", true)
	                                : trouble(q, "a record is malformed", true);
}

/* ---- domain ------------------------------------------------------------------------------------ */

static enum step
step_domain(struct question *q)
{
	uint8_t octets[KEY_MAX];
	struct buf key = BUF_OVER(octets);
	struct span value;
	enum record_status status;

	buf_put_u8(&key, KEY_DOMAIN);
	buf_put_span(&key, q->domain);
	switch (database_get(q->db, buf_span(&key), &value)) {
	case CDBFILE_NONE:
		return decide(q, RCPT_UNKNOWN_DOMAIN);
	case CDBFILE_BAD:
		return trouble(q, "the database is damaged", false);
	case CDBFILE_FOUND:
		break;
	}
	status = domain_decode(value, &q->record);
	return status == RECORD_OK ? STEP_NEXT : record_trouble(q, status);
}

/* An alias domain stands for a real one, never for another alias. */
static enum step
step_alias_domain(struct question *q)
{
	if (!(q->record.flags & DOMAIN_ALIAS))
		return STEP_NEXT;
	if (q->redirected || q->record.real.len == 0 || q->record.real.len > ADDRESS_DOMAIN_MAX)
		return trouble(q, "an alias domain stands for no real one", false);
	if (!(q->record.flags & DOMAIN_SERVED))
		return decide(q, RCPT_UNKNOWN_DOMAIN);
	q->redirected = true;
	q->domain = q->record.real;
	if (step_domain(q) == STEP_NEXT)
		return step_alias_domain(q);
	/* Our own record promised that it exists. */
	return q->r->verdict == RCPT_TROUBLE
	           ? STEP_DECIDED
	           : trouble(q, "an alias domain stands for no real one", false);
}

static enum step
step_served(struct question *q)
{
	return q->record.flags & DOMAIN_SERVED ? STEP_NEXT : decide(q, RCPT_UNKNOWN_DOMAIN);
}

/* Boxes, prefixes, the percent hack and whole domains need steps that are not here. */
static enum step
step_mode(struct question *q)
{
	if (q->record.flags != (DOMAIN_SERVED | DOMAIN_TABLE) || q->record.table_count == 0 ||
	    q->record.has_aliases)
		return record_trouble(q, RECORD_UNKNOWN);
	return STEP_NEXT;
}

/* ---- leaves ------------------------------------------------------------------------------------- */

/* What a verdict says, and what stands in the reply when the record has no text of its own. */
static const struct {
	bool evaluable;
	enum rcpt_verdict verdict;
	const char *status, *text;
} leaf_rules[LEAF_VERDICTS] = {
    [LEAF_ACCEPT] = {true, RCPT_ACCEPTED, NULL, NULL},
    [LEAF_UNKNOWN] = {true, RCPT_UNKNOWN_USER, NULL, NULL},
    [LEAF_DEFER] = {true, RCPT_DEFERRED, "4.3.0", "Temporary mailbox problem"},
    [LEAF_DISCARD] = {true, RCPT_ACCEPTED, NULL, NULL},
    [LEAF_DISABLED] = {true, RCPT_REFUSED, "5.2.1", "Mailbox disabled"},
    [LEAF_OVER_QUOTA] = {true, RCPT_DEFERRED, "4.2.2", "Mailbox full"},
    [LEAF_MOVED] = {true, RCPT_REFUSED, "5.1.6", "Mailbox has moved"},
    [LEAF_AUTH_ONLY] = {true, RCPT_REFUSED, "5.7.1", "Not for mail from outside"},
    [LEAF_RELAY] = {.evaluable = false},
    [LEAF_ASK] = {.evaluable = false},
    [LEAF_REFUSE] = {true, RCPT_REFUSED, "5.2.1", "Mailbox does not take mail"},
    [LEAF_TABLE] = {.evaluable = false},
};

static enum step
set_route(struct question *q, uint16_t route)
{
	uint8_t octets[3];
	struct buf key = BUF_OVER(octets);
	struct span value;
	enum record_status status;

	if (route == 0)
		return STEP_NEXT;
	key_put_u16(&key, KEY_ROUTE, route);
	if (database_get(q->db, buf_span(&key), &value) != CDBFILE_FOUND)
		return trouble(q, "a route is missing", false);
	status = route_decode(value, &q->r->route);
	return status == RECORD_OK ? STEP_NEXT : record_trouble(q, status);
}

static enum step
apply_accept(struct question *q, const struct leaf *leaf)
{
	if (set_route(q, leaf->route != 0 ? leaf->route : q->record.route) == STEP_DECIDED)
		return STEP_DECIDED;
	q->r->class = leaf->class.len > 0 ? leaf->class : q->record.class;
	q->r->size_limit = leaf->size != 0 ? leaf->size : q->record.size;
	q->r->delivered_to = leaf->delivered_to;
	return decide(q, RCPT_ACCEPTED);
}

/* The class of a status is that of the verdict: a 5xx must not come out as a 4xx or back. */
static enum step
apply_refusal(struct question *q, const struct leaf *leaf)
{
	enum rcpt_verdict verdict = leaf_rules[leaf->verdict].verdict;

	q->r->status =
	    leaf->status.len > 0 ? leaf->status : span_str(leaf_rules[leaf->verdict].status);
	q->r->text = leaf->text.len > 0 ? leaf->text : span_str(leaf_rules[leaf->verdict].text);
	if (!record_status_ok(q->r->status, verdict == RCPT_REFUSED ? '5' : '4'))
		return record_trouble(q, RECORD_MALFORMED);
	return decide(q, verdict);
}

static enum step
apply_leaf(struct question *q, struct span value, enum lookup_match match)
{
	struct leaf leaf;
	enum record_status status = leaf_decode(value, &leaf);

	if (status != RECORD_OK)
		return record_trouble(q, status);
	if (!leaf_rules[leaf.verdict].evaluable)
		return record_trouble(q, RECORD_UNKNOWN);
	q->r->match = match;
	switch (leaf_rules[leaf.verdict].verdict) {
	case RCPT_ACCEPTED:
		return apply_accept(q, &leaf);
	case RCPT_REFUSED:
	case RCPT_DEFERRED:
		return apply_refusal(q, &leaf);
	default:
		return decide(q, leaf_rules[leaf.verdict].verdict);
	}
}

/* Asks for one key of a table; STEP_NEXT when it is not there. */
static enum step
ask(struct question *q, enum layout_key type, uint32_t table, struct span rest,
    enum lookup_match match)
{
	uint8_t octets[KEY_MAX];
	struct buf key = BUF_OVER(octets);
	struct span value;

	key_put_u32(&key, type, table);
	buf_put_span(&key, rest);
	BUG_ON(key.full);
	switch (database_get(q->db, buf_span(&key), &value)) {
	case CDBFILE_NONE:
		return STEP_NEXT;
	case CDBFILE_FOUND:
		return apply_leaf(q, value, match);
	default:
		return trouble(q, "the database is damaged", false);
	}
}

/* ---- tables --------------------------------------------------------------------------------------- */

static enum step
step_charset(struct question *q)
{
	if (q->record.charset.len == 0)
		return STEP_NEXT;
	for (size_t i = 0; i < q->local.len; i++)
		if (!bits_have(q->record.charset, q->local.p[i]))
			return decide(q, RCPT_UNKNOWN_USER);
	return STEP_NEXT;
}

/*
 * Rows 85 and 106: what a mail system might take for a route, a file, a program or an option is
 * only found when a record spells it out.
 */
static bool
literal_only(struct span local)
{
	if (local.len == 0 || local.p[0] == '-' || local.p[0] == '~')
		return true;
	for (size_t i = 0; i < local.len; i++)
		if (span_find(SPAN("%!@|/"), local.p[i]) < 5)
			return true;
	return false;
}

/* The local part up to the first delimiter; never an empty one. */
static enum step
ask_delimited(struct question *q, uint32_t table)
{
	for (size_t i = 1; i < q->local.len; i++)
		if (span_find(q->record.delimiters, q->local.p[i]) < q->record.delimiters.len)
			return ask(q, KEY_USER, table, span_head(q->local, i), MATCH_DELIMITED);
	return STEP_NEXT;
}

/* The longest recorded beginning that ends in a break octet. */
static enum step
ask_wild(struct question *q, uint32_t table)
{
	for (size_t len = q->local.len; len >= 2; len--) {
		if (span_find(q->record.wild_octets, q->local.p[len - 1]) ==
			q->record.wild_octets.len ||
		    !bits_have(q->record.wild_lengths, (unsigned)(len - 1)))
			continue;
		if (ask(q, KEY_WILD, table, span_head(q->local, len), MATCH_EXTENSIONS) ==
		    STEP_DECIDED)
			return STEP_DECIDED;
	}
	return STEP_NEXT;
}

static enum step
step_user(struct question *q)
{
	bool literal = literal_only(q->local);

	for (size_t i = 0; i < q->record.table_count; i++) {
		uint32_t table = q->record.tables[i];

		if (ask(q, KEY_USER, table, q->local, MATCH_USER) == STEP_DECIDED)
			return STEP_DECIDED;
		if (literal)
			continue;
		if (ask_delimited(q, table) == STEP_DECIDED || ask_wild(q, table) == STEP_DECIDED)
			return STEP_DECIDED;
	}
	return literal ? decide(q, RCPT_UNKNOWN_USER) : STEP_NEXT;
}

static enum step
step_catch_all(struct question *q)
{
	for (size_t i = 0; i < q->record.table_count; i++)
		if (ask(q, KEY_CATCH_ALL, q->record.tables[i], span_of(NULL, 0), MATCH_CATCH_ALL) ==
		    STEP_DECIDED)
			return STEP_DECIDED;
	return STEP_NEXT;
}

static enum step
step_unknown(struct question *q)
{
	return decide(q, RCPT_UNKNOWN_USER);
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static enum step (*const steps[])(struct question *q) = {
    step_domain,
    step_alias_domain,
    step_served,
    step_mode,
    step_charset,
    step_user,
    step_catch_all,
    step_unknown,
};

static void
lookup_parts(
    const struct database *db, struct span local, struct span domain, struct lookup_result *r_out)
{
	struct question q;
	struct buf lower = BUF_OVER(q.lower);

	*r_out = (struct lookup_result){.verdict = RCPT_TROUBLE};
	q.db = db;
	q.r = r_out;
	q.redirected = false;
	buf_put_lower(&lower, local);
	buf_put_lower(&lower, domain);
	BUG_ON(lower.full);
	q.local = span_of(q.lower, local.len);
	q.domain = span_of(q.lower + local.len, domain.len);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i](&q) == STEP_DECIDED)
			return;
}

void
lookup(const struct database *db, const struct address *a, struct lookup_result *r_out)
{
	lookup_parts(db, address_local(a), address_domain(a), r_out);
}

bool
lookup_canary(const struct database *db)
{
	struct lookup_result r;

	lookup_parts(db, SPAN(LAYOUT_CANARY_LOCAL), SPAN(LAYOUT_CANARY_DOMAIN), &r);
	if (r.verdict != RCPT_REFUSED || !span_eq(r.status, SPAN(LAYOUT_CANARY_STATUS)) ||
	    !span_eq(r.text, SPAN(LAYOUT_CANARY_TEXT)))
		return false;
	lookup_parts(db, SPAN("no-" LAYOUT_CANARY_LOCAL), SPAN(LAYOUT_CANARY_DOMAIN), &r);
	return r.verdict == RCPT_UNKNOWN_USER;
}

/* ---- postmaster ------------------------------------------------------------------------------------------ */

static void
lookup_configured(
    const struct database *db, const struct address *postmaster, struct lookup_result *r_out)
{
	lookup(db, postmaster, r_out);
	switch (r_out->verdict) {
	case RCPT_UNKNOWN_DOMAIN:
		*r_out = (struct lookup_result){.verdict = RCPT_ACCEPTED};
		break;
	case RCPT_UNKNOWN_USER:
	case RCPT_REFUSED:
		*r_out = (struct lookup_result){.verdict = RCPT_TROUBLE,
		    .trouble = "the configured postmaster is not accepted"};
		break;
	default:
		break;
	}
	r_out->match = MATCH_POSTMASTER;
}

void
lookup_recipient(const struct database *db, const struct address *asked,
    const struct address *postmaster, struct lookup_result *r_out,
    const struct address **recipient_out)
{
	bool bare = asked->local_len == asked->len;
	bool is_postmaster = span_eq_nocase(address_local(asked), SPAN("postmaster"));

	*recipient_out = asked;
	if (bare)
		*r_out = (struct lookup_result){.verdict = RCPT_UNKNOWN_USER};
	else
		lookup(db, asked, r_out);
	if (r_out->verdict != RCPT_UNKNOWN_USER || !is_postmaster || postmaster == NULL)
		return;
	*recipient_out = postmaster;
	lookup_configured(db, postmaster, r_out);
}

const char *
lookup_match_name(enum lookup_match match)
{
	static const char *const names[] = {
	    [MATCH_NONE] = "none",
	    [MATCH_USER] = "user",
	    [MATCH_DELIMITED] = "without-extension",
	    [MATCH_EXTENSIONS] = "extensions",
	    [MATCH_CATCH_ALL] = "catch-all",
	    [MATCH_POSTMASTER] = "postmaster",
	};

	return names[match];
}

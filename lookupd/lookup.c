#include "lookupd/lookup_steps.h"

#include "lib/bug.h"
#include "lib/idn.h"

#include "lookupd/pattern.h"

enum step
lookup_decide(struct question *q, enum rcpt_verdict verdict)
{
	q->r->verdict = verdict;
	return STEP_DECIDED;
}

enum step
lookup_trouble(struct question *q, const char *why, bool unevaluable)
{
	*q->r = (struct lookup_result){
	    .verdict = RCPT_TROUBLE, .trouble = why, .unevaluable = unevaluable};
	return STEP_DECIDED;
}

enum step
lookup_record_trouble(struct question *q, enum record_status status)
{
	return status == RECORD_UNKNOWN ? lookup_trouble(q, "a record needs a newer version", true)
	                                : lookup_trouble(q, "a record is malformed", true);
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
    [LEAF_RELAY] = {true, RCPT_REFUSED, "5.7.1", "Mail for this address would be relayed"},
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
	if (lookup_get(q, buf_span(&key), &value) != CDBFILE_FOUND)
		return lookup_trouble(q, "a route is missing", false);
	status = route_decode(value, &q->r->route);
	return status == RECORD_OK ? STEP_NEXT : lookup_record_trouble(q, status);
}

static enum step
apply_accept(struct question *q, const struct leaf *leaf)
{
	if (set_route(q, leaf->route != 0 ? leaf->route : q->record->route) == STEP_DECIDED)
		return STEP_DECIDED;
	q->r->class = leaf->class.len > 0 ? leaf->class : q->record->class;
	q->r->size_limit = leaf->size != 0 ? leaf->size : q->record->size;
	q->r->delivered_to = leaf->delivered_to;
	q->r->no_bounces = leaf->no_bounces;
	return lookup_decide(q, RCPT_ACCEPTED);
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
		return lookup_record_trouble(q, RECORD_MALFORMED);
	return lookup_decide(q, verdict);
}

static enum step
apply_leaf(struct question *q, const struct leaf *leaf, enum lookup_match match)
{
	if (!leaf_rules[leaf->verdict].evaluable)
		return lookup_record_trouble(q, RECORD_UNKNOWN);
	q->r->match = match;
	q->r->leaf = (enum leaf_verdict)leaf->verdict;
	q->r->leaf_flags = leaf->flags;
	switch (leaf_rules[leaf->verdict].verdict) {
	case RCPT_ACCEPTED:
		return apply_accept(q, leaf);
	case RCPT_REFUSED:
	case RCPT_DEFERRED:
		return apply_refusal(q, leaf);
	default:
		return lookup_decide(q, leaf_rules[leaf->verdict].verdict);
	}
}

enum step
lookup_leaf(struct question *q, struct span value, enum lookup_match match)
{
	static const struct leaf plain = {.verdict = LEAF_ACCEPT, .immediate = LEAF_ACCEPT};
	BUF_ROOM struct leaf leaf;
	enum record_status status;

	/* Most of them. */
	if (span_eq(value, span_of("\0\0", 3)))
		return apply_leaf(q, &plain, match);
	status = leaf_decode(value, &leaf);
	return status == RECORD_OK ? apply_leaf(q, &leaf, match) : lookup_record_trouble(q, status);
}

enum step
lookup_verdict(struct question *q, enum leaf_verdict verdict, enum lookup_match match)
{
	struct leaf leaf = {.verdict = (uint8_t)verdict, .immediate = (uint8_t)verdict};

	return apply_leaf(q, &leaf, match);
}

enum step
lookup_ask(struct question *q, enum layout_key type, uint32_t table, struct span rest,
    enum lookup_match match)
{
	BUF_ROOM uint8_t octets[KEY_MAX];
	struct buf key = BUF_OVER(octets);
	struct span value;

	key_put_u32(&key, type, table);
	buf_put_span(&key, rest);
	BUG_ON(key.full);
	switch (lookup_get(q, buf_span(&key), &value)) {
	case CDBFILE_NONE:
		return STEP_NEXT;
	case CDBFILE_FOUND:
		return lookup_leaf(q, value, match);
	default:
		return STEP_DECIDED;
	}
}

/* ---- tables --------------------------------------------------------------------------------------- */

static bool
charset_ok(const struct question *q)
{
	for (size_t i = 0; i < q->local.len; i++)
		if (!bits_have(q->record->charset, q->local.p[i]))
			return false;
	return true;
}

bool
lookup_literal_only(struct span local)
{
	if (local.len == 0 || local.p[0] == '-' || local.p[0] == '~')
		return true;
	for (size_t i = 0; i < local.len; i++)
		switch (local.p[i]) {
		case '%':
		case '!':
		case '@':
		case '|':
		case '/':
			return true;
		default:
			break;
		}
	return false;
}

bool
lookup_never_cut(struct span local, struct span delimiters)
{
	return span_find(delimiters, '-') < delimiters.len &&
	       (span_eq(span_head(local, 6), SPAN("owner-")) ||
		   (local.len > 8 && span_eq(span_from(local, local.len - 8), SPAN("-request"))));
}

/*
 * One kind of record in all tables of the domain, before another kind is asked for: a table says
 * what is different from those behind it.
 */
static enum step
ask_each(struct question *q, enum layout_key type, struct span rest, enum lookup_match match)
{
	for (size_t i = 0; i < q->record->table_count; i++)
		if (lookup_ask(q, type, q->record->tables[i], rest, match) == STEP_DECIDED)
			return STEP_DECIDED;
	return STEP_NEXT;
}

/* The local part up to the first delimiter; one at its beginning cuts nothing. */
static enum step
ask_delimited(struct question *q)
{
	size_t i = 0;

	if (q->record->delimiters.len == 0)
		return STEP_NEXT;
	while (i < q->local.len &&
	       span_find(q->record->delimiters, q->local.p[i]) == q->record->delimiters.len)
		i++;
	return i > 0 && i < q->local.len
	           ? ask_each(q, KEY_USER, span_head(q->local, i), MATCH_DELIMITED)
	           : STEP_NEXT;
}

/* The longest recorded beginning that ends in a break octet. */
static enum step
ask_wild(struct question *q)
{
	if (q->record->wild_octets.len == 0)
		return STEP_NEXT;
	for (size_t len = q->local.len; len >= 2; len--) {
		if (span_find(q->record->wild_octets, q->local.p[len - 1]) ==
			q->record->wild_octets.len ||
		    !bits_have(q->record->wild_lengths, (unsigned)(len - 1)))
			continue;
		if (ask_each(q, KEY_WILD, span_head(q->local, len), MATCH_EXTENSIONS) ==
		    STEP_DECIDED)
			return STEP_DECIDED;
	}
	return STEP_NEXT;
}

/* Octets behind a length of two. */
static bool
take_long(struct cursor *c, struct span *s_out)
{
	uint16_t len;

	return cursor_u16(c, &len) && cursor_bytes(c, len, s_out);
}

/* Rules, the first that matches the whole address decides: expression, leaf. */
static enum step
ask_patterns(struct question *q)
{
	uint8_t octets[8];
	struct buf key = BUF_OVER(octets);
	struct span value, expression, leaf;
	struct span address = span_of(q->local.p, q->local.len + 1 + q->domain.len);
	struct cursor c;
	struct pattern pattern;

	key_put_u32(&key, KEY_PATTERNS, q->record->patterns);
	switch (lookup_get(q, buf_span(&key), &value)) {
	case CDBFILE_NONE:
		return lookup_record_trouble(q, RECORD_MALFORMED);
	case CDBFILE_FOUND:
		break;
	default:
		return STEP_DECIDED;
	}
	for (c = cursor_over(value); c.left > 0;) {
		if (!take_long(&c, &expression) || !take_long(&c, &leaf) ||
		    pattern_compile(&pattern, expression) != NULL)
			return lookup_record_trouble(q, RECORD_MALFORMED);
		if (pattern_matches(&pattern, address))
			return lookup_leaf(q, leaf, MATCH_PATTERN);
	}
	return STEP_NEXT;
}

static enum step
ask_users(struct question *q)
{
	if (ask_each(q, KEY_USER, q->local, MATCH_USER) == STEP_DECIDED)
		return STEP_DECIDED;
	if (lookup_literal_only(q->local))
		return STEP_NEXT;
	if (q->record->patterns != 0 && ask_patterns(q) == STEP_DECIDED)
		return STEP_DECIDED;
	if (q->record->owner_request && lookup_never_cut(q->local, q->record->delimiters))
		return STEP_NEXT;
	/* What is said of extensions goes before what is said of the name. */
	return ask_wild(q) == STEP_DECIDED ? STEP_DECIDED : ask_delimited(q);
}

/* Tables go before boxes: who lists a recipient knows better. */
static enum step
step_tables(struct question *q)
{
	if (!(q->record->flags & DOMAIN_TABLE))
		return STEP_NEXT;
	if (q->record->has_aliases)
		return lookup_record_trouble(q, RECORD_UNKNOWN);
	if (q->record->table_count == 0)
		return lookup_record_trouble(q, RECORD_MALFORMED);
	if (q->record->charset.len > 0 && !charset_ok(q))
		return STEP_NEXT;
	if (ask_users(q) == STEP_DECIDED)
		return STEP_DECIDED;
	if (q->record->no_catch_all || lookup_literal_only(q->local))
		return STEP_NEXT;
	return ask_each(q, KEY_CATCH_ALL, span_of(NULL, 0), MATCH_CATCH_ALL);
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static enum step (*const steps[])(struct question *q) = {
    lookup_step_domain,
    step_tables,
    lookup_step_box,
};

/* What the first step does not set. */
static void
begin(struct question *q, const struct database *db, enum lookup_from from,
    struct lookup_trace *trace, struct lookup_result *r_out)
{
	*r_out = (struct lookup_result){.verdict = RCPT_TROUBLE};
	q->db = db;
	q->r = r_out;
	q->from = from;
	q->trace = trace;
	q->redirected = false;
}

static void
run(struct question *q)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i](q) == STEP_DECIDED)
			return;
	/* The last step decides. */
	BUG_ON(true);
}

/* What is asked, the domain in ASCII. In: local and domain, which fit. */
static enum step
put_parts(struct question *q, struct span local, struct span domain)
{
	BUF_ROOM uint8_t room[ADDRESS_MAX];
	struct buf lower = BUF_OVER(q->octets), name = BUF_OVER(room);

	switch (idn_to_ascii(domain, &name)) {
	case IDN_MEMORY:
		return lookup_trouble(q, "no memory", false);
	case IDN_BAD: /* no database can serve what is no name */
		return lookup_decide(q, RCPT_UNKNOWN_DOMAIN);
	case IDN_OK:
		break;
	}
	buf_put_lower(&lower, local);
	buf_put_u8(&lower, '@');
	buf_put_lower(&lower, buf_span(&name));
	BUG_ON(name.full);
	if (lower.full) /* an A-label is longer than its U-label */
		return lookup_decide(q, RCPT_UNKNOWN_USER);
	q->local = span_of(q->octets, local.len);
	q->domain = span_of(q->octets + local.len + 1, name.len);
	return STEP_NEXT;
}

void
lookup_octets(const struct database *db, struct span address, enum lookup_from from,
    struct lookup_trace *trace, struct lookup_result *r_out)
{
	BUF_ROOM struct question q;
	size_t at = span_find_last(address, '@');
	struct span local = span_head(address, at), domain = span_from(address, at + 1);

	/* The domain of the back end itself is always served. */
	if (at == address.len) {
		domain = db->header.default_domain;
		from = LOOKUP_FROM_INSIDE;
	}
	begin(&q, db, from, trace, r_out);
	if (local.len + 1 + domain.len > ADDRESS_MAX)
		lookup_decide(&q, RCPT_UNKNOWN_USER);
	else if (put_parts(&q, local, domain) == STEP_NEXT)
		run(&q);
}

void
lookup(const struct database *db, const struct address *a, struct lookup_result *r_out)
{
	BUF_ROOM struct question q;
	struct buf lower = BUF_OVER(q.octets);
	struct span local = address_local(a), domain = address_domain(a);

	if (a->utf8 || domain.len == 0) {
		lookup_octets(db, address_span(a), LOOKUP_FROM_OUTSIDE, NULL, r_out);
		return;
	}
	begin(&q, db, LOOKUP_FROM_OUTSIDE, NULL, r_out);
	buf_put_lower(&lower, address_span(a));
	q.local = span_of(q.octets, local.len);
	q.domain = span_of(q.octets + local.len + 1, domain.len);
	run(&q);
}

bool
lookup_canary(const struct database *db)
{
	struct lookup_result r;

	lookup_octets(
	    db, SPAN(LAYOUT_CANARY_LOCAL "@" LAYOUT_CANARY_DOMAIN), LOOKUP_FROM_OUTSIDE, NULL, &r);
	if (r.verdict != RCPT_REFUSED || !span_eq(r.status, SPAN(LAYOUT_CANARY_STATUS)) ||
	    !span_eq(r.text, SPAN(LAYOUT_CANARY_TEXT)))
		return false;
	lookup_octets(db, SPAN("no-" LAYOUT_CANARY_LOCAL "@" LAYOUT_CANARY_DOMAIN),
	    LOOKUP_FROM_OUTSIDE, NULL, &r);
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
	/* Without a domain it is the postmaster, and that of the back end's own domain if it has one. */
	if (bare && db->header.default_domain.len == 0)
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
	    [MATCH_BOX] = "box",
	    [MATCH_PATTERN] = "pattern",
	    [MATCH_DOMAIN] = "domain",
	    [MATCH_POSTMASTER] = "postmaster",
	    [MATCH_OVERLAY] = "overlay",
	    [MATCH_OBSERVED] = "observed",
	};

	return names[match];
}

/* What the domain of an address is: qmail-smtpd and the rewriting of qmail-send, and alias domains. */
#include "lookupd/lookup_steps.h"

#include "lib/bug.h"

/* ---- address literals --------------------------------------------------------------------------- */

/* "[192.0.2.1]" as 16 octets, each number modulo 256 as qmail's ip_scan() has it. */
static bool
parse_literal(struct span domain, uint8_t out[16])
{
	struct span rest = span_from(span_head(domain, domain.len - (domain.len > 0)), 1);

	memcpy(out, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	if (domain.len < 9 || domain.p[0] != '[' || domain.p[domain.len - 1] != ']')
		return false;
	for (size_t i = 0; i < 4; i++) {
		size_t dot = span_find(rest, '.');
		uint64_t v;

		if ((dot == rest.len) != (i == 3) ||
		    !span_decimal(span_head(rest, dot), UINT64_MAX, &v))
			return false;
		out[12 + i] = (uint8_t)(v & 255);
		rest = span_from(rest, dot + 1);
	}
	return true;
}

/* The domain that an address of a back end stands for; empty: it is none. */
static struct span
domain_of_literal(const struct header *h, const uint8_t ip[16])
{
	struct cursor c = cursor_over(h->attributes);
	struct attr a;

	while (c.left > 0 && attr_next(&c, &a) == RECORD_OK)
		if (a.type == HEADER_OWN_ADDRESS &&
		    span_eq(span_head(a.octets, 16), span_of(ip, 16)))
			return a.octets.len > 16 ? span_from(a.octets, 16) : h->literal_domain;
	return span_of(NULL, 0);
}

/* What the back end appends to each address that its SMTP server takes. */
static enum step
append(struct question *q)
{
	struct buf b = buf_over(q->octets + q->local.len + 1, sizeof(q->octets) - q->local.len - 1);
	struct span literal = q->db->header.literal_domain;

	if (q->from == LOOKUP_FROM_INSIDE || span_eq(q->domain, SPAN(LAYOUT_CANARY_DOMAIN)))
		return STEP_NEXT;
	if (q->domain.p == literal.p)
		buf_put_span(&b, literal);
	else
		b.len = q->domain.len;
	buf_put_lower(&b, q->db->header.appended);
	if (b.full)
		return lookup_decide(q, RCPT_UNKNOWN_USER);
	q->domain = buf_span(&b);
	return STEP_NEXT;
}

/* An address of the back end itself stands for a domain of it; only SMTP knows that. */
static enum step
step_literal(struct question *q)
{
	const struct header *h = &q->db->header;
	uint8_t ip[16];

	if (q->from == LOOKUP_FROM_OUTSIDE && parse_literal(q->domain, ip)) {
		struct span domain = domain_of_literal(h, ip);

		if (domain.len > 0)
			q->domain = domain;
	}
	return h->appended.len > 0 ? append(q) : STEP_NEXT;
}

/* ---- records ------------------------------------------------------------------------------------- */

static void
tell_trace(struct question *q, enum layout_key type, struct span name, struct span value)
{
	uint8_t octets[KEY_MAX];
	struct buf key = BUF_OVER(octets);

	buf_put_u8(&key, (uint8_t)type);
	buf_put_span(&key, name);
	q->trace->on_record(q->trace, buf_span(&key), value);
}

/*
 * In: room, for the record when it is not remembered.
 * Returns: FOUND and the record, NONE, or BAD when it has been decided.
 */
static inline enum cdbfile_status
get_domain(struct question *q, enum layout_key type, struct span name, struct domain *room,
    const struct domain **d_out)
{
	struct database_record r;
	enum cdbfile_status status = database_domain(q->db, type, name, room, &r);

	if (status == CDBFILE_BAD)
		lookup_trouble(q, "the database is damaged", false);
	if (status != CDBFILE_FOUND)
		return status;
	if (q->trace != NULL)
		tell_trace(q, type, name, r.value);
	*d_out = r.domain;
	if (r.status == RECORD_OK)
		return CDBFILE_FOUND;
	lookup_record_trouble(q, r.status);
	return CDBFILE_BAD;
}

/* Of several installations the one counts that has the longest name. */
static void
note(struct question *q, const struct domain *d)
{
	if (q->boxes == 0)
		q->boxes = d->boxes;
	else if (d->boxes != 0 && d->boxes != q->boxes)
		return;
	q->served = q->served || (d->flags & DOMAIN_SERVED) != 0;
	q->accept = q->accept || (d->flags & DOMAIN_ACCEPT) != 0;
	if ((d->flags & DOMAIN_VIRTUAL) && !q->has_prefix) {
		q->has_prefix = true;
		q->prefix = d->prefix;
	}
}

/* A domain ".x" is literally the suffix of that name. */
static enum cdbfile_status
note_exact(struct question *q)
{
	static const struct domain none;
	bool suffix = q->domain.len > 0 && q->domain.p[0] == '.';
	enum cdbfile_status status =
	    get_domain(q, suffix ? KEY_SUFFIX : KEY_DOMAIN, q->domain, &q->room, &q->record);

	q->found = status == CDBFILE_FOUND;
	if (q->found)
		note(q, q->record);
	else
		q->record = &none;
	return status;
}

/* Suffixes, the longest first. */
static enum cdbfile_status
note_suffixes(struct question *q)
{
	struct span lengths = q->db->header.suffix_lengths;

	if (lengths.len == 0)
		return CDBFILE_NONE;
	for (size_t i = 1; i < q->domain.len; i++) {
		BUF_ROOM struct domain room;
		const struct domain *d;
		enum cdbfile_status status;

		if (q->domain.p[i] != '.' || !lengths_have(lengths, q->domain.len - i, 1))
			continue;
		status = get_domain(q, KEY_SUFFIX, span_from(q->domain, i), &room, &d);
		if (status == CDBFILE_BAD)
			return status;
		if (status != CDBFILE_FOUND)
			continue;
		if (d->flags & (DOMAIN_ALIAS | DOMAIN_TABLE)) {
			lookup_record_trouble(q, RECORD_UNKNOWN);
			return CDBFILE_BAD;
		}
		note(q, d);
	}
	return CDBFILE_NONE;
}

static enum step
find_domain(struct question *q)
{
	q->found = q->served = q->accept = q->has_prefix = false;
	q->prefix = span_of(NULL, 0);
	q->boxes = 0;
	if (note_exact(q) == CDBFILE_BAD || note_suffixes(q) == CDBFILE_BAD)
		return STEP_DECIDED;
	if (q->boxes == 0 && q->from == LOOKUP_FROM_INSIDE && q->trace != NULL)
		q->boxes = q->trace->boxes;
	return STEP_NEXT;
}

/* An alias domain stands for a real one, never for another alias. */
static enum step
step_alias(struct question *q)
{
	static const char broken[] = "an alias domain stands for no real one";

	if (!(q->record->flags & DOMAIN_ALIAS))
		return STEP_NEXT;
	if (q->redirected || q->record->real.len == 0 || q->record->real.len > ADDRESS_DOMAIN_MAX)
		return lookup_trouble(q, broken, false);
	if (!(q->record->flags & DOMAIN_SERVED) && q->from == LOOKUP_FROM_OUTSIDE)
		return lookup_decide(q, RCPT_UNKNOWN_DOMAIN);
	q->redirected = true;
	q->domain = q->record->real;
	if (find_domain(q) == STEP_DECIDED)
		return STEP_DECIDED;
	/* Our own record promised that it exists. */
	return q->found ? step_alias(q) : lookup_trouble(q, broken, false);
}

static enum step
step_served(struct question *q)
{
	if (q->from == LOOKUP_FROM_INSIDE || q->served)
		return STEP_NEXT;
	if (q->db->header.flags & HEADER_FLAG_OPEN)
		return STEP_NEXT;
	return lookup_decide(q, RCPT_UNKNOWN_DOMAIN);
}

/* ---- percent hack --------------------------------------------------------------------------------- */

/*
 * box%inner@outer is box@inner, again and again: the last "%" before the "@" that was looked at
 * becomes the next one to look at, whatever stands behind it. In the end the last "@" separates,
 * which may be another one.
 *
 * From outside the inner domain must be served as well: qmail looks only at the outer one, and
 * relays.
 */
static enum step
step_percent(struct question *q)
{
	size_t at = q->local.len, end = at, last;

	while (q->found && (q->record->flags & DOMAIN_PERCENT)) {
		size_t percent = span_find_last(span_of(q->octets, at), '%');

		if (percent == at)
			break;
		q->octets[percent] = '@';
		end = at;
		at = percent;
		q->domain = span_of(q->octets + at + 1, end - at - 1);
		if (find_domain(q) == STEP_DECIDED)
			return STEP_DECIDED;
	}
	if (at == q->local.len)
		return STEP_NEXT;
	last = span_find_last(span_of(q->octets, end), '@');
	q->local = span_of(q->octets, last);
	q->domain = span_of(q->octets + last + 1, end - last - 1);
	if (last != at && find_domain(q) == STEP_DECIDED)
		return STEP_DECIDED;
	return step_served(q);
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

enum step
lookup_step_domain(struct question *q)
{
	const unsigned plain = DOMAIN_SERVED, not_plain = DOMAIN_ALIAS | DOMAIN_PERCENT;

	if (step_literal(q) == STEP_DECIDED || find_domain(q) == STEP_DECIDED)
		return STEP_DECIDED;
	/* None of the following has anything to say of most domains. */
	if ((q->record->flags & (plain | not_plain)) == plain)
		return STEP_NEXT;
	if (step_alias(q) == STEP_DECIDED || step_served(q) == STEP_DECIDED)
		return STEP_DECIDED;
	return step_percent(q);
}

#include "validators/from.h"

#include "lib/idn.h"

/* An element of the list: what lies between two separators. */
struct parser {
	struct span in;
	size_t at;
	bool phrase; /* of an address that has not come yet */
	bool any;    /* an address was found */
	struct from_authors *authors;
};

/* ---- octets ---------------------------------------------------------------------------------- */

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* atext of RFC 5322 3.2.3, RFC 6532 included, and dots wherever real mail has them. */
static bool
is_local(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c >= 128 ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool
is_domain(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_' || c == '.' ||
	       c >= 128;
}

static bool
is_separator(uint8_t c)
{
	return c == ',' || c == ';';
}

static bool
more(const struct parser *p)
{
	return p->at < p->in.len;
}

static uint8_t
peek(const struct parser *p)
{
	return p->in.p[p->at];
}

static void
skip_spaces(struct parser *p)
{
	while (more(p) && is_space(peek(p)))
		p->at++;
}

/* RFC 5322 3.2.2; comments nest. Returns: false when it does not end. */
static bool
skip_comment(struct parser *p)
{
	size_t depth = 0;

	for (; more(p); p->at++) {
		uint8_t c = peek(p);

		if (c == '\\')
			p->at++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0) {
			p->at++;
			return true;
		}
	}
	return false;
}

/* RFC 5322 3.2.4. Returns: false when it does not end. */
static bool
skip_quoted(struct parser *p)
{
	for (p->at++; more(p); p->at++) {
		if (peek(p) == '\\')
			p->at++;
		else if (peek(p) == '"') {
			p->at++;
			return true;
		}
	}
	return false;
}

static bool
skip_cfws(struct parser *p)
{
	skip_spaces(p);
	while (more(p) && peek(p) == '(') {
		if (!skip_comment(p))
			return false;
		skip_spaces(p);
	}
	return true;
}

/* ---- domains --------------------------------------------------------------------------------- */

/* In lower case and A-labels. Returns: false when it is no name. */
static bool
domain_name(struct span text, struct from_domain *d)
{
	uint8_t ascii[2 * DNS_NAME_MAX];
	struct buf labels = BUF_OVER(ascii), b = BUF_OVER(d->name);

	if (text.len > sizeof(ascii) || idn_to_ascii(text, &labels) != IDN_OK)
		return false;
	buf_put_lower(&b, buf_span(&labels));
	d->len = (uint8_t)b.len;
	return !b.full && dns_name_ok(buf_span(&b));
}

static bool
add_domain(struct from_authors *a, const struct from_domain *d)
{
	if (span_find(from_domain_span(d), '.') == d->len)
		return true; /* root@localhost: nobody's domain */
	for (size_t i = 0; i < a->count; i++)
		if (span_eq(from_domain_span(&a->domains[i]), from_domain_span(d)))
			return true;
	if (a->count == FROM_DOMAINS_MAX) {
		a->status = FROM_SEVERAL;
		return false;
	}
	a->domains[a->count++] = *d;
	return true;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static bool
skip_local_part(struct parser *p)
{
	size_t begin = p->at;

	while (more(p)) {
		if (peek(p) == '"') {
			if (!skip_quoted(p))
				return false;
		} else if (is_local(peek(p))) {
			p->at++;
		} else {
			break;
		}
	}
	return p->at > begin;
}

/* A domain literal is an address without a name. Returns: false when it is neither. */
static bool
take_literal(struct parser *p)
{
	while (more(p) && (is_domain(peek(p)) || peek(p) == ':' || peek(p) == '['))
		p->at++;
	if (!more(p) || peek(p) != ']')
		return false;
	p->at++;
	return true;
}

static bool
take_domain(struct parser *p)
{
	struct from_domain d;
	size_t begin = p->at;

	if (more(p) && peek(p) == '[')
		return take_literal(p);
	while (more(p) && is_domain(peek(p)))
		p->at++;
	return domain_name(span_of(p->in.p + begin, p->at - begin), &d) &&
	       add_domain(p->authors, &d);
}

/*
 * RFC 5322 3.4.1 addr-spec. No comment stands inside: what is in it would be address for one
 * reader and comment for the other.
 */
static bool
take_address(struct parser *p)
{
	p->any = true;
	skip_spaces(p);
	if (!skip_local_part(p))
		return false;
	skip_spaces(p);
	if (!more(p) || peek(p) != '@')
		return false;
	p->at++;
	skip_spaces(p);
	if (!take_domain(p))
		return false;
	skip_spaces(p);
	return true;
}

static bool
at_end_of_element(const struct parser *p)
{
	return !more(p) || is_separator(peek(p));
}

/* "<" addr-spec ">", and nothing behind it; no source route (obs-route). */
static bool
take_angle(struct parser *p)
{
	p->at++;
	if (!take_address(p) || !more(p) || peek(p) != '>')
		return false;
	p->at++;
	p->phrase = false;
	return skip_cfws(p) && at_end_of_element(p);
}

/* An element without "<": a bare address, or phrase of the address that comes after a comma. */
static bool
take_bare(struct parser *p, size_t begin, bool has_at, bool empty)
{
	if (!has_at) {
		p->phrase = p->phrase || !empty;
		return true;
	}
	if (p->phrase)
		return false;
	p->at = begin;
	return skip_cfws(p) && take_address(p) && skip_cfws(p) && at_end_of_element(p);
}

static bool
take_element(struct parser *p)
{
	size_t begin = p->at;
	bool has_at = false, empty = true;

	while (!at_end_of_element(p)) {
		uint8_t c = peek(p);

		if (c == '<')
			return take_angle(p);
		if (c == '(' || c == '"') {
			if (!(c == '(' ? skip_comment(p) : skip_quoted(p)))
				return false;
			empty = empty && c == '(';
			continue;
		}
		/* A group (RFC 6854), or a phrase that is written like the beginning of one. */
		if (c == ':') {
			if (has_at)
				return false;
			begin = p->at + 1;
			empty = true;
			p->phrase = false;
		} else if (c == '>' || c == '\\' || c == '\0' || c == 127) {
			return false;
		} else if (!is_space(c)) {
			has_at = has_at || c == '@';
			empty = false;
		}
		p->at++;
	}
	return take_bare(p, begin, has_at, empty);
}

static enum from_status
parse(struct parser *p)
{
	struct from_authors *a = p->authors;

	while (more(p)) {
		if (!take_element(p))
			return a->status == FROM_SEVERAL ? FROM_SEVERAL : FROM_MALFORMED;
		p->at++; /* the separator */
	}
	if (p->phrase)
		return FROM_MALFORMED;
	if (!p->any)
		return FROM_MISSING;
	return a->count > 0 ? FROM_GOOD : FROM_NO_DOMAIN;
}

void
from_parse(struct span value, struct from_authors *authors_out)
{
	struct parser p = {.in = value, .authors = authors_out};

	authors_out->count = 0;
	authors_out->status = FROM_MALFORMED;
	if (value.len <= FROM_VALUE_MAX)
		authors_out->status = parse(&p);
	if (authors_out->status != FROM_GOOD)
		authors_out->count = 0;
}

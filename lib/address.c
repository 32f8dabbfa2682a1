#include "lib/address.h"

#include "lib/ip.h"
#include "lib/utf8.h"

/*
 * RFC 5322 3.2.3 atext: letters, digits and !#$%&'*+-/=?^_`{|}~, as a set of bits; RFC 6531 3.3 adds
 * all that is not ASCII.
 */
static bool
is_atext(uint8_t c)
{
	static const uint64_t set[4] = {
	    UINT64_C(0xa3ffacfa00000000), UINT64_C(0x7fffffffc7fffffe), UINT64_MAX, UINT64_MAX};

	return (set[c / 64] >> (c % 64) & 1) != 0;
}

static bool
is_printable(uint8_t c)
{
	return c >= 32 && c != 127;
}

static bool
has_non_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 0x80)
			return true;
	return false;
}

bool
address_domain_ok(struct span domain)
{
	size_t label = 0;

	if (domain.len < 1 || domain.len > ADDRESS_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < domain.len; i++) {
		uint8_t c = domain.p[i];

		if (c == '.') {
			if (label == 0 || domain.p[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '_' &&
		    (c != '-' || label == 0))
			return false;
		if (++label > ADDRESS_LABEL_MAX)
			return false;
	}
	return label > 0 && domain.p[domain.len - 1] != '-';
}

bool
address_literal_ok(struct span literal)
{
	static const struct span tag = SPAN("IPv6:");
	struct span inner;
	struct ip ip;
	bool v6;

	if (literal.len < 2 || literal.p[0] != '[' || literal.p[literal.len - 1] != ']')
		return false;
	inner = span_of(literal.p + 1, literal.len - 2);
	v6 = span_eq_nocase(span_head(inner, tag.len), tag);
	if (v6)
		inner = span_from(inner, tag.len);
	return (span_find(inner, ':') < inner.len) == v6 && ip_parse(inner, &ip);
}

/* Dot-string of RFC 5321 4.1.2; dots may also stand first, last and together, as some carriers send. */
static size_t
dot_string_len(struct span s)
{
	size_t n = 0;

	while (n < s.len && (is_atext(s.p[n]) || s.p[n] == '.'))
		n++;
	return n;
}

/*
 * Quoted-string  = DQUOTE *(qtextSMTP / quoted-pairSMTP) DQUOTE    RFC 5321 4.1.2
 * quoted-pairSMTP = %d92 %d32-126
 * qtextSMTP      = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii     RFC 6531 3.3
 *
 * Out: the unquoted octets in local, cap ADDRESS_LOCAL_MAX.
 * Returns: octets of text that the quoted string takes, or 0.
 */
static size_t
unquote(struct span text, struct buf *local)
{
	size_t i = 1;

	while (i < text.len && text.p[i] != '"') {
		if (text.p[i] == '\\' && (++i == text.len || text.p[i] >= 0x80))
			return 0;
		if (!is_printable(text.p[i]))
			return 0;
		buf_put_u8(local, text.p[i++]);
	}
	return i < text.len ? i + 1 : 0;
}

/* The local part, unquoted. Returns: octets of text it takes, or 0 when it is malformed. */
static size_t
take_local(struct span text, struct buf *local)
{
	size_t n;

	if (text.len > 0 && text.p[0] == '"')
		return unquote(text, local);
	n = dot_string_len(text);
	buf_put(local, text.p, n);
	return n;
}

/*
 * sub-domain =/ U-label, RFC 6531 3.3: whether it is one, idn.h tells who needs the name. Here, what
 * is ASCII in it must be of a domain, and no label may be empty.
 */
static bool
utf8_domain_ok(struct span domain)
{
	uint8_t before = '.';

	for (size_t i = 0; i < domain.len; i++) {
		uint8_t c = domain.p[i];

		if (c == '.' ? before == '.'
			     : c < 0x80 && c != '-' && c != '_' && !ascii_is_alpha(c) &&
				   !ascii_is_digit(c))
			return false;
		before = c;
	}
	return before != '.';
}

static bool
domain_ok(struct span domain)
{
	return address_domain_ok(domain) || address_literal_ok(domain) ||
	       (has_non_ascii(domain) && utf8_domain_ok(domain));
}

static enum address_status
set_domain(struct span domain, struct address *a)
{
	if (domain.len > ADDRESS_DOMAIN_MAX)
		return ADDRESS_LENGTH;
	if (!domain_ok(domain))
		return ADDRESS_SYNTAX;
	a->octets[a->local_len] = '@';
	memcpy(a->octets + a->local_len + 1, domain.p, domain.len);
	a->len = (uint16_t)(a->local_len + 1 + domain.len);
	return ADDRESS_OK;
}

/* Mailbox = Local-part "@" ( Domain / address-literal )    RFC 5321 4.1.2 */
static enum address_status
parse_mailbox(struct span text, struct address *a)
{
	struct buf local = buf_over(a->octets, ADDRESS_LOCAL_MAX);
	size_t n;

	a->utf8 = has_non_ascii(text);
	if (a->utf8 && !utf8_printable(text))
		return ADDRESS_NON_ASCII;
	if (text.len > 0 && text.p[0] == '@' && span_find(text, ':') < text.len)
		return ADDRESS_ROUTE;
	n = take_local(text, &local);
	if (n == 0 || n == text.len || text.p[n] != '@')
		return ADDRESS_SYNTAX;
	if (local.full)
		return ADDRESS_LENGTH;
	if (local.len == 0)
		return ADDRESS_SYNTAX;
	a->local_len = (uint16_t)local.len;
	return set_domain(span_from(text, n + 1), a);
}

static bool
is_postmaster(struct span text)
{
	return span_eq_nocase(text, SPAN("postmaster"));
}

static enum address_status
set_bare(struct span text, struct address *a)
{
	if (text.len > 0)
		memcpy(a->octets, text.p, text.len);
	a->len = a->local_len = (uint16_t)text.len;
	a->utf8 = false;
	return ADDRESS_OK;
}

/* An address that is not ADDRESS_OK must not be mistaken for one: it is left empty. */
static enum address_status
settle(enum address_status status, struct address *a)
{
	if (status != ADDRESS_OK)
		a->len = a->local_len = 0;
	return status;
}

enum address_status
address_parse_reverse(struct span text, struct address *a_out)
{
	if (text.len == 0)
		return set_bare(text, a_out);
	return settle(parse_mailbox(text, a_out), a_out);
}

enum address_status
address_parse_forward(struct span text, struct address *a_out)
{
	if (is_postmaster(text))
		return set_bare(text, a_out);
	return settle(parse_mailbox(text, a_out), a_out);
}

static enum address_status
from_inside(struct span inside, struct address *a)
{
	size_t at = span_find_last(inside, '@');

	a->utf8 = has_non_ascii(inside);
	if (a->utf8 && !utf8_printable(inside))
		return ADDRESS_NON_ASCII;
	if (at == inside.len || at == 0)
		return ADDRESS_SYNTAX;
	if (at > ADDRESS_LOCAL_MAX)
		return ADDRESS_LENGTH;
	for (size_t i = 0; i < at; i++)
		if (!is_printable(inside.p[i]))
			return ADDRESS_SYNTAX;
	memcpy(a->octets, inside.p, at);
	a->local_len = (uint16_t)at;
	return set_domain(span_from(inside, at + 1), a);
}

enum address_status
address_from_inside(struct span inside, struct address *a_out)
{
	if (is_postmaster(inside))
		return set_bare(inside, a_out);
	return settle(from_inside(inside, a_out), a_out);
}

/* Strict Dot-string of RFC 5321 4.1.2: what may stand without quotes. */
static bool
stands_unquoted(struct span local)
{
	uint8_t before = '.';

	for (size_t i = 0; i < local.len; i++) {
		if (local.p[i] == '.' ? before == '.' : !is_atext(local.p[i]))
			return false;
		before = local.p[i];
	}
	return before != '.';
}

static void
put_quoted(struct buf *b, struct span local)
{
	buf_put_u8(b, '"');
	for (size_t i = 0; i < local.len; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			buf_put_u8(b, '\\');
		buf_put_u8(b, local.p[i]);
	}
	buf_put_u8(b, '"');
}

void
address_put_path(struct buf *b, struct span inside)
{
	size_t at = span_find_last(inside, '@');
	struct span local = span_head(inside, at);

	if (inside.len == 0)
		return;
	if (stands_unquoted(local))
		buf_put_span(b, local);
	else
		put_quoted(b, local);
	buf_put_span(b, span_from(inside, at));
}

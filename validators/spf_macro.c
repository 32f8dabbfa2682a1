#include "validators/spf_macro.h"

enum {
	NAME_MAX_OCTETS = 253,
	PARTS_MAX = 256,   /* of a value that is split */
	DIGITS_MAX = 1000, /* more parts than any value has */
	VALUE_MAX = 600,
};

/* One macro-expand: "%{" letter transformers "}", or one of %% %_ %-. */
struct macro {
	uint8_t letter; /* lower case; or the octet after "%" */
	bool braced, escape, reverse;
	unsigned keep; /* parts from the right, 0: all */
	struct span delimiters;
	size_t len; /* of the whole */
};

/* ---- grammar --------------------------------------------------------------------------------- */

/* RFC 7208 7.1 transformers: *DIGIT ["r"]; a number of zero is an error. */
static bool
parse_transformers(struct span text, size_t *at, struct macro *m)
{
	size_t digits = *at;
	unsigned n = 0;

	while (*at < text.len && ascii_is_digit(text.p[*at])) {
		if (n < DIGITS_MAX)
			n = n * 10 + (unsigned)(text.p[*at] - '0');
		++*at;
	}
	if (*at > digits && n == 0)
		return false;
	m->keep = n;
	m->reverse = *at < text.len && ascii_lower(text.p[*at]) == 'r';
	if (m->reverse)
		++*at;
	return true;
}

/* At "%{"; the letters are those that a domain-spec may have. */
static bool
parse_braced(struct span text, struct macro *m)
{
	size_t at = 3, delimiters;

	if (text.len < 4 || memchr("slodiphv", ascii_lower(text.p[2]), 8) == NULL)
		return false;
	m->braced = true;
	m->escape = text.p[2] != ascii_lower(text.p[2]);
	m->letter = ascii_lower(text.p[2]);
	if (!parse_transformers(text, &at, m))
		return false;
	delimiters = at;
	while (at < text.len && memchr(".-+,/_=", text.p[at], 7) != NULL)
		at++;
	m->delimiters = at > delimiters ? span_of(text.p + delimiters, at - delimiters) : SPAN(".");
	if (at >= text.len || text.p[at] != '}')
		return false;
	m->len = at + 1;
	return true;
}

/* At "%". */
static bool
parse_macro(struct span text, struct macro *m)
{
	*m = (struct macro){.len = 2};
	if (text.len < 2)
		return false;
	m->letter = text.p[1];
	return text.p[1] == '{' ? parse_braced(text, m) : memchr("%_-", text.p[1], 3) != NULL;
}

/* Out: *tail_out, where the text after the last macro begins; *braced_out, that one is %{...}. */
static bool
parse_string(struct span text, size_t *tail_out, bool *braced_out)
{
	struct macro m;
	size_t at = 0;

	*tail_out = 0;
	*braced_out = false;
	while (at < text.len) {
		if (text.p[at] != '%') {
			if (text.p[at] <= ' ' || text.p[at] > '~')
				return false;
			at++;
			continue;
		}
		if (!parse_macro(span_from(text, at), &m))
			return false;
		at += m.len;
		*tail_out = at;
		*braced_out = m.braced;
	}
	return true;
}

bool
spf_macro_string_ok(struct span text)
{
	size_t tail;
	bool braced;

	return parse_string(text, &tail, &braced);
}

/* RFC 7208 7.1 toplabel: letters, digits and "-", not all digits, no "-" at either end. */
static bool
is_top_label(struct span label)
{
	bool other_than_digit = false;

	if (label.len == 0 || label.p[0] == '-' || label.p[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		uint8_t c = label.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-')
			return false;
		if (!ascii_is_digit(c))
			other_than_digit = true;
	}
	return other_than_digit;
}

/* domain-end = ( "." toplabel [ "." ] ) / macro-expand */
bool
spf_domain_spec_ok(struct span text)
{
	size_t tail, dot;
	bool braced;
	struct span end;

	if (text.len == 0 || !parse_string(text, &tail, &braced))
		return false;
	if (tail == text.len)
		return braced;
	end = span_from(text, tail);
	if (end.p[end.len - 1] == '.')
		end.len--;
	dot = span_find_last(end, '.');
	return dot < end.len && is_top_label(span_from(end, dot + 1));
}

/* ---- values ---------------------------------------------------------------------------------- */

static void
put_nibbles(struct buf *b, const struct ip *ip)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < IP_LEN; i++) {
		if (i > 0)
			buf_put_u8(b, '.');
		buf_put_u8(b, (uint8_t)hex[ip->octets[i] >> 4]);
		buf_put_u8(b, '.');
		buf_put_u8(b, (uint8_t)hex[ip->octets[i] & 15]);
	}
}

/* %{i}: dotted quad, or the nibbles of IPv6, RFC 7208 7.3 */
static void
put_ip(struct buf *b, const struct spf_macro_facts *f)
{
	if (ip_is_v4(&f->client))
		ip_put(b, &f->client);
	else
		put_nibbles(b, &f->client);
}

static void
put_sender(struct buf *b, const struct spf_macro_facts *f)
{
	buf_put_span(b, f->local);
	buf_put_u8(b, '@');
	buf_put_span(b, f->sender_domain);
}

static void
put_local(struct buf *b, const struct spf_macro_facts *f)
{
	buf_put_span(b, f->local);
}

static void
put_sender_domain(struct buf *b, const struct spf_macro_facts *f)
{
	buf_put_span(b, f->sender_domain);
}

static void
put_domain(struct buf *b, const struct spf_macro_facts *f)
{
	buf_put_span(b, f->domain);
}

static void
put_helo(struct buf *b, const struct spf_macro_facts *f)
{
	buf_put_span(b, f->helo);
}

static void
put_validated(struct buf *b, const struct spf_macro_facts *f)
{
	buf_put_span(b, f->validated(f->arg, f->domain));
}

static void
put_version(struct buf *b, const struct spf_macro_facts *f)
{
	buf_put_str(b, ip_is_v4(&f->client) ? "in-addr" : "ip6");
}

static const struct {
	uint8_t letter;
	void (*put)(struct buf *b, const struct spf_macro_facts *f);
} values[] = {
    {'s', put_sender},
    {'l', put_local},
    {'o', put_sender_domain},
    {'d', put_domain},
    {'i', put_ip},
    {'p', put_validated},
    {'h', put_helo},
    {'v', put_version},
};

static void
put_value(struct buf *b, uint8_t letter, const struct spf_macro_facts *f)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (values[i].letter == letter)
			values[i].put(b, f);
}

/* ---- transformation -------------------------------------------------------------------------- */

static size_t
split(struct span value, struct span delimiters, struct span parts[PARTS_MAX])
{
	size_t n = 0, from = 0;

	for (size_t i = 0; i <= value.len; i++) {
		if (i < value.len && span_find(delimiters, value.p[i]) == delimiters.len)
			continue;
		if (n == PARTS_MAX)
			return 0;
		parts[n++] = span_of(value.p + from, i - from);
		from = i + 1;
	}
	return n;
}

/* RFC 7208 7.3: an upper-case letter asks for URL escaping. */
static void
put_escaped(struct buf *b, struct span s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];

		if (ascii_is_alpha(c) || ascii_is_digit(c) || memchr("-._~", c, 4) != NULL) {
			buf_put_u8(b, c);
			continue;
		}
		buf_put_u8(b, '%');
		buf_put_u8(b, (uint8_t)hex[c >> 4]);
		buf_put_u8(b, (uint8_t)hex[c & 15]);
	}
}

static void
put_parts(struct buf *b, const struct macro *m, const struct span *parts, size_t n)
{
	size_t from = m->keep > 0 && m->keep < n ? n - m->keep : 0;

	for (size_t i = from; i < n; i++) {
		struct span part = m->reverse ? parts[n - 1 - i] : parts[i];

		if (i > from)
			buf_put_u8(b, '.');
		if (m->escape)
			put_escaped(b, part);
		else
			buf_put_span(b, part);
	}
}

static void
put_braced(struct buf *b, const struct macro *m, const struct spf_macro_facts *facts)
{
	struct span parts[PARTS_MAX];
	uint8_t room[VALUE_MAX];
	struct buf value = BUF_OVER(room);
	size_t n;

	put_value(&value, m->letter, facts);
	n = split(buf_span(&value), m->delimiters, parts);
	if (value.full || n == 0)
		b->full = true;
	else
		put_parts(b, m, parts, n);
}

static void
put_literal(struct buf *b, uint8_t letter)
{
	if (letter == '%')
		buf_put_u8(b, '%');
	else
		buf_put_str(b, letter == '_' ? " " : "%20");
}

void
spf_macro_expand(struct span text, const struct spf_macro_facts *facts, struct buf *b)
{
	struct macro m;

	while (text.len > 0 && !b->full) {
		size_t plain = span_find(text, '%');

		buf_put_span(b, span_head(text, plain));
		text = span_from(text, plain);
		if (text.len == 0)
			return;
		if (!parse_macro(text, &m)) {
			b->full = true; /* it was not checked; nobody gets half of it */
			return;
		}
		if (m.braced)
			put_braced(b, &m, facts);
		else
			put_literal(b, m.letter);
		text = span_from(text, m.len);
	}
}

struct span
spf_name_trim(struct span name)
{
	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	while (name.len > NAME_MAX_OCTETS) {
		size_t dot = span_find(name, '.');

		if (dot == name.len)
			break;
		name = span_from(name, dot + 1);
	}
	return name;
}

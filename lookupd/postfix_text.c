#include "lookupd/postfix_text.h"

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_in(struct span set, uint8_t c)
{
	return span_find(set, c) < set.len;
}

/* ---- parts ------------------------------------------------------------------------------------- */

void
postfix_address_set(struct postfix_address *a, struct span octets)
{
	struct span head = span_head(octets, sizeof(a->octets));

	if (head.len > 0)
		memmove(a->octets, head.p, head.len);
	a->len = head.len;
	a->overlong = head.len < octets.len;
}

void
postfix_address_join(struct postfix_address *a, struct span local, struct span domain)
{
	uint8_t octets[sizeof(a->octets)];
	struct buf b = BUF_OVER(octets);

	buf_put_span(&b, local);
	buf_put_u8(&b, '@');
	buf_put_span(&b, domain);
	postfix_address_set(a, buf_span(&b));
	a->overlong = b.full;
}

bool
postfix_has_domain(struct span address)
{
	return span_find_last(address, '@') < address.len;
}

struct span
postfix_local(struct span address)
{
	return span_head(address, span_find_last(address, '@'));
}

struct span
postfix_domain(struct span address)
{
	return span_from(address, span_find_last(address, '@') + 1);
}

bool
postfix_begins(struct span s, struct span prefix)
{
	return span_eq_nocase(span_head(s, prefix.len), prefix);
}

/* split_addr(): cut at the first octet of the set, unless nothing would be left of the name. */
size_t
postfix_split(
    struct span local, struct span delimiters, bool owner_request, struct span double_bounce)
{
	size_t at = 0;

	if (span_eq_nocase(local, SPAN("postmaster")) ||
	    span_eq_nocase(local, SPAN("mailer-daemon")) || span_eq_nocase(local, double_bounce))
		return local.len;
	if (owner_request && is_in(delimiters, '-')) {
		if (postfix_begins(local, SPAN("owner-")))
			return local.len;
		if (local.len > 8 &&
		    span_eq_nocase(span_from(local, local.len - 8), SPAN("-request")))
			return local.len;
	}
	while (at < local.len && !is_in(delimiters, local.p[at]))
		at++;
	return at == 0 ? local.len : at;
}

bool
postfix_next_word(struct span *rest, struct span *word_out)
{
	size_t at = 0, begin;
	unsigned depth = 0;

	while (at < rest->len && (is_blank(rest->p[at]) || rest->p[at] == ','))
		at++;
	begin = at;
	while (at < rest->len && (depth > 0 || (!is_blank(rest->p[at]) && rest->p[at] != ','))) {
		if (rest->p[at] == '{')
			depth++;
		else if (rest->p[at] == '}' && depth > 0)
			depth--;
		at++;
	}
	*word_out = span_of(rest->p + begin, at - begin);
	*rest = span_from(*rest, at);
	return word_out->len > 0;
}

/* ---- quoting ------------------------------------------------------------------------------------- */

/* is_822_dot_string() with eight-bit characters as they are. */
static bool
is_dot_string(struct span local)
{
	if (local.len == 0 || local.p[0] == '.' || local.p[local.len - 1] == '.')
		return false;
	for (size_t i = 0; i < local.len; i++) {
		if (local.p[i] <= ' ' || local.p[i] == 0x7f ||
		    is_in(SPAN("()<>@,;:\\\"[]"), local.p[i]))
			return false;
		if (local.p[i] == '.' && local.p[i + 1] == '.')
			return false;
	}
	return true;
}

void
postfix_put_quoted(struct buf *b, struct span address)
{
	struct span local = postfix_local(address);

	if (is_dot_string(local)) {
		buf_put_span(b, address);
		return;
	}
	buf_put_u8(b, '"');
	for (size_t i = 0; i < local.len; i++) {
		if (is_in(SPAN("\"\\\r"), local.p[i]))
			buf_put_u8(b, '\\');
		buf_put_u8(b, local.p[i]);
	}
	buf_put_u8(b, '"');
	buf_put_span(b, span_from(address, local.len));
}

/* ---- lists of addresses ---------------------------------------------------------------------------- */

/* An address under construction; a text is a row of words and operators (tok822_parse). */
struct composer {
	struct postfix_address *a;
	bool word;  /* the last token was a word: another one begins a new address */
	bool any;   /* there was a token */
	bool angle; /* between < and > nothing separates */
};

static void
put(struct composer *c, uint8_t octet)
{
	if (c->a->len < sizeof(c->a->octets))
		c->a->octets[c->a->len++] = octet;
	else
		c->a->overlong = true;
}

/* Returns: the octets of a comment, which may hold others. */
static size_t
comment_len(struct span rest)
{
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < rest.len; i++) {
		if (rest.p[i] == '\\' && i + 1 < rest.len)
			i++;
		else if (rest.p[i] == '(')
			depth++;
		else if (rest.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return i;
}

/* Returns: the octets of the token "..." or [...], whose inside (or whole) is put. */
static size_t
take_enclosed(struct composer *c, struct span rest, uint8_t end, bool keep)
{
	size_t i = 1;

	if (keep)
		put(c, rest.p[0]);
	for (; i < rest.len && rest.p[i] != end; i++) {
		if (rest.p[i] == '\\' && i + 1 < rest.len)
			i++;
		put(c, rest.p[i]);
	}
	if (keep)
		put(c, end);
	return i < rest.len ? i + 1 : i;
}

static size_t
take_atom(struct composer *c, struct span rest)
{
	size_t i = 0;

	for (; i < rest.len && !is_blank(rest.p[i]) && !is_in(SPAN("|%!()<>@,;:\".[]"), rest.p[i]);
	     i++) {
		if (rest.p[i] == '\\' && i + 1 < rest.len)
			i++;
		put(c, rest.p[i]);
	}
	return i;
}

/* Puts one token that is part of an address. Returns: its octets. */
static size_t
take_token(struct composer *c, struct span rest)
{
	size_t n;

	c->any = true;
	if (is_in(SPAN("|%!@:.)]"), rest.p[0])) {
		put(c, rest.p[0]);
		c->word = false;
		return 1;
	}
	if (rest.p[0] == '"')
		n = take_enclosed(c, rest, '"', false);
	else if (rest.p[0] == '[')
		n = take_enclosed(c, rest, ']', true);
	else
		n = take_atom(c, rest);
	c->word = true;
	return n;
}

/* What may follow at `rest` in the same address: false when it is complete. */
static bool
goes_on(struct composer *c, struct span *rest)
{
	uint8_t first = rest->p[0];

	if (first == '>' && c->angle) {
		*rest = span_from(*rest, 1);
		return false;
	}
	if (!c->angle && (first == ',' || first == ';') && c->any)
		return false;
	return c->angle || !c->word || is_in(SPAN("|%!@:.)]<>"), first);
}

/* Returns: where the "<" is that what stands here is only the name of; 0 when there is none. */
static size_t
name_len(struct span rest)
{
	for (size_t i = 0; i < rest.len; i++) {
		if (rest.p[i] == '<')
			return i;
		if (is_in(SPAN(",;:>"), rest.p[i]))
			return 0;
		if (rest.p[i] == '(')
			i += comment_len(span_from(rest, i)) - 1;
		else if (rest.p[i] == '"')
			for (i++; i < rest.len && rest.p[i] != '"'; i++)
				i += rest.p[i] == '\\' ? 1 : 0;
	}
	return 0;
}

bool
postfix_next_address(struct span *rest, struct postfix_address *a_out)
{
	struct composer c = {.a = a_out};

	a_out->len = 0;
	a_out->overlong = false;
	while (rest->len > 0 && (is_blank(rest->p[0]) || is_in(SPAN(",;"), rest->p[0])))
		*rest = span_from(*rest, 1);
	*rest = span_from(*rest, name_len(*rest));
	while (rest->len > 0) {
		uint8_t first = rest->p[0];
		size_t n = 1;

		if (first == '(')
			n = comment_len(*rest);
		else if (is_blank(first))
			n = 1;
		else if (!goes_on(&c, rest))
			return true;
		else if (first == '<' && !c.angle && !c.any)
			c.any = c.angle = true;
		else if (first == ',' || first == ';' || first == '<' || first == '>') {
			if (c.angle)
				put(&c, first);
		} else
			n = take_token(&c, *rest);
		*rest = span_from(*rest, n);
	}
	return c.any;
}

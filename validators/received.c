#include "validators/received.h"

#include "lib/address.h"

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct span
skip_spaces(struct span s)
{
	while (s.len > 0 && is_space(s.p[0]))
		s = span_from(s, 1);
	return s;
}

/* What stands before white space or a parenthesis. */
static struct span
word_of(struct span s)
{
	size_t n = 0;

	while (n < s.len && !is_space(s.p[n]) && s.p[n] != '(' && s.p[n] != ')')
		n++;
	return span_head(s, n);
}

/* In: text, behind "[". */
static bool
take_literal(struct span text, struct ip *ip_out)
{
	const struct span v6 = SPAN("IPv6:");
	struct span inside = span_head(text, span_find(text, ']'));

	if (inside.len == text.len)
		return false;
	if (span_eq_nocase(span_head(inside, v6.len), v6))
		inside = span_from(inside, v6.len);
	return ip_parse(inside, ip_out);
}

/*
 * The address in a comment, as in (name [192.0.2.1]). One behind "=" is what the client said of
 * itself, as in ([192.0.2.1] helo=[10.0.0.1]).
 */
static bool
take_from_comment(struct span comment, struct ip *ip_out)
{
	for (size_t i = 1; i < comment.len; i++)
		if (comment.p[i] == '[' && comment.p[i - 1] != '=')
			return take_literal(span_from(comment, i + 1), ip_out);
	return false;
}

bool
received_parse(struct span value, struct received_client *client_out)
{
	struct span rest = skip_spaces(value), word = word_of(rest), comment;

	if (!span_eq_nocase(word, SPAN("from")))
		return false;
	rest = skip_spaces(span_from(rest, word.len));
	word = word_of(rest);
	client_out->helo = address_domain_ok(word) ? word : span_of(NULL, 0);
	rest = span_from(rest, word.len);
	/* A HELO name that brings its own comment: no relay that checks it writes this. */
	if (rest.len > 0 && !is_space(rest.p[0]))
		return false;
	rest = skip_spaces(rest);
	comment = span_head(rest, rest.len > 0 && rest.p[0] == '(' ? span_find(rest, ')') : 0);
	if (take_from_comment(comment, &client_out->ip))
		return true;
	/* from [192.0.2.1] (helo=name): of a client without a reverse name */
	return word.len > 0 && word.p[0] == '[' &&
	       (comment.len == 0 || span_eq_nocase(span_head(comment, 6), SPAN("(helo="))) &&
	       take_literal(span_from(word, 1), &client_out->ip);
}

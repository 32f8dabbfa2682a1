#include "smtpd/parameters.h"

static struct span
skip_spaces(struct span s)
{
	while (s.len > 0 && s.p[0] == ' ')
		s = span_from(s, 1);
	return s;
}

/* Index of the ">" that closes a path, quoted strings skipped; s.len when there is none. */
static size_t
find_close(struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (quoted && s.p[i] == '\\')
			i++;
		else if (!quoted && s.p[i] == '>')
			return i;
	}
	return s.len;
}

enum path_status
path_split(
    struct span argument, struct span word, struct span *path_out, struct span *parameters_out)
{
	struct span rest;
	size_t close;

	if (!span_eq_nocase(span_head(argument, word.len), word))
		return PATH_NO_PATH;
	rest = skip_spaces(span_from(argument, word.len));
	if (rest.len == 0 || rest.p[0] != '<')
		return PATH_NO_PATH;
	rest = span_from(rest, 1);
	close = find_close(rest);
	if (close == rest.len)
		return PATH_MALFORMED;
	*path_out = span_head(rest, close);
	*parameters_out = span_from(rest, close + 1);
	return parameters_out->len > 0 && parameters_out->p[0] != ' ' ? PATH_MALFORMED : PATH_OK;
}

static bool
keyword_ok(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && (s.p[i] != '-' || i == 0))
			return false;
	return s.len > 0;
}

static bool
value_ok(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 33 || s.p[i] > 126 || s.p[i] == '=')
			return false;
	return s.len > 0;
}

enum parameter_status
parameter_next(struct span *rest, struct parameter *p_out)
{
	struct span word;
	size_t equals;

	*rest = skip_spaces(*rest);
	if (rest->len == 0)
		return PARAMETER_END;
	word = span_head(*rest, span_find(*rest, ' '));
	*rest = span_from(*rest, word.len);
	equals = span_find(word, '=');
	p_out->keyword = span_head(word, equals);
	p_out->has_value = equals < word.len;
	p_out->value = span_from(word, equals + 1);
	if (!keyword_ok(p_out->keyword) || (p_out->has_value && !value_ok(p_out->value)))
		return PARAMETER_MALFORMED;
	return PARAMETER_OK;
}

#include "lib/span.h"

size_t
span_find_last(struct span s, uint8_t c)
{
	const uint8_t *at = s.len > 0 ? memrchr(s.p, c, s.len) : NULL;

	return at != NULL ? (size_t)(at - s.p) : s.len;
}

bool
span_is_ascii(struct span s)
{
	uint64_t seen = 0, word;
	size_t i = 0;

	for (; i + sizeof(word) <= s.len; i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		seen |= word;
	}
	for (; i < s.len; i++)
		seen |= s.p[i];
	return (seen & 0x8080808080808080u) == 0;
}

bool
span_eq_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool
span_decimal(struct span s, uint64_t max, uint64_t *value_out)
{
	uint64_t value = 0;

	if (s.len < 1 || s.len > 20)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.p[i]))
			return false;
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s.p[i] - '0'), &value))
			return false;
	}
	if (value > max)
		return false;
	*value_out = value;
	return true;
}

struct span
span_take_word(struct span *rest)
{
	struct span word;

	while (rest->len > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t'))
		*rest = span_from(*rest, 1);
	for (word = span_of(rest->p, 0); word.len < rest->len; word.len++)
		if (rest->p[word.len] == ' ' || rest->p[word.len] == '\t')
			break;
	*rest = span_from(*rest, word.len);
	return word;
}

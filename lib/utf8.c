#include "lib/utf8.h"

/* Octets of a character by its first octet; 0: none begins so. */
static size_t
length_of(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Neither overlong, nor a surrogate, nor above U+10FFFF: the second octet tells. */
static bool
second_ok(uint8_t first, uint8_t second)
{
	uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

	return second >= least && second <= most;
}

size_t
utf8_char(struct span s)
{
	size_t len = s.len > 0 ? length_of(s.p[0]) : 0;

	if (len == 0 || len > s.len || (len > 1 && !second_ok(s.p[0], s.p[1])))
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool
utf8_printable(struct span s)
{
	while (s.len > 0) {
		size_t n = utf8_char(s);

		if (n == 0 || s.p[0] < ' ' || s.p[0] == 0x7f || (s.p[0] == 0xc2 && s.p[1] < 0xa0))
			return false;
		s = span_from(s, n);
	}
	return true;
}

#include "lib/buf.h"

#include <stdarg.h>
#include <stdio.h>

void
buf_put_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

/*
 * Eight octets at once, each without regard to its neighbours: the highest bit of what is added
 * to the lower seven says whether they are beyond "@" or beyond "Z".
 */
static uint64_t
lower_word(uint64_t word)
{
	const uint64_t each = 0x0101010101010101u, high = 0x80 * each;
	uint64_t low = word & ~high;
	uint64_t beyond_at = low + (0x80 - 'A') * each, beyond_z = low + (0x80 - 'Z' - 1) * each;
	uint64_t upper = (beyond_at ^ beyond_z) & ~word & high;

	return word | upper >> 2;
}

void
buf_put_lower(struct buf *b, struct span s)
{
	uint8_t *at = buf_claim(b, s.len);
	size_t i = 0;

	if (at == NULL)
		return;
	for (; i + sizeof(uint64_t) <= s.len; i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, s.p + i, sizeof(word));
		word = lower_word(word);
		memcpy(at + i, &word, sizeof(word));
	}
	for (; i < s.len; i++)
		at[i] = ascii_lower(s.p[i]);
}

void
buf_put_decimal(struct buf *b, uint64_t v)
{
	uint8_t digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (uint8_t)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	buf_put(b, digits + at, sizeof(digits) - at);
}

void
buf_printf(struct buf *b, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text)) {
		b->full = true;
		return;
	}
	buf_put(b, text, (size_t)n);
}

#include "lib/buf.h"

#include <stdarg.h>
#include <stdio.h>

/* Returns: where n octets may be written, or NULL and the buffer is full. */
static uint8_t *
claim(struct buf *b, size_t n)
{
	uint8_t *at;

	if (b->full || n > b->cap - b->len) {
		b->full = true;
		return NULL;
	}
	at = b->p + b->len;
	b->len += n;
	return at;
}

void
buf_put(struct buf *b, const void *p, size_t len)
{
	uint8_t *at = claim(b, len);

	if (at != NULL && len > 0)
		memcpy(at, p, len);
}

void
buf_put_span(struct buf *b, struct span s)
{
	buf_put(b, s.p, s.len);
}

void
buf_put_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_put_lower(struct buf *b, struct span s)
{
	uint8_t *at = claim(b, s.len);

	if (at == NULL)
		return;
	for (size_t i = 0; i < s.len; i++)
		at[i] = ascii_lower(s.p[i]);
}

/* Little-endian, n octets. */
static void
put_le(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *at = claim(b, n);

	if (at == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

void
buf_put_u8(struct buf *b, uint8_t v)
{
	put_le(b, v, 1);
}

void
buf_put_u16(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void
buf_put_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
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

bool
cursor_bytes(struct cursor *c, size_t len, struct span *s_out)
{
	if (len > c->left)
		return false;
	*s_out = span_of(c->p, len);
	if (len > 0)
		c->p += len;
	c->left -= len;
	return true;
}

static bool
get_le(struct cursor *c, size_t n, uint64_t *v_out)
{
	struct span s;
	uint64_t v = 0;

	if (!cursor_bytes(c, n, &s))
		return false;
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)s.p[i] << (8 * i);
	*v_out = v;
	return true;
}

bool
cursor_u8(struct cursor *c, uint8_t *v_out)
{
	uint64_t v;

	if (!get_le(c, 1, &v))
		return false;
	*v_out = (uint8_t)v;
	return true;
}

bool
cursor_u16(struct cursor *c, uint16_t *v_out)
{
	uint64_t v;

	if (!get_le(c, 2, &v))
		return false;
	*v_out = (uint16_t)v;
	return true;
}

bool
cursor_u32(struct cursor *c, uint32_t *v_out)
{
	uint64_t v;

	if (!get_le(c, 4, &v))
		return false;
	*v_out = (uint32_t)v;
	return true;
}

bool
cursor_u64(struct cursor *c, uint64_t *v_out)
{
	return get_le(c, 8, v_out);
}

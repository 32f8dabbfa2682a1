/*
 * Bounded writing and reading of octets.
 *
 * struct buf writes into memory that the caller owns and never beyond it: what does not
 * fit is not written at all and sets `full`, which stays set, so that a whole composition
 * needs one check at its end. struct cursor reads and does not move when it fails.
 * Integers are little-endian.
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <endian.h>

#include "lib/span.h"

struct buf {
	uint8_t *p;
	size_t len; /* octets written */
	size_t cap; /* octets that fit */
	bool full;  /* something did not fit; nothing has been written since */
};

/*
 * Of an array that is read only up to where it has been written: the compiler need not clear it
 * first (-ftrivial-auto-var-init), which can take longer than what is done with it.
 */
#ifdef __has_attribute
#if __has_attribute(uninitialized)
#define BUF_ROOM __attribute__((uninitialized))
#endif
#endif
#ifndef BUF_ROOM
#define BUF_ROOM
#endif

#define BUF_OVER(array) ((struct buf){(array), 0, sizeof(array), false})

static inline struct buf
buf_over(void *p, size_t cap)
{
	return (struct buf){p, 0, cap, false};
}

static inline struct span
buf_span(const struct buf *b)
{
	return span_of(b->p, b->len);
}

/* Returns: where n octets may be written, or NULL and the buffer is full. */
static inline uint8_t *
buf_claim(struct buf *b, size_t n)
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

static inline void
buf_put(struct buf *b, const void *p, size_t len)
{
	uint8_t *at = buf_claim(b, len);

	if (at != NULL && len > 0)
		memcpy(at, p, len);
}

static inline void
buf_put_span(struct buf *b, struct span s)
{
	buf_put(b, s.p, s.len);
}

static inline void
buf_put_u8(struct buf *b, uint8_t v)
{
	uint8_t *at = buf_claim(b, 1);

	if (at != NULL)
		*at = v;
}

static inline void
buf_put_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_put(b, &v, sizeof(v));
}

static inline void
buf_put_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_put(b, &v, sizeof(v));
}

static inline void
buf_put_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_put(b, &v, sizeof(v));
}

void buf_put_str(struct buf *b, const char *s);
void buf_put_lower(struct buf *b, struct span s); /* ASCII letters lower-cased */
void buf_put_decimal(struct buf *b, uint64_t v);

/*
 * printf into the buffer; only for formats and arguments that hold no foreign octets
 * (those go through buf_put_span).
 */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct cursor {
	const uint8_t *p;
	size_t left; /* octets not read yet */
};

static inline struct cursor
cursor_over(struct span s)
{
	return (struct cursor){s.p, s.len};
}

/* Each returns false, and leaves the cursor where it was, when too few octets are left. */
static inline bool
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

static inline bool
cursor_u8(struct cursor *c, uint8_t *v_out)
{
	if (c->left == 0)
		return false;
	*v_out = *c->p++;
	c->left--;
	return true;
}

static inline bool
cursor_u16(struct cursor *c, uint16_t *v_out)
{
	uint16_t v;
	struct span s;

	if (!cursor_bytes(c, sizeof(v), &s))
		return false;
	memcpy(&v, s.p, sizeof(v));
	*v_out = le16toh(v);
	return true;
}

static inline bool
cursor_u32(struct cursor *c, uint32_t *v_out)
{
	uint32_t v;
	struct span s;

	if (!cursor_bytes(c, sizeof(v), &s))
		return false;
	memcpy(&v, s.p, sizeof(v));
	*v_out = le32toh(v);
	return true;
}

static inline bool
cursor_u64(struct cursor *c, uint64_t *v_out)
{
	uint64_t v;
	struct span s;

	if (!cursor_bytes(c, sizeof(v), &s))
		return false;
	memcpy(&v, s.p, sizeof(v));
	*v_out = le64toh(v);
	return true;
}

#endif

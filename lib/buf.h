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

#include "lib/span.h"

struct buf {
	uint8_t *p;
	size_t len; /* octets written */
	size_t cap; /* octets that fit */
	bool full;  /* something did not fit; nothing has been written since */
};

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

void buf_put(struct buf *b, const void *p, size_t len);
void buf_put_span(struct buf *b, struct span s);
void buf_put_str(struct buf *b, const char *s);
void buf_put_lower(struct buf *b, struct span s); /* ASCII letters lower-cased */
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
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
bool cursor_u8(struct cursor *c, uint8_t *v_out);
bool cursor_u16(struct cursor *c, uint16_t *v_out);
bool cursor_u32(struct cursor *c, uint32_t *v_out);
bool cursor_u64(struct cursor *c, uint64_t *v_out);
bool cursor_bytes(struct cursor *c, size_t len, struct span *s_out);

#endif

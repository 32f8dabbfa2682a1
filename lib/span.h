/*
 * Borrowed octets.
 *
 * A span never owns what it points to; the function that hands one out says how
 * long it stays valid. Foreign octets may hold any value, NUL included, and are
 * never NUL-terminated.
 */
#ifndef LIB_SPAN_H
#define LIB_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p; /* may be NULL when len is 0 */
	size_t len;       /* octets */
};

/* A span over the characters of a string literal. */
#define SPAN(literal) ((struct span){(const uint8_t *)("" literal), sizeof(literal) - 1})

static inline struct span
span_of(const void *p, size_t len)
{
	return (struct span){p, len};
}

/* A span over a C string; it lives as long as the string. NULL gives the empty span. */
static inline struct span
span_str(const char *s)
{
	return (struct span){(const uint8_t *)s, s != NULL ? strlen(s) : 0};
}

/* The octets from index `from` (clamped to the end) on. */
static inline struct span
span_from(struct span s, size_t from)
{
	if (from > s.len)
		from = s.len;
	return (struct span){s.len > 0 ? s.p + from : s.p, s.len - from};
}

/* The first `len` octets (clamped). */
static inline struct span
span_head(struct span s, size_t len)
{
	return (struct span){s.p, len < s.len ? len : s.len};
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Index of the first octet `c`, or s.len when there is none. */
static inline size_t
span_find(struct span s, uint8_t c)
{
	const uint8_t *at = s.len > 0 ? memchr(s.p, c, s.len) : NULL;

	return at != NULL ? (size_t)(at - s.p) : s.len;
}

/* Index of the last octet `c`, or s.len when there is none. */
size_t span_find_last(struct span s, uint8_t c);

/* No octet has its highest bit set. */
bool span_is_ascii(struct span s);

/* Equal when ASCII letters are compared without case. */
bool span_eq_nocase(struct span a, struct span b);

/* ASCII only, independent of the locale. */
static inline uint8_t
ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static inline bool
ascii_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_is_alpha(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/*
 * Reads a whole span as an unsigned decimal number.
 * Returns: true and *value_out, when it is 1 to 20 digits, fits, and is <= max.
 */
bool span_decimal(struct span s, uint64_t max, uint64_t *value_out);

/* Takes the first word off: spaces and tabs are between words. Returns: an empty one at the end. */
struct span span_take_word(struct span *rest);

#endif

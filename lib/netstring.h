/*
 * Netstrings (D. J. Bernstein, netstrings.txt): LENGTH ":" octets ",".
 *
 * netstring_reader is a parser that can stop and go on at any octet; it keeps the content
 * in memory of the caller and refuses what is longer.
 */
#ifndef LIB_NETSTRING_H
#define LIB_NETSTRING_H

#include "lib/buf.h"

/* Octets that the netstring around `len` octets of content takes. */
size_t netstring_size(size_t len);

/* Writes LENGTH ":"; the caller writes the octets and the comma. */
void netstring_put_head(struct buf *b, uint64_t len);

/* Writes a whole netstring. */
void netstring_put(struct buf *b, struct span content);

enum netstring_status { NETSTRING_MORE, NETSTRING_DONE, NETSTRING_BAD };

struct netstring_reader {
	uint8_t *p;    /* memory of the caller, cap octets */
	size_t cap;    /* longest content accepted */
	size_t length; /* announced by the peer, once in_content */
	size_t have;   /* octets of content read */
	unsigned digits;
	bool in_content;
};

void netstring_reader_init(struct netstring_reader *r, void *p, size_t cap);

/*
 * Feeds octets; reads up to the end of the netstring and no further.
 * Out: *used_out, how many octets of `in` were taken.
 * Returns: MORE (all taken), DONE (content is r->p, r->length octets), BAD (leading zero, no
 * digit, a length over cap, no comma at the end).
 */
enum netstring_status netstring_reader_feed(
    struct netstring_reader *r, struct span in, size_t *used_out);

#endif

/*
 * Memory that is taken piece by piece and freed as a whole.
 */
#ifndef LOOKUPD_POOL_H
#define LOOKUPD_POOL_H

#include "lib/span.h"

struct pool {
	struct pool_block *blocks;
};

/* Returns: zeroed memory aligned for any structure, or NULL when there is none. */
void *pool_take(struct pool *a, size_t len);

/* Returns: a copy of octets in the pool; p is NULL when memory is out (never for len 0). */
struct span pool_copy(struct pool *a, struct span octets);

/* Returns: a copy with a NUL behind it, or NULL. */
char *pool_string(struct pool *a, struct span octets);

/* Moves all that is in `from`, which is empty then, to `to`. */
void pool_join(struct pool *to, struct pool *from);

void pool_clear(struct pool *a);

#endif

/*
 * Memory of one fixed size, kept for the next taker, so that a command or a message costs no
 * call of the allocator.
 */
#ifndef SMTPD_POOL_H
#define SMTPD_POOL_H

#include <stddef.h>

struct pool_block {
	struct pool_block *next;
};

struct pool {
	size_t size;  /* octets of a block */
	size_t keep;  /* free blocks kept at most */
	size_t kept;  /* free blocks now */
	size_t taken; /* blocks that are out */
	struct pool_block *free;
};

void pool_init(struct pool *pool, size_t size, size_t keep);
void pool_clear(struct pool *pool);

/* Returns: a block owned by the caller, contents undefined; NULL when memory is out. */
void *pool_take(struct pool *pool);
void pool_give(struct pool *pool, void *block); /* takes NULL */

#endif

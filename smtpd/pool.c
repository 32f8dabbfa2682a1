#include "smtpd/pool.h"

#include <stdlib.h>

#include "lib/bug.h"

void
pool_init(struct pool *pool, size_t size, size_t keep)
{
	BUG_ON(size < sizeof(struct pool_block));
	*pool = (struct pool){.size = size, .keep = keep};
}

void
pool_clear(struct pool *pool)
{
	while (pool->free != NULL) {
		struct pool_block *block = pool->free;

		pool->free = block->next;
		free(block);
	}
	pool->kept = 0;
}

void *
pool_take(struct pool *pool)
{
	struct pool_block *block = pool->free;

	if (block != NULL) {
		pool->free = block->next;
		pool->kept--;
	} else {
		block = malloc(pool->size);
	}
	if (block != NULL)
		pool->taken++;
	return block;
}

void
pool_give(struct pool *pool, void *block)
{
	struct pool_block *b = block;

	if (b == NULL)
		return;
	BUG_ON(pool->taken == 0);
	pool->taken--;
	if (pool->kept >= pool->keep) {
		free(b);
		return;
	}
	b->next = pool->free;
	pool->free = b;
	pool->kept++;
}

#include "lookupd/pool.h"

#include <stdlib.h>

enum { BLOCK_LEN = 256 * 1024, ALIGNMENT = 16 };

struct pool_block {
	struct pool_block *next;
	size_t used, cap;
	_Alignas(ALIGNMENT) uint8_t octets[];
};

static struct pool_block *
block_new(struct pool *a, size_t cap)
{
	struct pool_block *b = malloc(sizeof(*b) + cap);

	if (b == NULL)
		return NULL;
	b->used = 0;
	b->cap = cap;
	/* One that is made for a single large piece stays behind the one that is being filled. */
	if (a->blocks != NULL && cap > BLOCK_LEN) {
		b->next = a->blocks->next;
		a->blocks->next = b;
	} else {
		b->next = a->blocks;
		a->blocks = b;
	}
	return b;
}

void *
pool_take(struct pool *a, size_t len)
{
	struct pool_block *b = a->blocks;
	size_t rounded = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	void *p;

	if (rounded < len || rounded > SIZE_MAX / 2)
		return NULL;
	if (b == NULL || b->cap - b->used < rounded)
		b = block_new(a, rounded > BLOCK_LEN ? rounded : BLOCK_LEN);
	if (b == NULL)
		return NULL;
	p = b->octets + b->used;
	b->used += rounded;
	return memset(p, 0, rounded);
}

struct span
pool_copy(struct pool *a, struct span octets)
{
	uint8_t *p;

	if (octets.len == 0)
		return SPAN("");
	p = pool_take(a, octets.len);
	if (p == NULL)
		return span_of(NULL, 0);
	memcpy(p, octets.p, octets.len);
	return span_of(p, octets.len);
}

char *
pool_string(struct pool *a, struct span octets)
{
	char *p = pool_take(a, octets.len + 1);

	if (p != NULL && octets.len > 0)
		memcpy(p, octets.p, octets.len);
	return p;
}

void
pool_join(struct pool *to, struct pool *from)
{
	struct pool_block **end = &from->blocks;

	while (*end != NULL)
		end = &(*end)->next;
	*end = to->blocks;
	to->blocks = from->blocks;
	from->blocks = NULL;
}

void
pool_clear(struct pool *a)
{
	while (a->blocks != NULL) {
		struct pool_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
}

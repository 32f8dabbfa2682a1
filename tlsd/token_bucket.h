/* A rate limit: so many at once, so many per second after that. The caller owns the clock. */
#ifndef TLSD_TOKEN_BUCKET_H
#define TLSD_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct token_bucket {
	uint32_t per_second;
	uint32_t burst;
	uint64_t milli; /* thousandths of tokens that are there */
	uint64_t at_ms; /* when that was so */
};

static inline void
token_bucket_init(struct token_bucket *b, uint32_t per_second, uint32_t burst, uint64_t now_ms)
{
	*b = (struct token_bucket){per_second, burst, (uint64_t)burst * 1000, now_ms};
}

/* Returns: whether there was one; it is taken then. */
static inline bool
token_bucket_take(struct token_bucket *b, uint64_t now_ms)
{
	uint64_t most = (uint64_t)b->burst * 1000;
	uint64_t passed_ms = now_ms > b->at_ms ? now_ms - b->at_ms : 0;

	if (passed_ms > most)
		passed_ms = most;
	b->milli += passed_ms * b->per_second;
	if (b->milli > most)
		b->milli = most;
	b->at_ms = now_ms;
	if (b->milli < 1000)
		return false;
	b->milli -= 1000;
	return true;
}

#endif

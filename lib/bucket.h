/*
 * A token bucket: so many events a second, and a burst of so many after a quiet time.
 */
#ifndef LIB_BUCKET_H
#define LIB_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t rate;  /* tokens per second */
	uint64_t burst; /* tokens at most */
	uint64_t thousandths;
	uint64_t at_ms; /* of the last refill */
};

/* Starts full. In: rate, at least 1, and burst far below 2^50. */
void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now_ms);

/* Returns: whether a token is there. */
bool bucket_has(struct bucket *b, uint64_t now_ms);

/* Takes one, if there is one. */
void bucket_take(struct bucket *b);

/* Both: takes one. Returns: whether there was one. */
bool bucket_spend(struct bucket *b, uint64_t now_ms);

/* Gives one back that was taken for nothing. */
void bucket_return(struct bucket *b);

#endif

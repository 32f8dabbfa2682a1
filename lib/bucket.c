#include "lib/bucket.h"

enum { TOKEN = 1000 };

void
bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now_ms)
{
	*b = (struct bucket){rate, burst, burst * TOKEN, now_ms};
}

/* A millisecond is worth `rate` thousandths. */
bool
bucket_has(struct bucket *b, uint64_t now_ms)
{
	uint64_t room = b->burst * TOKEN - b->thousandths;
	uint64_t passed = now_ms > b->at_ms ? now_ms - b->at_ms : 0;

	if (passed > room / b->rate)
		b->thousandths = b->burst * TOKEN;
	else
		b->thousandths += passed * b->rate;
	b->at_ms = now_ms;
	return b->thousandths >= TOKEN;
}

void
bucket_take(struct bucket *b)
{
	if (b->thousandths >= TOKEN)
		b->thousandths -= TOKEN;
}

bool
bucket_spend(struct bucket *b, uint64_t now_ms)
{
	bool there = bucket_has(b, now_ms);

	bucket_take(b);
	return there;
}

void
bucket_return(struct bucket *b)
{
	b->thousandths += TOKEN;
	if (b->thousandths > b->burst * TOKEN)
		b->thousandths = b->burst * TOKEN;
}

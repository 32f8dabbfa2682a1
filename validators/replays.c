#include "validators/replays.h"

static uint64_t
mix(uint64_t h, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.p[i]) * UINT64_C(0x100000001b3);
	return (h ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t
hash(const struct msg_dkim_result *s)
{
	uint64_t h = mix(mix(mix(UINT64_C(0xcbf29ce484222325), s->domain), s->selector), s->tag);

	return h ^ h >> 32;
}

/* There are two places for each; of those that are taken, that of the rarer one. */
static struct replay *
place_of(struct replays *r, uint64_t signature, uint64_t now_ms)
{
	struct replay *a = &r->kept[signature % REPLAYS_KEPT];
	struct replay *b = &r->kept[signature % REPLAYS_KEPT ^ 1];

	if (a->signature == signature)
		return a;
	if (b->signature == signature)
		return b;
	if (now_ms >= a->until_ms)
		return a;
	return now_ms >= b->until_ms || b->recipients < a->recipients ? b : a;
}

uint64_t
replays_note(struct replays *r, const struct msg_dkim_result *signature, unsigned recipients,
    uint64_t now_ms)
{
	uint64_t h = hash(signature);
	struct replay *place = place_of(r, h, now_ms);

	if (place->signature != h || now_ms >= place->until_ms)
		*place = (struct replay){h, now_ms + REPLAYS_WINDOW_MS, 0, REPLAYS_TOLD};
	place->recipients += recipients;
	if (place->recipients < place->told_at)
		return 0;
	while (place->told_at <= place->recipients)
		place->told_at *= 2;
	return place->recipients;
}

#include "validators/budget.h"

#include <string.h>

static struct ip
key_of(const struct ip *client)
{
	enum { V6_KEPT = 8 };
	struct ip key = *client;

	if (!ip_is_v4(client))
		memset(key.octets + V6_KEPT, 0, IP_LEN - V6_KEPT);
	return key;
}

static size_t
place_of(const struct ip *key)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < IP_LEN; i++)
		h = (h ^ key->octets[i]) * UINT64_C(0x100000001b3);
	return (size_t)(h >> 24) % BUDGET_CLIENTS;
}

bool
budget_spend(struct budgets *b, const struct ip *client, uint64_t now_ms)
{
	struct ip key = key_of(client);
	size_t at = place_of(&key);

	if (!b->places[at].used || memcmp(&b->places[at].client, &key, sizeof(key)) != 0) {
		b->places[at].used = true;
		b->places[at].client = key;
		bucket_init(&b->places[at].bucket, BUDGET_PER_SECOND, BUDGET_BURST, now_ms);
	}
	return bucket_spend(&b->places[at].bucket, now_ms);
}

void
budget_return(struct budgets *b, const struct ip *client)
{
	struct ip key = key_of(client);
	size_t at = place_of(&key);

	if (b->places[at].used && memcmp(&b->places[at].client, &key, sizeof(key)) == 0)
		bucket_return(&b->places[at].bucket);
}

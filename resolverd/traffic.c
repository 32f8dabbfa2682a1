#include "resolverd/traffic.h"

static uint64_t
hash(const uint8_t *p, size_t len, uint64_t seed)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	return h != 0 ? h : 1;
}

/* ---- what is known ------------------------------------------------------------------------------ */

bool
traffic_is_known(
    const struct traffic *t, const struct packet_name *name, uint16_t type, uint64_t now_ms)
{
	uint64_t h = hash(name->wire, name->len, type);
	size_t at = h % TRAFFIC_KNOWN;

	return t->known[at].question == h && now_ms < t->known[at].until_ms;
}

void
traffic_note(
    struct traffic *t, const struct packet_name *name, uint16_t type, uint32_t ttl, uint64_t now_ms)
{
	uint64_t h = hash(name->wire, name->len, type);
	uint64_t ms = (uint64_t)ttl * 1000;

	t->known[h % TRAFFIC_KNOWN].question = h;
	t->known[h % TRAFFIC_KNOWN].until_ms = now_ms + (ms > 0 ? ms : TRAFFIC_KNOWN_MIN_MS);
}

/* ---- zones -------------------------------------------------------------------------------------- */

static uint64_t
zone_of(const struct packet_name *name)
{
	enum { COUNTRY = 2, REGISTRY = 3 };
	size_t starts[NAME_WIRE_MAX];
	size_t labels = 0, taken = 2;

	for (size_t at = 0; name->wire[at] != 0; at += 1u + name->wire[at])
		starts[labels++] = at;
	if (labels > 2 && name->wire[starts[labels - 1]] == COUNTRY &&
	    name->wire[starts[labels - 2]] <= REGISTRY)
		taken = 3;
	if (labels <= taken)
		return hash(name->wire, name->len, 0);
	return hash(name->wire + starts[labels - taken], name->len - starts[labels - taken], 0);
}

bool
traffic_spend(struct traffic *t, const struct packet_name *name, uint64_t now_ms)
{
	uint64_t zone = zone_of(name);
	size_t at = zone % TRAFFIC_ZONES;

	if (t->zones[at].zone != zone) {
		t->zones[at].zone = zone;
		bucket_init(&t->zones[at].bucket, TRAFFIC_PER_SECOND, TRAFFIC_BURST, now_ms);
	}
	return bucket_spend(&t->zones[at].bucket, now_ms);
}

void
traffic_return(struct traffic *t, const struct packet_name *name)
{
	uint64_t zone = zone_of(name);

	if (t->zones[zone % TRAFFIC_ZONES].zone == zone)
		bucket_return(&t->zones[zone % TRAFFIC_ZONES].bucket);
}

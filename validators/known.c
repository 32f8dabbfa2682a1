#include "validators/known.h"

#include <stddef.h>
#include <sys/random.h>

#include "lib/bug.h"

enum { MS = 1000 };

void
known_key_of(struct known_key *key_out, uint16_t type, struct span name)
{
	BUG_ON(name.len > sizeof(key_out->name));
	key_out->type = type;
	key_out->name_len = (uint8_t)name.len;
	memcpy(key_out->name, name.p, name.len);
}

/* The octets of a key that count. */
static struct span
octets_of(const struct known_key *key)
{
	return span_of((const uint8_t *)key, offsetof(struct known_key, name) + key->name_len);
}

static size_t
place_of(const struct known_answers *known, const struct known_key *key)
{
	return (size_t)(siphash(known->secret, octets_of(key)) % KNOWN_MAX);
}

/* Without chance the table is only less well guarded. */
void
known_init(struct known_answers *known)
{
	if (getrandom(known->secret, sizeof(known->secret), 0) < 0)
		memset(known->secret, 0, sizeof(known->secret));
}

void
known_keep(struct known_answers *known, const struct known_key *key, uint64_t now_ms,
    const struct msg_dns_answer *answer)
{
	struct known_answer *place = &known->places[place_of(known, key)];
	uint64_t keep_ms = (uint64_t)answer->ttl * MS;
	struct span records = answer->records.encoded;

	if (answer->status == DNS_TROUBLE || keep_ms == 0 || records.len > sizeof(place->records))
		return;
	place->until_ms = now_ms + (keep_ms < KNOWN_KEEP_MS ? keep_ms : KNOWN_KEEP_MS);
	place->key = *key;
	place->answer = *answer;
	if (records.len > 0)
		memcpy(place->records, records.p, records.len);
}

bool
known_find(const struct known_answers *known, const struct known_key *key, uint64_t now_ms,
    struct msg_dns_answer *answer_out)
{
	const struct known_answer *place = &known->places[place_of(known, key)];

	if (now_ms >= place->until_ms || !span_eq(octets_of(&place->key), octets_of(key)))
		return false;
	*answer_out = place->answer;
	answer_out->asked = 0;
	answer_out->ttl = (uint32_t)((place->until_ms - now_ms) / MS);
	answer_out->records.encoded = span_of(place->records, place->answer.records.encoded.len);
	return true;
}

void
known_forget_all(struct known_answers *known)
{
	for (size_t i = 0; i < KNOWN_MAX; i++)
		known->places[i].until_ms = 0;
}

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

uint16_t
known_place(const struct known_answers *known, const struct known_key *key)
{
	return (uint16_t)(siphash(known->secret, octets_of(key)) % KNOWN_MAX);
}

/* Without chance the table is only less well guarded. */
void
known_init(struct known_answers *known)
{
	if (getrandom(known->secret, sizeof(known->secret), 0) < 0)
		memset(known->secret, 0, sizeof(known->secret));
	for (size_t i = 0; i < KNOWN_MAX; i++)
		known->places[i].successor = KNOWN_NOWHERE;
}

void
known_keep(struct known_answers *known, const struct known_key *key, uint64_t now_ms,
    const struct msg_dns_answer *answer)
{
	struct known_answer *place = &known->places[known_place(known, key)];
	uint64_t keep_ms = (uint64_t)answer->ttl * MS;
	struct span records = answer->records.encoded;

	if (answer->status == DNS_TROUBLE || keep_ms == 0 || records.len > sizeof(place->records))
		return;
	if (!span_eq(octets_of(&place->key), octets_of(key))) {
		place->successor = KNOWN_NOWHERE;
		place->again = false;
	}
	place->until_ms = now_ms + (keep_ms < KNOWN_KEEP_MS ? keep_ms : KNOWN_KEEP_MS);
	place->key = *key;
	place->answer = *answer;
	if (records.len > 0)
		memcpy(place->records, records.p, records.len);
}

static struct msg_dns_answer
answer_at(const struct known_answer *place, uint64_t now_ms)
{
	struct msg_dns_answer answer = place->answer;

	answer.asked = 0;
	answer.ttl = (uint32_t)((place->until_ms - now_ms) / MS);
	answer.records.encoded = span_of(place->records, place->answer.records.encoded.len);
	return answer;
}

bool
known_find(struct known_answers *known, const struct known_key *key, uint64_t now_ms,
    struct msg_dns_answer *answer_out)
{
	struct known_answer *place = &known->places[known_place(known, key)];

	if (now_ms >= place->until_ms || !span_eq(octets_of(&place->key), octets_of(key)))
		return false;
	place->again = true;
	*answer_out = answer_at(place, now_ms);
	return true;
}

/* What led back to the first one is forgotten: who is told one after another shall not go in circles. */
void
known_follow(struct known_answers *known, uint16_t place, uint16_t successor)
{
	enum { CIRCLE_MAX = 8 };
	uint16_t at = successor;

	if (place == successor)
		return;
	for (size_t n = 0; n < CIRCLE_MAX && at != KNOWN_NOWHERE; n++) {
		uint16_t next = known->places[at].successor;

		if (next == place)
			known->places[at].successor = KNOWN_NOWHERE;
		at = next;
	}
	known->places[place].successor = successor;
}

uint16_t
known_successor(const struct known_answers *known, uint16_t place, uint64_t now_ms,
    const struct known_key **key_out, struct msg_dns_answer *answer_out)
{
	uint16_t successor = known->places[place].successor;
	const struct known_answer *next = &known->places[successor % KNOWN_MAX];

	if (successor == KNOWN_NOWHERE || now_ms >= next->until_ms || !next->again)
		return KNOWN_NOWHERE;
	*key_out = &next->key;
	*answer_out = answer_at(next, now_ms);
	return successor;
}

void
known_forget_all(struct known_answers *known)
{
	for (size_t i = 0; i < KNOWN_MAX; i++)
		known->places[i].until_ms = 0;
}

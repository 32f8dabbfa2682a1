#include "smtpd/avoid.h"

#include <stdlib.h>
#include <sys/random.h>

#include "lib/siphash.h"

#include "smtpd/worker.h"

enum {
	NETWORK_V4 = 15, /* octets of a client's address that count: /24 */
	NETWORK_V6 = 8,  /* /64 */
};

struct entry {
	uint64_t key;
	uint64_t until_ms;
	uint64_t route; /* a hash, too */
};

struct avoid {
	uint8_t secret[SIPHASH_KEY_LEN];
	uint64_t last_ms; /* nothing counts after it */
	struct entry sets[AVOID_SETS][AVOID_WAYS];
};

struct avoid *
avoid_new(void)
{
	struct avoid *a = calloc(1, sizeof(*a));

	if (a != NULL && getrandom(a->secret, sizeof(a->secret), 0) != sizeof(a->secret))
		avoid_free(&a);
	return a;
}

void
avoid_free(struct avoid **a)
{
	free(*a);
	*a = NULL;
}

/* Of the client's network and the sender of its transaction. */
static uint64_t
key_of(const struct session *s)
{
	uint8_t room[600];
	struct buf b = BUF_OVER(room);

	buf_put(&b, s->client.octets, ip_is_v4(&s->client) ? NETWORK_V4 : NETWORK_V6);
	buf_put_u8(&b, 0);
	buf_put_span(&b, address_span(&s->transaction->from));
	return siphash(s->worker->avoid->secret, buf_span(&b));
}

static struct entry *
find(struct avoid *a, uint64_t key, uint64_t now_ms)
{
	struct entry *set = a->sets[key % AVOID_SETS];

	for (unsigned i = 0; i < AVOID_WAYS; i++)
		if (set[i].key == key && now_ms < set[i].until_ms)
			return &set[i];
	return NULL;
}

void
avoid_record(const struct session *s)
{
	const struct transaction *t = s->transaction;
	struct avoid *a = s->worker->avoid;
	uint64_t now = s->worker->now_ms, key = key_of(s);
	struct entry *set = a->sets[key % AVOID_SETS];
	struct entry *place = find(a, key, now);

	if (place == NULL) {
		place = &set[0];
		for (unsigned i = 1; i < AVOID_WAYS; i++)
			if (set[i].until_ms < place->until_ms)
				place = &set[i];
	}
	*place = (struct entry){
	    key, now + AVOID_MS, siphash(a->secret, span_of(t->route, t->route_len))};
	a->last_ms = place->until_ms;
}

bool
avoid_now(const struct session *s, struct span route)
{
	struct avoid *a = s->worker->avoid;
	const struct entry *e;

	if (s->worker->now_ms >= a->last_ms)
		return false;
	e = find(a, key_of(s), s->worker->now_ms);
	return e != NULL && e->route == siphash(a->secret, route);
}

void
avoid_done(const struct session *s)
{
	struct entry *e = find(s->worker->avoid, key_of(s), s->worker->now_ms);

	if (e != NULL)
		e->until_ms = 0;
}

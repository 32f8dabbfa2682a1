#include "smtpd/recall.h"

#include <stdlib.h>
#include <sys/random.h>

#include "lib/siphash.h"

#include "smtpd/worker.h"

struct entry {
	uint64_t key;
	uint64_t until_ms; /* 0: used */
	bool for_good;
};

struct recall {
	uint8_t secret[SIPHASH_KEY_LEN];
	uint64_t last_ms; /* nothing counts after it */
	struct entry sets[RECALL_SETS][RECALL_WAYS];
};

struct recall *
recall_new(void)
{
	struct recall *r = calloc(1, sizeof(*r));

	if (r != NULL && getrandom(r->secret, sizeof(r->secret), 0) != sizeof(r->secret))
		recall_free(&r);
	return r;
}

void
recall_free(struct recall **r)
{
	free(*r);
	*r = NULL;
}

static uint64_t
key_of(const struct recall *r, struct span sender, struct span recipient, uint64_t declared_size)
{
	uint8_t room[1100];
	struct buf b = BUF_OVER(room);

	buf_put_u64(&b, declared_size);
	buf_put_u16(&b, (uint16_t)sender.len);
	buf_put_span(&b, sender);
	buf_put_span(&b, recipient);
	return siphash(r->secret, buf_span(&b));
}

static struct entry *
find(struct recall *r, uint64_t key, uint64_t now_ms)
{
	struct entry *set = r->sets[key % RECALL_SETS];

	for (unsigned i = 0; i < RECALL_WAYS; i++)
		if (set[i].key == key && now_ms < set[i].until_ms)
			return &set[i];
	return NULL;
}

void
recall_on_refusal(struct worker *w, const struct msg_recall *m)
{
	struct recall *r = w->recall;
	uint64_t key = key_of(r, m->sender, m->recipient, m->declared_size);
	struct entry *set = r->sets[key % RECALL_SETS];
	struct entry *place = find(r, key, w->now_ms), *first = set;

	/* Else a free one, or the one that ends first. */
	for (unsigned i = 0; i < RECALL_WAYS && place == NULL; i++)
		if (set[i].until_ms <= first->until_ms)
			first = &set[i];
	if (place == NULL)
		place = first;
	*place =
	    (struct entry){key, w->now_ms + w->conf->limits.repeat_memory * 1000, m->for_good != 0};
	r->last_ms = place->until_ms;
}

void
recall_on_used(struct worker *w, const struct msg_recall_used *m)
{
	struct entry *e = find(
	    w->recall, key_of(w->recall, m->sender, m->recipient, m->declared_size), w->now_ms);

	if (e != NULL)
		e->until_ms = 0;
}

enum reply_id
recall_take(struct worker *w, struct span sender, struct span recipient, uint64_t declared_size)
{
	struct recall *r = w->recall;
	struct msg_recall_used used = {sender, recipient, declared_size};
	struct entry *e;

	if (w->now_ms >= r->last_ms)
		return REPLY_NONE;
	e = find(r, key_of(r, sender, recipient, declared_size), w->now_ms);
	if (e == NULL)
		return REPLY_NONE;
	e->until_ms = 0;
	worker_send(w, PROGRAM_QUEUE_HANDOFF, MSG_recall_used, &used, -1);
	return e->for_good ? REPLY_backend_refused_one : REPLY_backend_deferred_one;
}

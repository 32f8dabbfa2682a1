#include "validators/questions.h"

#include "lib/loop.h"

#include "validators/counters.h"

enum { NO_PLACE = QUESTIONS_MAX };

void
questions_init(struct questions *qs, struct loop *loop, uint64_t timeout_ms)
{
	memset(qs, 0, sizeof(*qs));
	qs->loop = loop;
	qs->timeout_ms = timeout_ms;
	known_init(&qs->known);
	for (uint16_t i = 0; i < QUESTIONS_MAX; i++)
		qs->places[i].next_free = (uint16_t)(i + 1);
}

static uint32_t
number_of(const struct questions *qs, size_t at)
{
	return qs->places[at].round * QUESTIONS_MAX + (uint32_t)at;
}

static void
release(struct questions *qs, size_t at)
{
	qs->places[at].asker->open--;
	qs->places[at].asker = NULL;
	qs->places[at].round = (qs->places[at].round + 1) % (UINT32_MAX / QUESTIONS_MAX);
	qs->places[at].next_free = qs->first_free;
	qs->first_free = (uint16_t)at;
}

static bool
may_ask(const struct questions *qs, unsigned *left)
{
	if (*left == 0) {
		count(COUNT_dns_over_budget);
		return false;
	}
	--*left;
	return qs->first_free != NO_PLACE && link_alive(qs->resolver);
}

bool
questions_known(struct questions *qs, const struct msg_dns_ask *ask, unsigned *left,
    struct msg_dns_answer *answer_out)
{
	struct known_key key;

	known_key_of(&key, ask->type, ask->name);
	if (*left == 0 || !link_alive(qs->resolver) ||
	    !known_find(&qs->known, &key, loop_now(qs->loop), answer_out))
		return false;
	--*left;
	answer_out->query = ask->query;
	count(COUNT_dns_known);
	return true;
}

void
questions_follow(struct questions *qs, struct asker *asker, uint16_t type, struct span name)
{
	struct known_key key;
	uint16_t place;

	known_key_of(&key, type, name);
	place = known_place(&qs->known, &key);
	if (asker->chained)
		known_follow(&qs->known, asker->last, place);
	asker->chained = true;
	asker->last = place;
}

bool
questions_next(struct questions *qs, struct asker *asker, struct msg_dns_ask *ask_out,
    struct msg_dns_answer *answer_out)
{
	const struct known_key *key;
	uint16_t next = KNOWN_NOWHERE;

	if (asker->chained && link_alive(qs->resolver))
		next =
		    known_successor(&qs->known, asker->last, loop_now(qs->loop), &key, answer_out);
	if (next == KNOWN_NOWHERE)
		return false;
	asker->last = next;
	*ask_out =
	    (struct msg_dns_ask){.type = key->type, .name = span_of(key->name, key->name_len)};
	count(COUNT_dns_known);
	return true;
}

bool
questions_ask(struct questions *qs, struct asker *asker, const struct msg_dns_ask *ask,
    const struct ip *client, unsigned *left)
{
	struct msg_dns_ask forward = *ask;
	size_t at = qs->first_free;
	struct question *q;

	if (!may_ask(qs, left))
		return false;
	q = &qs->places[at];
	forward.query = number_of(qs, at);
	forward.own = client == NULL && ask->own;
	q->charged = client != NULL && budget_spend(&qs->budgets, client, loop_now(qs->loop));
	forward.known_only = client != NULL && !q->charged;
	if (forward.known_only)
		count(COUNT_dns_client_over_budget);
	if (forward.timeout_ms > qs->timeout_ms)
		forward.timeout_ms = (uint32_t)qs->timeout_ms;
	if (!link_send(qs->resolver, MSG_dns_ask, &forward, -1))
		return false;
	count(COUNT_dns_questions);
	qs->first_free = q->next_free;
	q->asker = asker;
	q->query = ask->query;
	known_key_of(&q->key, ask->type, ask->name);
	if (q->charged)
		q->client = *client;
	asker->open++;
	return true;
}

void
questions_answer(struct questions *qs, const struct msg_dns_answer *answer)
{
	struct msg_dns_answer forward = *answer;
	size_t at = answer->query % QUESTIONS_MAX;
	struct question *q = &qs->places[at];
	struct asker *asker = q->asker;

	if (asker == NULL || number_of(qs, at) != answer->query)
		return;
	forward.query = q->query;
	known_keep(&qs->known, &q->key, loop_now(qs->loop), answer);
	if (q->charged && !answer->asked)
		budget_return(&qs->budgets, &q->client);
	release(qs, at);
	asker->answered(asker, &forward);
}

void
questions_forget(struct questions *qs, const struct asker *asker)
{
	for (size_t at = 0; at < QUESTIONS_MAX && asker->open > 0; at++)
		if (qs->places[at].asker == asker)
			release(qs, at);
}

void
questions_resolver_lost(struct questions *qs)
{
	known_forget_all(&qs->known);
	for (size_t at = 0; at < QUESTIONS_MAX; at++) {
		struct msg_dns_answer trouble = {.status = DNS_TROUBLE};
		struct asker *asker = qs->places[at].asker;

		if (asker == NULL)
			continue;
		trouble.query = qs->places[at].query;
		release(qs, at);
		asker->answered(asker, &trouble);
	}
}

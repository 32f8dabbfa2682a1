#include "validators/questions.h"

#include "validators/counters.h"
#include "validators/jobs.h"

enum { NO_PLACE = QUESTIONS_MAX };

void
questions_init(struct questions *qs, uint64_t timeout_ms)
{
	memset(qs, 0, sizeof(*qs));
	qs->timeout_ms = timeout_ms;
	for (uint16_t i = 0; i < QUESTIONS_MAX; i++)
		qs->places[i].next_free = (uint16_t)(i + 1);
}

static void
tell_trouble(struct job *job, uint32_t query)
{
	struct msg_dns_answer answer = {.query = query, .status = DNS_TROUBLE};

	link_send(job->link, MSG_dns_answer, &answer, -1);
}

static uint32_t
number_of(const struct questions *qs, size_t at)
{
	return qs->places[at].round * QUESTIONS_MAX + (uint32_t)at;
}

static void
release(struct questions *qs, size_t at)
{
	qs->places[at].job->questions_open--;
	qs->places[at].job = NULL;
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

void
questions_ask(struct questions *qs, struct job *job, const struct msg_dns_ask *ask, unsigned *left)
{
	struct msg_dns_ask forward = *ask;
	size_t at = qs->first_free;
	struct question *q;

	if (!may_ask(qs, left)) {
		tell_trouble(job, ask->query);
		return;
	}
	q = &qs->places[at];
	forward.query = number_of(qs, at);
	if (forward.timeout_ms > qs->timeout_ms)
		forward.timeout_ms = (uint32_t)qs->timeout_ms;
	if (!link_send(qs->resolver, MSG_dns_ask, &forward, -1)) {
		tell_trouble(job, ask->query);
		return;
	}
	count(COUNT_dns_questions);
	qs->first_free = q->next_free;
	q->job = job;
	q->query = ask->query;
	job->questions_open++;
}

void
questions_answer(struct questions *qs, const struct msg_dns_answer *answer)
{
	struct msg_dns_answer forward = *answer;
	size_t at = answer->query % QUESTIONS_MAX;
	struct question *q = &qs->places[at];

	if (q->job == NULL || number_of(qs, at) != answer->query)
		return;
	forward.query = q->query;
	link_send(q->job->link, MSG_dns_answer, &forward, -1);
	release(qs, at);
}

void
questions_forget(struct questions *qs, const struct job *job)
{
	for (size_t at = 0; at < QUESTIONS_MAX && job->questions_open > 0; at++)
		if (qs->places[at].job == job)
			release(qs, at);
}

void
questions_resolver_lost(struct questions *qs)
{
	for (size_t at = 0; at < QUESTIONS_MAX; at++) {
		struct job *job = qs->places[at].job;

		if (job == NULL)
			continue;
		tell_trouble(job, qs->places[at].query);
		release(qs, at);
	}
}

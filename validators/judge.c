#include "validators/judge.h"

#include "lib/log.h"

#include "validators/checks.h"
#include "validators/counters.h"
#include "validators/judged.h"
#include "validators/sealed.h"

/* ---- the verdict ----------------------------------------------------------------------------- */

static struct policy_verdict
verdict_of(const struct transaction *t)
{
	const struct conf *conf = t->worker->dispatcher->conf;

	if (t->spf.state == CHECK_FAILED || t->held->dkim.state == CHECK_FAILED)
		return (struct policy_verdict){true, t->failure, AUTH_UNCHECKED};
	if (t->spf.state == CHECK_NOT_WANTED)
		return (struct policy_verdict){false, 0, AUTH_UNCHECKED};
	return policy_spf(conf->spf.fail, (enum auth_result)t->spf.result);
}

static uint32_t
budget_left(const struct transaction *t)
{
	uint64_t now = loop_now(t->worker->dispatcher->loop);

	return t->held->due_ms > now ? (uint32_t)(t->held->due_ms - now) : 0;
}

/* Every check has ended: refuse or hand on, and forget. */
static void
conclude(struct transaction *t)
{
	struct worker *worker = t->worker;
	struct policy_verdict v = verdict_of(t);
	union msg m;
	int fd = t->held->fd;

	transaction_submitted(t->held, &m);
	judged_log(t, &m.submit, &v);
	if (v.refuse) {
		judged_refuse(worker, t->session, t->number, v.reason);
	} else {
		t->held->fd = -1;
		judged_hand_on(worker, &m.submit, budget_left(t), fd, t, v.mark);
	}
	transaction_free(&worker->dispatcher->transactions, &t);
}

static void
proceed(struct transaction *t)
{
	if (t->held != NULL && t->spf.state != CHECK_RUNNING &&
	    t->held->dkim.state != CHECK_RUNNING)
		conclude(t);
}

/* The reply is due soon, and the checks have not ended. */
static void
on_due(void *arg)
{
	struct transaction *t = arg;

	t->failure = REFUSAL_INTERNAL;
	for (int kind = 0; kind < JOB_KINDS; kind++) {
		if (t->jobs[kind] != NULL && job_waits(t->jobs[kind]))
			t->failure = REFUSAL_BUSY;
		job_cancel(&t->jobs[kind], JOB_LATE);
	}
	if (t->spf.state == CHECK_RUNNING)
		t->spf.state = CHECK_FAILED;
	if (t->held->dkim.state == CHECK_RUNNING)
		t->held->dkim.state = CHECK_FAILED;
	conclude(t);
}

/* ---- the client ------------------------------------------------------------------------------ */

/* A balancer or a tunnel stands before us: the address says nothing about the sender. */
static bool
is_loopback(const struct ip *client)
{
	static const struct ip v6 = {{[IP_LEN - 1] = 1}};

	return ip_is_v4(client) ? client->octets[12] == 127 : memcmp(client, &v6, sizeof(v6)) == 0;
}

/* Limits for one client do not hold for it. */
static bool
stands_for_many(const struct transaction *t)
{
	return is_loopback(&t->client);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void
on_ended(struct job *job, enum job_end end)
{
	struct transaction *t = job->owner;

	t->jobs[job->kind] = NULL;
	if (end != JOB_ANSWERED)
		t->failure = end == JOB_NO_TURN ? REFUSAL_BUSY : REFUSAL_INTERNAL;
	if (job->kind == JOB_ENVELOPE)
		check_envelope_ended(t, end == JOB_ANSWERED);
	else
		check_message_ended(&t->held->dkim, end == JOB_ANSWERED);
	proceed(t);
}

/* A process that checked the envelope may check the content too: it is the same message. */
static bool
on_more(const struct job *job)
{
	const struct transaction *t = job->owner;
	const struct job *message = t->jobs[JOB_MESSAGE];

	return job->kind == JOB_ENVELOPE && t->worker->dispatcher->conf->dkim.check &&
	       (message == NULL ? t->held == NULL : job_waits(message));
}

/* Its result of the envelope is nobody's now. */
static void
on_betrayed(struct transaction *t)
{
	t->failure = REFUSAL_INTERNAL;
	t->spf.state = CHECK_FAILED;
	proceed(t);
}

static struct allowance
on_allowance(struct job *job)
{
	struct transaction *t = job->owner;

	return (struct allowance){&t->questions_left, stands_for_many(t) ? NULL : &t->client};
}

const struct job_hooks judge_hooks = {
    .begin = check_begin,
    .answered = check_answered,
    .ended = on_ended,
    .more = on_more,
    .betrayed = on_betrayed,
    .allowance = on_allowance,
};

/* ---- what smtpd says ------------------------------------------------------------------------- */

static void
envelope_says_nothing(struct transaction *t)
{
	const struct span reason = SPAN("client is this machine");

	count(COUNT_spf_loopback);
	t->spf.result = AUTH_NONE;
	t->spf.reason_len = (uint8_t)reason.len;
	memcpy(t->spf.reason, reason.p, reason.len);
	check_envelope_ended(t, true);
}

static bool
start_envelope(struct transaction *t)
{
	struct dispatcher *d = t->worker->dispatcher;

	if (is_loopback(&t->client)) {
		envelope_says_nothing(t);
		return true;
	}
	t->jobs[JOB_ENVELOPE] =
	    job_start(&d->jobs, JOB_ENVELOPE, t, &t->client, stands_for_many(t), JOB_WALL_MS);
	if (t->jobs[JOB_ENVELOPE] == NULL)
		return false;
	t->spf.state = CHECK_RUNNING;
	count(COUNT_envelopes);
	return true;
}

void
judge_envelope(struct worker *worker, const struct msg_envelope *m)
{
	struct dispatcher *d = worker->dispatcher;
	struct transaction *t =
	    transaction_find(&d->transactions, worker, m->session, m->transaction);
	struct ip client;

	if (!d->conf->spf.check)
		return;
	transaction_free(&d->transactions, &t);
	memcpy(client.octets, m->client, sizeof(client.octets));
	t = transaction_new(&d->transactions, worker, m->session, m->transaction, &client, m->helo,
	    m->reverse_path);
	/* What cannot be started now is tried once more when the message is submitted. */
	if (t != NULL && !start_envelope(t))
		transaction_free(&d->transactions, &t);
}

void
judge_drop(struct worker *worker, const struct msg_envelope_drop *m)
{
	struct transactions *table = &worker->dispatcher->transactions;
	struct transaction *t = transaction_find(table, worker, m->session, m->transaction);

	transaction_free(table, &t);
}

void
judge_worker_lost(struct worker *worker)
{
	while (worker->transactions != NULL) {
		struct transaction *t = worker->transactions;

		transaction_free(&worker->dispatcher->transactions, &t);
	}
}

static bool
submission_good(const struct msg_submit *m, int fd)
{
	return fd >= 0 ? m->content.len == 0 && sealed_check(fd, m->size)
	               : m->content.len == m->size;
}

static void
log_bad(const struct worker *worker, const struct msg_submit *m)
{
	struct log_line line;

	count(COUNT_bad_descriptors);
	log_begin(&line, EVENT_bad_submission);
	log_u64(&line, "worker", worker->index);
	log_span(&line, "id", m->id);
	log_end(&line);
}

/* The facts of the envelope check are those of the message. */
static bool
same_facts(const struct transaction *t, const struct msg_submit *m)
{
	return memcmp(t->client.octets, m->client, sizeof(m->client)) == 0 &&
	       span_eq(t->helo, m->helo) && span_eq(t->reverse_path, m->reverse_path);
}

/* The transaction of a submitted message: the one of its MAIL, or a new one when that will not do. */
static struct transaction *
transaction_for(struct worker *worker, const struct msg_submit *m)
{
	struct transactions *table = &worker->dispatcher->transactions;
	struct transaction *t = transaction_find(table, worker, m->session, m->transaction);
	struct ip client;

	if (t != NULL && t->held == NULL && same_facts(t, m))
		return t;
	transaction_free(table, &t);
	memcpy(client.octets, m->client, sizeof(client.octets));
	t = transaction_new(
	    table, worker, m->session, m->transaction, &client, m->helo, m->reverse_path);
	if (t == NULL || !worker->dispatcher->conf->spf.check)
		return t;
	count(COUNT_envelopes_repeated);
	if (!start_envelope(t))
		transaction_free(table, &t);
	return t;
}

static bool
start_message(struct transaction *t, uint64_t limit_ms)
{
	struct dispatcher *d = t->worker->dispatcher;

	if (!d->conf->dkim.check)
		return true;
	t->jobs[JOB_MESSAGE] =
	    job_start(&d->jobs, JOB_MESSAGE, t, &t->client, stands_for_many(t), limit_ms);
	if (t->jobs[JOB_MESSAGE] == NULL)
		return false;
	t->held->dkim.state = CHECK_RUNNING;
	return true;
}

/* Keeps the message until its checks have ended. Returns: false when that cannot be. */
static bool
hold(struct transaction *t, const struct msg_submit *m, int *fd)
{
	struct dispatcher *d = t->worker->dispatcher;
	uint64_t margin = m->budget_ms > 2 * REPLY_MARGIN_MS ? REPLY_MARGIN_MS : m->budget_ms / 2;
	int owned = *fd;

	if (d->held_count >= HELD_MAX || d->held_octets >= HELD_OCTETS_MAX)
		return false;
	*fd = -1;
	if (!transaction_hold(t, m, owned))
		return false;
	t->held->due_ms = loop_now(d->loop) + m->budget_ms;
	return timer_set(d->loop, &t->held->timer, m->budget_ms - margin, on_due, t) == 0 &&
	       start_message(t, m->budget_ms - margin);
}

static void
judge_with_checks(struct worker *worker, const struct msg_submit *m, int *fd)
{
	struct transaction *t = transaction_for(worker, m);

	if (t == NULL || !hold(t, m, fd)) {
		transaction_free(&worker->dispatcher->transactions, &t);
		judged_refuse(worker, m->session, m->transaction,
		    link_alive(worker->dispatcher->zygote) ? REFUSAL_BUSY : REFUSAL_INTERNAL);
		return;
	}
	proceed(t);
}

void
judge_submit(struct worker *worker, const struct msg_submit *m, int *fd)
{
	const struct dispatcher *d = worker->dispatcher;
	int owned = *fd;

	count(COUNT_submitted);
	if (!submission_good(m, *fd)) {
		log_bad(worker, m);
		judged_refuse(worker, m->session, m->transaction, REFUSAL_INTERNAL);
	} else if (!link_alive(d->handoff)) {
		judged_refuse(worker, m->session, m->transaction, REFUSAL_INTERNAL);
	} else if (d->conf->spf.check || d->conf->dkim.check) {
		judge_with_checks(worker, m, fd);
	} else {
		*fd = -1;
		judged_hand_on(worker, m, m->budget_ms, owned, NULL, AUTH_UNCHECKED);
	}
}

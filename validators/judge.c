#include "validators/judge.h"

#include "lib/log.h"
#include "lib/network.h"

#include "validators/checks.h"
#include "validators/counters.h"
#include "validators/facts.h"
#include "validators/judged.h"
#include "validators/policy_client.h"
#include "validators/sealed.h"

/* ---- the client ------------------------------------------------------------------------------ */

/* What is said about it, and limits for one client, do not hold for it. */
static bool
stands_for_many(const struct dispatcher *d, const struct ip *client)
{
	return facts_client_unknown(client) || network_list_contains(&d->trusted_relays, client);
}

static void on_client_known(struct client_waiter *waiter);

static void
hold_client(struct transaction *t)
{
	struct dispatcher *d = t->worker->dispatcher;

	t->judges_client = clients_wanted(&d->clients) && !stands_for_many(d, &t->client);
	t->client_known.known = on_client_known;
	if (t->judges_client)
		clients_hold(&d->clients, &t->client, &t->client_known);
}

static struct client_verdict
client_verdict(const struct transaction *t)
{
	if (!t->judges_client)
		return (struct client_verdict){.detail = ""};
	return policy_client(t->worker->dispatcher->conf, clients_facts(&t->client_known));
}

/* A recipient may be refused for it, and it may still come. */
static bool
recipients_wait_for_client(const struct transaction *t)
{
	return t->client_known.waiting && policy_client_matters(t->worker->dispatcher->conf);
}

/* ---- the envelope ---------------------------------------------------------------------------- */

/* Of a refusal for good and one for now the first goes before. */
static struct verdict
join(struct policy_verdict policy, struct client_verdict client)
{
	struct verdict v = {.detail = "", .policy = policy, .client = client};
	bool by_client = client.refuse && (!policy.refuse || !refusal_is_for_good(policy.reason) ||
					      refusal_is_for_good(client.reason));

	v.refuse = client.refuse || policy.refuse;
	v.reason = by_client ? client.reason : policy.reason;
	if (by_client)
		v.detail = client.detail;
	return v;
}

/* For recipients that are not exempt. */
static struct verdict
envelope_verdict(const struct transaction *t)
{
	return join(facts_envelope_verdict(t), client_verdict(t));
}

/* Once, when all is known that a recipient may be refused for. */
static void
tell_envelope(struct transaction *t)
{
	const struct client_facts *facts = clients_facts(&t->client_known);
	struct msg_envelope_answer m = {.session = t->session, .transaction = t->number};
	struct verdict v;

	if (t->told || t->spf.state == CHECK_RUNNING || recipients_wait_for_client(t))
		return;
	t->told = true;
	v = envelope_verdict(t);
	if (t->worker->dispatcher->conf->top.log_checks)
		judged_step(t, &v);
	m.refuse = v.refuse;
	m.reason = (uint8_t)v.reason;
	m.detail = span_head(span_str(v.detail), DETAIL_MAX);
	if (t->spf.state == CHECK_DONE)
		m.spf = t->spf.result;
	else if (t->spf.state == CHECK_FAILED)
		m.spf = AUTH_TEMPERROR;
	if (facts != NULL)
		m.client_name = span_of(facts->name, facts->name_len);
	if (v.refuse)
		count(COUNT_recipients_told);
	link_send(t->worker->link, MSG_envelope_answer, &m, -1);
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static bool
all_exempt(const struct msg_submit *m)
{
	struct span rest = m->recipients.encoded;
	struct msg_granted granted;

	while (msg_list_next(&rest, RECORD_granted, &granted))
		if (!granted.exempt)
			return false;
	return true;
}

static struct verdict
verdict_of(const struct transaction *t)
{
	struct client_verdict client = client_verdict(t);

	if (t->spf.state == CHECK_FAILED || t->held->content.state == CHECK_FAILED)
		return (struct verdict){true, t->failure, "", {.clause = CLAUSES}, client};
	if (t->held->all_exempt)
		client.refuse = client.mark = false;
	return join(facts_verdict(t), client);
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
	struct verdict v = verdict_of(t);
	union msg m;
	int fd = t->held->fd;

	transaction_submitted(t->held, &m);
	judged_log(t, &m.submit, &v);
	judged_note_replays(t, &m.submit);
	if (v.refuse) {
		judged_refuse(worker, t->session, t->number, v.reason, v.detail);
	} else {
		t->held->fd = -1;
		judged_hand_on(worker, &m.submit, budget_left(t), fd, t, &v);
	}
	transaction_free(&worker->dispatcher->transactions, &t);
}

/* The name of the client is waited for even where nothing follows from it: the back end is told. */
static void
proceed(struct transaction *t)
{
	tell_envelope(t);
	if (t->held != NULL && t->spf.state != CHECK_RUNNING &&
	    t->held->content.state != CHECK_RUNNING && !t->client_known.waiting)
		conclude(t);
}

static void
on_client_known(struct client_waiter *waiter)
{
	proceed((struct transaction *)(void *)((char *)waiter -
					       offsetof(struct transaction, client_known)));
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
		else if (t->jobs[kind] != NULL && kind == JOB_MESSAGE)
			judged_log_content(t);
		job_cancel(&t->jobs[kind], JOB_LATE);
	}
	if (t->spf.state == CHECK_RUNNING)
		t->spf.state = CHECK_FAILED;
	if (t->held->content.state == CHECK_RUNNING)
		t->held->content.state = CHECK_FAILED;
	conclude(t);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void
on_ended(struct job *job, enum job_end end)
{
	struct transaction *t = job->owner;

	if (job->kind == JOB_MESSAGE && end != JOB_ANSWERED && end != JOB_NO_TURN)
		judged_log_content(t);
	t->jobs[job->kind] = NULL;
	if (end != JOB_ANSWERED)
		t->failure = end == JOB_NO_TURN ? REFUSAL_BUSY : REFUSAL_INTERNAL;
	if (job->kind == JOB_ENVELOPE)
		check_envelope_ended(t, end == JOB_ANSWERED);
	else
		check_message_ended(&t->held->content, end == JOB_ANSWERED);
	proceed(t);
}

/* A process that checked the envelope may check the content too, or the other way round. */
static bool
on_more(const struct job *job)
{
	const struct transaction *t = job->owner;
	const struct job *envelope = t->jobs[JOB_ENVELOPE], *message = t->jobs[JOB_MESSAGE];

	if (job->kind == JOB_MESSAGE)
		return t->foresight.waiting || (envelope != NULL && job_waits(envelope));
	return facts_content_checks(t) != 0 &&
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
allowance_of(struct transaction *t)
{
	return (struct allowance){&t->questions_left,
	    stands_for_many(t->worker->dispatcher, &t->client) ? NULL : &t->client};
}

static struct allowance
on_allowance(struct job *job)
{
	return allowance_of(job->owner);
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
begin_envelope(struct transaction *t)
{
	struct dispatcher *d = t->worker->dispatcher;

	t->jobs[JOB_ENVELOPE] = job_start(&d->jobs, JOB_ENVELOPE, t, &t->client,
	    stands_for_many(d, &t->client), JOB_WALL_MS, t->jobs[JOB_MESSAGE]);
	return t->jobs[JOB_ENVELOPE] != NULL;
}

static void
on_foresight_over(struct foresight *f)
{
	struct transaction *t =
	    (struct transaction *)(void *)((char *)f - offsetof(struct transaction, foresight));

	if (begin_envelope(t))
		return;
	if (t->held == NULL) { /* tried once more when the message is submitted */
		transaction_free(&t->worker->dispatcher->transactions, &t);
		return;
	}
	t->failure = link_alive(t->worker->dispatcher->zygote) ? REFUSAL_BUSY : REFUSAL_INTERNAL;
	check_envelope_ended(t, false);
	proceed(t);
}

static bool
start_envelope(struct transaction *t)
{
	struct dispatcher *d = t->worker->dispatcher;
	struct allowance allowance = allowance_of(t);

	if (facts_envelope_checks(t) == 0) {
		if (d->conf->spf.check && facts_client_unknown(&t->client))
			envelope_says_nothing(t);
		return true;
	}
	t->foresight.patience_ms = d->foresight_ms;
	if (!foresight_begin(&t->foresight, &d->questions, d->conf, allowance.client,
		allowance.left, t->helo, t->reverse_path, on_foresight_over) &&
	    !begin_envelope(t))
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

	if (!conf_judges_envelope(d->conf))
		return;
	transaction_free(&d->transactions, &t);
	memcpy(client.octets, m->client, sizeof(client.octets));
	t = transaction_new(&d->transactions, worker, m->session, m->transaction, &client, m->helo,
	    m->reverse_path);
	/* What cannot be started now is tried once more when the message is submitted. */
	if (t != NULL && !start_envelope(t))
		transaction_free(&d->transactions, &t);
	if (t == NULL)
		return;
	hold_client(t);
	tell_envelope(t);
}

void
judge_arrival(struct worker *worker, const struct msg_arrival *m)
{
	struct dispatcher *d = worker->dispatcher;
	struct ip client;

	memcpy(client.octets, m->client, sizeof(client.octets));
	if (!stands_for_many(d, &client))
		clients_arrived(&d->clients, &client);
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
	if (t == NULL)
		return NULL;
	if (worker->dispatcher->conf->spf.check)
		count(COUNT_envelopes_repeated);
	if (!start_envelope(t))
		transaction_free(table, &t);
	else
		hold_client(t);
	return t;
}

static bool
start_message(struct transaction *t, uint64_t limit_ms)
{
	struct dispatcher *d = t->worker->dispatcher;

	t->held->content.checks = facts_content_checks(t);
	if (t->held->content.checks == 0)
		return true;
	t->jobs[JOB_MESSAGE] = job_start(&d->jobs, JOB_MESSAGE, t, &t->client,
	    stands_for_many(d, &t->client), limit_ms, t->jobs[JOB_ENVELOPE]);
	if (t->jobs[JOB_MESSAGE] == NULL)
		return false;
	t->held->content.state = CHECK_RUNNING;
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
	t->held->all_exempt = all_exempt(m);
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
		    link_alive(worker->dispatcher->zygote) ? REFUSAL_BUSY : REFUSAL_INTERNAL, "");
		return;
	}
	proceed(t);
}

/* Without a check, and without a name to be told, the message goes straight on. */
static bool
must_judge(const struct dispatcher *d, const struct msg_submit *m)
{
	struct ip client;

	memcpy(client.octets, m->client, sizeof(client.octets));
	return d->conf->spf.check || d->conf->dkim.check || d->conf->dmarc.check ||
	       (clients_wanted(&d->clients) && !stands_for_many(d, &client));
}

void
judge_submit(struct worker *worker, const struct msg_submit *m, int *fd)
{
	const struct dispatcher *d = worker->dispatcher;
	int owned = *fd;

	count(COUNT_submitted);
	if (!submission_good(m, *fd)) {
		log_bad(worker, m);
		judged_refuse(worker, m->session, m->transaction, REFUSAL_INTERNAL, "");
	} else if (!link_alive(d->handoff)) {
		judged_refuse(worker, m->session, m->transaction, REFUSAL_INTERNAL, "");
	} else if (must_judge(d, m)) {
		judge_with_checks(worker, m, fd);
	} else {
		*fd = -1;
		judged_hand_on(worker, m, m->budget_ms, owned, NULL, NULL);
	}
}

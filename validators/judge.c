#include "validators/judge.h"

#include <fcntl.h>

#include "lib/bug.h"
#include "lib/log.h"

#include "validators/counters.h"
#include "validators/policy.h"
#include "validators/sealed.h"

/* ---- refusing -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum count counter;
} refusals[] = {
    [REFUSAL_INTERNAL] = {"internal", COUNT_refused_internal},
    [REFUSAL_BUSY] = {"busy", COUNT_refused_busy},
    [REFUSAL_DNS] = {"dns", COUNT_refused_dns},
    [REFUSAL_SPF_FAIL] = {"spf-reject", COUNT_refused_spf},
    [REFUSAL_SPF_DEFER] = {"spf-defer", COUNT_refused_spf},
};

static void
refuse(struct worker *worker, uint64_t session, uint64_t number, enum refusal reason)
{
	struct msg_refused refused = {
	    .session = session, .transaction = number, .reason = (uint8_t)reason};

	count(refusals[reason].counter);
	link_send(worker->link, MSG_refused, &refused, -1);
}

/* ---- handing on ------------------------------------------------------------------------------ */

/* In: fd, owned from now on; t, NULL when nothing was checked. */
static bool
hand_on(struct worker *worker, const struct msg_submit *m, uint32_t budget_ms, int fd,
    const struct transaction *t, enum auth_result spf)
{
	struct msg_deliver out = {
	    .worker = (uint8_t)worker->index,
	    .instance = worker->instance,
	    .session = m->session,
	    .transaction = m->transaction,
	    .id = m->id,
	    .received = m->received,
	    .budget_ms = budget_ms,
	    .helo = m->helo,
	    .esmtp = m->esmtp,
	    .eight_bit = m->eight_bit,
	    .smtputf8 = m->smtputf8,
	    .tls_version = m->tls_version,
	    .tls_cipher = m->tls_cipher,
	    .tls_server_name = m->tls_server_name,
	    .reverse_path = m->reverse_path,
	    .route = m->route,
	    .class = m->class,
	    .recipients = m->recipients,
	    .spf = (uint8_t)spf,
	    .size = m->size,
	    .content = m->content,
	};

	memcpy(out.client, m->client, sizeof(out.client));
	if (t != NULL && spf != AUTH_UNCHECKED)
		out.spf_domain = span_of(t->spf.domain, t->spf.domain_len);
	if (t != NULL && t->held->dkim.state == CHECK_DONE) {
		out.dkim = 1;
		out.signatures.count = t->held->dkim.count;
		out.signatures.encoded = span_of(t->held->dkim.encoded, t->held->dkim.len);
	}
	return link_send(worker->dispatcher->handoff, MSG_deliver, &out, fd);
}

static void
hand_on_or_refuse(struct worker *worker, const struct msg_submit *m, uint32_t budget_ms, int fd,
    const struct transaction *t, enum auth_result spf)
{
	if (hand_on(worker, m, budget_ms, fd, t, spf))
		count(COUNT_passed_on);
	else
		refuse(worker, m->session, m->transaction, REFUSAL_INTERNAL);
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static void
log_judged(const struct transaction *t, const struct msg_submit *m, const char *verdict)
{
	const struct dkim_check *dkim = &t->held->dkim;
	struct log_line line;

	log_begin(&line, EVENT_judged);
	log_span(&line, "id", m->id);
	log_ip(&line, "client", &t->client);
	if (t->spf.state == CHECK_DONE) {
		log_str(&line, "spf", auth_result_name(t->spf.result));
		log_span(&line, "spf_domain", span_of(t->spf.domain, t->spf.domain_len));
		log_span(&line, "spf_reason", span_of(t->spf.reason, t->spf.reason_len));
	}
	if (dkim->state == CHECK_DONE)
		log_span(&line, "dkim",
		    dkim->count > 0 ? span_of(dkim->note, dkim->note_len) : SPAN("none"));
	log_str(&line, "verdict", verdict);
	log_end(&line);
}

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

/* The message as it was submitted. Its spans lie in the held message. */
static void
held_submit(const struct held_message *held, union msg *m)
{
	BUG_ON(!msg_decode(MSG_submit, span_of(held->encoded, held->len), m));
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

	held_submit(t->held, &m);
	log_judged(t, &m.submit, v.refuse ? refusals[v.reason].name : "hand-on");
	if (v.refuse) {
		refuse(worker, t->session, t->number, v.reason);
	} else {
		t->held->fd = -1;
		hand_on_or_refuse(worker, &m.submit, budget_left(t), fd, t, v.mark);
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
		if (t->jobs[kind] != NULL && t->jobs[kind]->waiting)
			t->failure = REFUSAL_BUSY;
		job_cancel(&t->jobs[kind], JOB_LATE);
	}
	if (t->spf.state == CHECK_RUNNING)
		t->spf.state = CHECK_FAILED;
	if (t->held->dkim.state == CHECK_RUNNING)
		t->held->dkim.state = CHECK_FAILED;
	conclude(t);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static bool
begin_envelope(struct job *job)
{
	const struct transaction *t = job->owner;
	struct msg_job_envelope out = {.helo = t->helo, .reverse_path = t->reverse_path};

	memcpy(out.client, t->client.octets, sizeof(out.client));
	return link_send(job->link, MSG_job_envelope, &out, -1);
}

static bool
begin_message(struct job *job)
{
	const struct held_message *held = job->owner->held;
	struct msg_job_message out;
	union msg m;
	int fd = -1;

	held_submit(held, &m);
	out.received = m.submit.received;
	out.size = m.submit.size;
	out.content = m.submit.content;
	if (held->fd >= 0 && (fd = fcntl(held->fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return false;
	return link_send(job->link, MSG_job_message, &out, fd);
}

static bool
on_begin(struct job *job)
{
	return job->kind == JOB_ENVELOPE ? begin_envelope(job) : begin_message(job);
}

/* Letters, digits, "-", "_" and dots: nothing that could be taken for syntax further on. */
static bool
name_is_plain(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}

static bool
envelope_answered(struct transaction *t, const struct msg_job_envelope_answer *m)
{
	if (!name_is_plain(m->spf_domain) || m->spf == AUTH_UNCHECKED)
		return false;
	t->spf.result = m->spf;
	t->spf.domain_len = (uint8_t)m->spf_domain.len;
	memcpy(t->spf.domain, m->spf_domain.p, m->spf_domain.len);
	t->spf.reason_len = (uint8_t)m->reason.len;
	memcpy(t->spf.reason, m->reason.p, m->reason.len);
	return true;
}

static void
note_signature(struct dkim_check *dkim, const struct msg_dkim_verdict *v)
{
	struct buf note = buf_over(dkim->note, sizeof(dkim->note));

	note.len = dkim->note_len;
	if (note.len > 0)
		buf_put_str(&note, " ");
	buf_put_span(&note, v->domain);
	buf_put_str(&note, "/");
	buf_put_span(&note, v->selector);
	buf_put_str(&note, "=");
	buf_put_str(&note, auth_result_name(v->result));
	if (v->reason.len > 0) {
		buf_put_str(&note, ":");
		buf_put_span(&note, v->reason);
	}
	dkim->note_len = note.len;
}

static bool
message_answered(struct dkim_check *dkim, const struct msg_job_message_answer *m)
{
	struct buf b = BUF_OVER(dkim->encoded);
	struct span rest = m->signatures.encoded;
	struct msg_dkim_verdict v;

	while (msg_list_next(&rest, RECORD_dkim_verdict, &v)) {
		struct msg_dkim_result out = {v.domain, v.selector, v.result};

		if (!name_is_plain(v.domain) || !name_is_plain(v.selector) ||
		    !msg_list_put(&b, RECORD_dkim_result, &out))
			return false;
		note_signature(dkim, &v);
		dkim->count++;
		if (v.result == AUTH_PASS)
			dkim->passed++;
	}
	dkim->len = b.len;
	return true;
}

static bool
on_answered(struct job *job, enum msg_type type, const union msg *m)
{
	if (type == MSG_job_envelope_answer)
		return envelope_answered(job->owner, &m->job_envelope_answer);
	return message_answered(&job->owner->held->dkim, &m->job_message_answer);
}

static void
envelope_ended(struct transaction *t, bool good)
{
	static const enum count counts[] = {
	    [AUTH_NONE] = COUNT_spf_none,
	    [AUTH_PASS] = COUNT_spf_pass,
	    [AUTH_FAIL] = COUNT_spf_fail,
	    [AUTH_SOFTFAIL] = COUNT_spf_softfail,
	    [AUTH_NEUTRAL] = COUNT_spf_neutral,
	    [AUTH_TEMPERROR] = COUNT_spf_temperror,
	    [AUTH_PERMERROR] = COUNT_spf_permerror,
	};
	struct msg_envelope_answer copy = {.session = t->session,
	    .transaction = t->number,
	    .spf = good ? t->spf.result : (uint8_t)AUTH_TEMPERROR};

	t->spf.state = good ? CHECK_DONE : CHECK_FAILED;
	if (good)
		count(counts[t->spf.result]);
	link_send(t->worker->link, MSG_envelope_answer, &copy, -1);
}

static void
message_ended(struct dkim_check *dkim, bool good)
{
	dkim->state = good ? CHECK_DONE : CHECK_FAILED;
	if (good)
		count(dkim->count == 0    ? COUNT_dkim_none
		      : dkim->passed == 0 ? COUNT_dkim_other
					  : COUNT_dkim_pass);
}

static void
on_ended(struct job *job, enum job_end end)
{
	struct transaction *t = job->owner;

	t->jobs[job->kind] = NULL;
	if (end != JOB_ANSWERED)
		t->failure = end == JOB_NO_TURN ? REFUSAL_BUSY : REFUSAL_INTERNAL;
	if (job->kind == JOB_ENVELOPE)
		envelope_ended(t, end == JOB_ANSWERED);
	else
		message_ended(&t->held->dkim, end == JOB_ANSWERED);
	proceed(t);
}

static unsigned *
on_budget(struct job *job)
{
	return &job->owner->questions_left;
}

const struct job_hooks judge_hooks = {
    .begin = on_begin,
    .answered = on_answered,
    .ended = on_ended,
    .budget = on_budget,
};

/* ---- what smtpd says ------------------------------------------------------------------------- */

/* A balancer or a tunnel stands before us: the address says nothing about the sender. */
static bool
is_loopback(const struct ip *client)
{
	static const struct ip v6 = {{[IP_LEN - 1] = 1}};

	return ip_is_v4(client) ? client->octets[12] == 127 : memcmp(client, &v6, sizeof(v6)) == 0;
}

static void
envelope_says_nothing(struct transaction *t)
{
	const struct span reason = SPAN("client is this machine");

	count(COUNT_spf_loopback);
	t->spf.result = AUTH_NONE;
	t->spf.reason_len = (uint8_t)reason.len;
	memcpy(t->spf.reason, reason.p, reason.len);
	envelope_ended(t, true);
}

static bool
start_envelope(struct transaction *t)
{
	struct dispatcher *d = t->worker->dispatcher;

	if (is_loopback(&t->client)) {
		envelope_says_nothing(t);
		return true;
	}
	t->jobs[JOB_ENVELOPE] = job_start(&d->jobs, JOB_ENVELOPE, t, JOB_WALL_MS);
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
	t->jobs[JOB_MESSAGE] = job_start(&d->jobs, JOB_MESSAGE, t, limit_ms);
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
		refuse(worker, m->session, m->transaction,
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
		refuse(worker, m->session, m->transaction, REFUSAL_INTERNAL);
	} else if (!link_alive(d->handoff)) {
		refuse(worker, m->session, m->transaction, REFUSAL_INTERNAL);
	} else if (d->conf->spf.check || d->conf->dkim.check) {
		judge_with_checks(worker, m, fd);
	} else {
		*fd = -1;
		hand_on_or_refuse(worker, m, m->budget_ms, owned, NULL, AUTH_UNCHECKED);
	}
}

#include "smtpd/submission.h"

#include "lib/clock.h"

#include "smtpd/avoid.h"
#include "smtpd/counters.h"
#include "smtpd/envelope.h"
#include "smtpd/journal.h"
#include "smtpd/worker.h"

/* ---- the reply -------------------------------------------------------------------------------- */

static void
count_verdict(enum reply_id id)
{
	if (id == REPLY_accepted)
		count(COUNT_messages_accepted);
	else
		count(
		    reply_get(id)->code >= 500 ? COUNT_messages_refused : COUNT_messages_deferred);
}

/* The last word on the transaction; the session is ready for another. */
void
submission_finish(struct session *s, enum reply_id id, const struct reply_details *said)
{
	struct id transaction_id = s->transaction->id;
	struct reply_details details = *said;

	details.id = id_span(&transaction_id);
	s->transaction->verdict = id;
	count_verdict(id);
	session_end_transaction(s);
	state_set(s, STATE_READY);
	session_expect_within(s, worker_command_ms(s->worker));
	session_reply_with(s, id, &details);
}

static void
finish(struct session *s, enum reply_id id)
{
	submission_finish(s, id, &(struct reply_details){0});
}

void
submission_refuse(struct session *s, enum reply_id id)
{
	/* A reply that closes while content still comes in must not be destroyed by a reset. */
	s->unread = s->unread || (s->state == STATE_CONTENT && id == REPLY_far_too_large);
	finish(s, id);
}

/* ---- on the way --------------------------------------------------------------------------------- */

uint64_t
submission_time_left(const struct session *s)
{
	uint64_t due = s->transaction->end_ms + s->worker->conf->limits.reply_budget * 1000;

	return due > s->worker->now_ms ? due - s->worker->now_ms : 0;
}

static struct msg_submit
compose(const struct session *s, const struct transaction *t)
{
	struct msg_submit m = {
	    .session = s->handle,
	    .transaction = t->number,
	    .id = id_span(&t->id),
	    .received = clock_unix(),
	    .budget_ms = (uint32_t)submission_time_left(s),
	    .helo = span_of(s->helo, s->helo_len),
	    .esmtp = s->esmtp,
	    .eight_bit = t->eight_bit,
	    .smtputf8 = t->smtputf8,
	    .declared_size = t->declared_size,
	    .reverse_path = address_span(&t->from),
	    .route = span_of(t->route, t->route_len),
	    .class = span_of(t->class, t->class_len),
	    .size = message_size(&t->message),
	    .content = message_inline(&t->message),
	};

	memcpy(m.client, s->client.octets, sizeof(m.client));
	if (s->tls != NULL) {
		m.tls_version = span_of(s->tls->version, s->tls->version_len);
		m.tls_cipher = span_of(s->tls->cipher, s->tls->cipher_len);
		m.tls_server_name = span_of(s->tls->server_name, s->tls->server_name_len);
	}
	return m;
}

void
submission_begin(struct session *s)
{
	struct transaction *t = s->transaction;
	struct buf grants = buf_over(s->worker->outbox, WORKER_OUTBOX);
	struct msg_submit m;

	state_set(s, STATE_SUBMITTED);
	if (!message_seal(&t->message)) {
		submission_refuse(s, REPLY_content_no_storage);
		return;
	}
	m = compose(s, t);
	m.recipients = transaction_granted(t, &grants);
	t->submitted = worker_send(
	    s->worker, PROGRAM_VALIDATORS, MSG_submit, &m, message_take_fd(&t->message));
	message_release(&t->message);
	session_expect_within(s, submission_time_left(s));
	if (!t->submitted)
		submission_refuse(s, REPLY_internal);
}

/* The session that waits for the fate of that transaction, or NULL. */
static struct session *
find_waiting(struct worker *w, uint64_t handle, uint64_t transaction)
{
	struct session *s;

	worker_wake(w);
	s = worker_find_transaction(w, handle, transaction);
	return s != NULL && s->state == STATE_SUBMITTED ? s : NULL;
}

/* ---- refused by the validators ---------------------------------------------------------------------- */

static const enum reply_id refusals[] = {
    [REFUSAL_INTERNAL] = REPLY_internal,
    [REFUSAL_BUSY] = REPLY_overloaded,
    [REFUSAL_DNS] = REPLY_dns_trouble,
    [REFUSAL_SPF_FAIL] = REPLY_spf_fail,
    [REFUSAL_SPF_DEFER] = REPLY_spf_defer,
    [REFUSAL_LISTED] = REPLY_listed,
    [REFUSAL_LISTED_DEFER] = REPLY_listed_defer,
    [REFUSAL_NO_REVERSE] = REPLY_no_reverse,
    [REFUSAL_NO_REVERSE_DEFER] = REPLY_no_reverse_defer,
    [REFUSAL_SENDER_UNKNOWN] = REPLY_sender_unknown,
    [REFUSAL_SENDER_NULL_MX] = REPLY_sender_null_mx,
    [REFUSAL_SPF_ERROR] = REPLY_spf_error,
    [REFUSAL_HELO] = REPLY_helo_fail,
    [REFUSAL_FROM_MALFORMED] = REPLY_from_malformed,
    [REFUSAL_FROM_SEVERAL] = REPLY_from_several,
    [REFUSAL_DKIM_NONE] = REPLY_dkim_none,
    [REFUSAL_DKIM_UNALIGNED] = REPLY_dkim_unaligned,
    [REFUSAL_DMARC] = REPLY_dmarc_reject,
    [REFUSAL_DEFERRED] = REPLY_policy_defer,
};

/* In: a table of replies; what it does not have is trouble of ours. */
static enum reply_id
look_up(const enum reply_id *table, size_t len, unsigned index)
{
	return index < len && table[index] != REPLY_NONE ? table[index] : REPLY_internal;
}

enum reply_id
submission_refusal(unsigned reason)
{
	return look_up(refusals, sizeof(refusals) / sizeof(refusals[0]), reason);
}

static void
finish_and_go_on(struct session *s, enum reply_id id)
{
	finish(s, id);
	session_resume(s);
}

void
submission_on_refused(struct worker *w, const struct msg_refused *refused)
{
	struct session *s = find_waiting(w, refused->session, refused->transaction);

	if (s == NULL)
		return;
	submission_finish(s, submission_refusal(refused->reason),
	    &(struct reply_details){.argument = refused->detail});
	session_resume(s);
}

/* ---- the commit question -------------------------------------------------------------------------- */

/*
 * The last moment at which nothing has been queued anywhere: a client that is gone, or that we
 * could not answer in time, would repeat the message, so it must not be delivered (rows 23, 26).
 */
static bool
may_commit(struct session *s)
{
	if (s->worker->now_ms >= s->phase_ms) {
		finish(s, REPLY_budget_spent);
		return false;
	}
	if (session_client_gone(s)) {
		count(COUNT_clients_gone);
		journal_client_gone(s, "before");
		finish(s, REPLY_client_gone);
		return false;
	}
	return true;
}

void
submission_on_commit_ask(struct worker *w, const struct msg_commit_ask *ask)
{
	struct session *s = find_waiting(w, ask->session, ask->transaction);
	struct msg_commit_answer answer = {
	    .session = ask->session, .transaction = ask->transaction};

	answer.go = s != NULL && !s->transaction->committed && may_commit(s);
	if (answer.go) {
		s->transaction->committed = true;
		session_expect_within(s, SESSION_COMMIT_MS);
	}
	worker_send(w, PROGRAM_QUEUE_HANDOFF, MSG_commit_answer, &answer, -1);
}

/* ---- the outcome ---------------------------------------------------------------------------------- */

static const enum reply_id outcomes[] = {
    [HANDOFF_TAKEN] = REPLY_accepted,
    [HANDOFF_NO_CONNECTION] = REPLY_backend_down,
    [HANDOFF_BROKEN] = REPLY_backend_broken,
    [HANDOFF_PROTOCOL] = REPLY_backend_deferred,
    [HANDOFF_DEFERRED] = REPLY_backend_deferred,
    [HANDOFF_REFUSED] = REPLY_backend_refused,
    [HANDOFF_DOUBTED] = REPLY_backend_deferred,
    [HANDOFF_GRANT] = REPLY_internal,
    [HANDOFF_INTERNAL] = REPLY_internal,
    [HANDOFF_BUSY] = REPLY_overloaded,
    [HANDOFF_GIVEN_UP] = REPLY_internal,
    [HANDOFF_MIXED] = REPLY_backend_mixed,
    [HANDOFF_TAKEN_BEFORE] = REPLY_accepted,
};

/* The client will ask again; queue-handoff is told when the session ends, and remembers (F17). */
static void
note_client_gone(struct session *s)
{
	count(COUNT_clients_gone);
	journal_client_gone(s, "after");
}

/* What the back end has and the client does not know of: its repeat is to bring no second copy. */
static void
tell_undelivered(struct worker *w, uint64_t session, uint64_t transaction)
{
	struct msg_undelivered m = {.session = session, .transaction = transaction};

	worker_send(w, PROGRAM_QUEUE_HANDOFF, MSG_undelivered, &m, -1);
}

void
submission_on_outcome(struct worker *w, const struct msg_outcome *outcome)
{
	struct session *s = find_waiting(w, outcome->session, outcome->transaction);
	enum reply_id id;

	if (s == NULL) {
		if (outcome->outcome == HANDOFF_TAKEN)
			tell_undelivered(w, outcome->session, outcome->transaction);
		return;
	}
	id = look_up(outcomes, sizeof(outcomes) / sizeof(outcomes[0]), outcome->outcome);
	/* Promise P2: taken without our word to go is a promise about a message that was not whole. */
	if (outcome->outcome == HANDOFF_TAKEN && !s->transaction->committed)
		id = REPLY_internal;
	if (s->transaction->others > 0 && reply_get(id)->code < 500 && id != REPLY_accepted)
		avoid_record(s);
	if (id == REPLY_accepted) {
		s->junk = 0;
		s->promised = s->transaction->number;
		if (s->hangup)
			note_client_gone(s);
	}
	finish_and_go_on(s, id);
}

/* ---- nothing was heard ------------------------------------------------------------------------------ */

void
submission_session_ended(struct session *s)
{
	if (s->promised == 0)
		return;
	count(COUNT_replies_undelivered);
	tell_undelivered(s->worker, s->handle, s->promised);
	s->promised = 0;
}

/* ---- nothing came ------------------------------------------------------------------------------------ */

void
submission_overdue(struct session *s)
{
	finish_and_go_on(s, REPLY_budget_spent);
}

void
submission_on_validators_lost(struct session *s)
{
	/* What was committed is with queue-handoff, which will tell. */
	if (s->state == STATE_SUBMITTED && !s->transaction->committed)
		finish_and_go_on(s, REPLY_internal);
	else if (envelope_awaited(s))
		envelope_give_up(s);
}

void
submission_on_handoff_lost(struct session *s)
{
	if (s->state == STATE_SUBMITTED)
		finish_and_go_on(s, REPLY_internal);
}

#include "smtpd/recipients.h"

#include "smtpd/avoid.h"
#include "smtpd/counters.h"
#include "smtpd/envelope.h"
#include "smtpd/journal.h"
#include "smtpd/penalty.h"
#include "smtpd/recheck.h"
#include "smtpd/worker.h"

bool
recipients_pending(const struct session *s)
{
	return s->transaction != NULL && s->transaction->pending > 0;
}

bool
recipients_can_ask(const struct session *s, const union command_args *args)
{
	return transaction_can_ask(s->transaction, args->rcpt.to.len);
}

/* ---- replies ------------------------------------------------------------------------------ */

/* From the record of the recipient, where it says something that is a status of that class. */
static struct span
status_from_record(const struct msg_rcpt_answer *answer, uint8_t class)
{
	struct span status = answer->status;

	if (status.len < 5 || status.p[0] != class || status.p[1] != '.')
		return span_of(NULL, 0);
	for (size_t i = 0; i < status.len; i++)
		if (!ascii_is_digit(status.p[i]) && status.p[i] != '.')
			return span_of(NULL, 0);
	return status;
}

static struct span
text_from_record(const struct msg_rcpt_answer *answer, struct span fallback)
{
	for (size_t i = 0; i < answer->text.len; i++)
		if (answer->text.p[i] < 32 || answer->text.p[i] > 126)
			return fallback;
	return answer->text.len > 0 ? answer->text : fallback;
}

static void
details_for(enum reply_id id, const struct msg_rcpt_answer *answer, struct reply_details *d_out)
{
	static const struct span disabled = SPAN("Mailbox disabled");
	static const struct span not_now = SPAN("Mailbox not available now");

	*d_out = (struct reply_details){0};
	if (id == REPLY_recipient_refused) {
		d_out->enhanced = status_from_record(answer, '5');
		d_out->argument = text_from_record(answer, disabled);
	} else if (id == REPLY_recipient_deferred || id == REPLY_mailbox_full) {
		d_out->enhanced = status_from_record(answer, '4');
		d_out->argument = text_from_record(answer, not_now);
	}
}

bool
recipients_accepted(const struct msg_rcpt_answer *answer)
{
	return answer->verdict == RCPT_ACCEPTED && answer->recipient.len > 0 &&
	       answer->recipient.len <= ADDRESS_MAX;
}

static enum reply_id
refusal(const struct msg_rcpt_answer *answer)
{
	static const enum reply_id replies[] = {
	    [RCPT_ACCEPTED] = REPLY_lookup_failed, /* but it does not say whom */
	    [RCPT_UNKNOWN_USER] = REPLY_unknown_user,
	    [RCPT_UNKNOWN_DOMAIN] = REPLY_unknown_domain,
	    [RCPT_REFUSED] = REPLY_recipient_refused,
	    [RCPT_DEFERRED] = REPLY_recipient_deferred,
	    [RCPT_TROUBLE] = REPLY_lookup_failed,
	};

	if (answer->verdict == RCPT_DEFERRED && span_eq(answer->status, SPAN("4.2.2")))
		return REPLY_mailbox_full;
	return replies[answer->verdict];
}

enum reply_id
recipients_refusal(const struct msg_rcpt_answer *answer, struct reply_details *d_out)
{
	enum reply_id id = refusal(answer);

	details_for(id, answer, d_out);
	return id;
}

/* The last word on one RCPT. */
static void
settle(struct session *s, enum reply_id id, const struct msg_rcpt_answer *answer, struct span asked)
{
	struct reply_details details;

	s->transaction->tried++;
	if (id == REPLY_recipient_ok) {
		count(COUNT_recipients_accepted);
		s->accepted++;
		admission_recipient(s->worker, &s->admission, true);
		if (answer->observed)
			journal_observed(s, asked);
	} else {
		count(reply_get(id)->kind == REPLY_KIND_REFUSED ? COUNT_recipients_refused
								: COUNT_recipients_deferred);
		journal_recipient(s, asked, id);
	}
	details_for(id, answer, &details);
	if (id == s->transaction->envelope_refusal)
		envelope_refusal(s, &details);
	session_reply_with(s, id, &details);
}

/* ---- decisions ---------------------------------------------------------------------------- */

/* Harvesting: more unknown than accepted, and more than allowed (row 101). */
static enum reply_id
count_unknown(struct session *s)
{
	bool guessing = !admission_recipient(s->worker, &s->admission, false);

	if (++s->unknown > s->accepted &&
	    penalty_for(s, s->unknown, s->worker->conf->limits.unknown_recipients))
		guessing = true;
	return guessing ? REPLY_too_many_unknown : REPLY_unknown_user;
}

static enum reply_id
count_excess(struct transaction *t)
{
	return ++t->excess > RECIPIENTS_EXCESS_MAX ? REPLY_too_many_excess
	                                           : REPLY_too_many_recipients;
}

/* lookupd would accept it: does it fit into this transaction? */
static enum reply_id
decide_accepted(struct session *s, const struct msg_rcpt_answer *answer, struct span asked)
{
	const struct conf *conf = s->worker->conf;
	struct transaction *t = s->transaction;
	uint64_t group_size = groups_message_size(conf, answer->route);
	enum reply_id owed;

	if (!answer->exempt && t->envelope_refusal != REPLY_NONE)
		return t->envelope_refusal;
	if (transaction_find(t, answer->recipient) != NULL)
		return REPLY_recipient_ok; /* once in the envelope (row 97) */
	if (answer->no_bounces && t->from.len == 0)
		return REPLY_no_bounces;
	if (groups_is_down(&s->worker->groups, conf, answer->route))
		return REPLY_group_down;
	if (!transaction_same_group(t, answer)) {
		t->others++;
		return REPLY_other_group;
	}
	if (t->recipients == 0 && avoid_now(s, answer->route))
		return REPLY_other_group;
	/* A bounce has one recipient; several would be a spammer's (row 99). */
	if (t->recipients >= groups_recipients(conf, answer->route) ||
	    (t->from.len == 0 && t->recipients > 0))
		return count_excess(t);
	if ((answer->size_limit > 0 && t->declared_size > answer->size_limit) ||
	    t->declared_size > group_size)
		return REPLY_too_large;
	owed = recall_take(s->worker, address_span(&t->from), answer->recipient, t->declared_size);
	if (owed != REPLY_NONE)
		return owed;
	if (!transaction_add(t, asked, answer))
		return count_excess(t);
	if (group_size < t->size_limit)
		t->size_limit = group_size;
	if (s->state == STATE_MAIL)
		state_set(s, STATE_RCPT);
	return REPLY_recipient_ok;
}

static enum reply_id
decide(struct session *s, const struct msg_rcpt_answer *answer, struct span asked)
{
	if (recipients_accepted(answer))
		return decide_accepted(s, answer, asked);
	if (answer->verdict == RCPT_UNKNOWN_USER)
		return count_unknown(s);
	return refusal(answer);
}

/* ---- questions and answers ------------------------------------------------------------------ */

/* After each answer: the next one gets its time, or the client does. */
static void
expect_next(struct session *s)
{
	const struct conf_limits *limits = &s->worker->conf->limits;

	if (recipients_pending(s))
		session_expect_within(s, limits->lookup_timeout * 1000);
	else
		session_expect_within(s, worker_command_ms(s->worker));
}

void
recipients_on_answer(struct worker *w, const struct msg_rcpt_answer *answer)
{
	struct session *s;
	struct span asked;

	worker_wake(w);
	s = worker_find_transaction(w, answer->session, answer->transaction);
	if (s == NULL)
		return;
	if (s->transaction->stale > 0) {
		s->transaction->stale--;
		return;
	}
	if (s->state == STATE_RECHECK) {
		recheck_on_answer(s, answer);
		return;
	}
	if (!recipients_pending(s) || (IN_COMMANDS & 1u << s->state) == 0)
		return;
	transaction_answered(s->transaction, &asked);
	expect_next(s);
	settle(s, decide(s, answer, asked), answer, asked);
	/* Lines that wait are looked at when the last answer is in; so is room for questions. */
	if (s->waiting && !recipients_pending(s))
		session_resume(s);
}

/* In: coming, how many of the outstanding answers will come nevertheless. */
static void
give_up(struct session *s, unsigned coming)
{
	static const struct msg_rcpt_answer trouble = {.verdict = RCPT_TROUBLE};
	struct span asked;

	s->transaction->stale += coming;
	while (recipients_pending(s)) {
		transaction_answered(s->transaction, &asked);
		settle(s, REPLY_lookup_failed, &trouble, asked);
	}
	expect_next(s);
}

void
recipients_ask(struct session *s, struct span to)
{
	static const struct msg_rcpt_answer trouble = {.verdict = RCPT_TROUBLE};
	struct transaction *t = s->transaction;
	struct msg_rcpt_ask ask = {.session = s->handle, .transaction = t->number, .address = to};

	if (!transaction_ask(t, to)) {
		settle(s, REPLY_lookup_failed, &trouble, to);
		return;
	}
	if (t->pending == 1)
		session_expect_within(s, s->worker->conf->limits.lookup_timeout * 1000);
	if (!worker_send(s->worker, PROGRAM_LOOKUPD, MSG_rcpt_ask, &ask, -1))
		give_up(s, worker_reaches(s->worker, PROGRAM_LOOKUPD) ? t->pending - 1 : 0);
}

void
recipients_overdue(struct session *s)
{
	give_up(s, s->transaction->pending);
	session_resume(s);
}

void
recipients_on_lookupd_lost(struct session *s)
{
	if (s->transaction == NULL)
		return;
	s->transaction->stale = 0;
	if (s->state == STATE_RECHECK)
		recheck_give_up(s);
	else if (recipients_pending(s))
		give_up(s, 0);
	else
		return;
	worker_resume_later(s);
}

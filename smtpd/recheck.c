#include "smtpd/recheck.h"

#include "smtpd/journal.h"
#include "smtpd/recipients.h"
#include "smtpd/submission.h"
#include "smtpd/worker.h"

bool
recheck_needed(const struct session *s)
{
	uint64_t current = s->worker->generation;
	const struct recipient *r = s->transaction->first;

	while (r != NULL && r->generation == current)
		r = r->next;
	return current != 0 && r != NULL;
}

/* ---- questions ---------------------------------------------------------------------------- */

/* As many as RCPT may ask at once: a thousand from each of many sessions would fill the link. */
static bool
ask_more(struct session *s)
{
	struct transaction *t = s->transaction;
	struct msg_rcpt_ask ask = {.session = s->handle, .transaction = t->number};

	while (t->unasked != NULL && t->outstanding < TRANSACTION_PENDING_MAX) {
		ask.address = transaction_asked(t->unasked);
		if (!worker_send(s->worker, PROGRAM_LOOKUPD, MSG_rcpt_ask, &ask, -1))
			return false;
		t->unasked = t->unasked->next;
		t->outstanding++;
	}
	return true;
}

void
recheck_begin(struct session *s)
{
	struct transaction *t = s->transaction;
	uint64_t patience = s->worker->conf->limits.lookup_timeout * 1000;
	uint64_t left = submission_time_left(s);

	state_set(s, STATE_RECHECK);
	t->unasked = t->unanswered = t->first;
	t->outstanding = 0;
	session_expect_within(s, patience < left ? patience : left);
	if (!ask_more(s))
		recheck_give_up(s);
}

/* ---- answers ------------------------------------------------------------------------------ */

/* Takes over the new grant. Returns: REPLY_NONE, or what keeps the recipient from the message. */
static enum reply_id
renew(struct transaction *t, struct recipient *r, const struct msg_rcpt_answer *answer,
    struct reply_details *d_out)
{
	if (!recipients_accepted(answer))
		return recipients_refusal(answer, d_out);
	if (answer->size_limit > 0 && t->content.size > answer->size_limit)
		return REPLY_too_large;
	return transaction_renew(t, r, answer) ? REPLY_NONE : REPLY_recipients_changed;
}

/* The rest of the answers will find no transaction. */
static void
refuse(struct session *s, enum reply_id id, const struct reply_details *details)
{
	static const struct reply_details none;
	const struct transaction *t = s->transaction;

	journal_recipient(s, transaction_asked(t->unanswered), id);
	if (t->recipients <= 1 || id == REPLY_lookup_failed)
		submission_finish(s, id, details);
	else
		submission_finish(s, REPLY_recipients_changed, &none);
}

void
recheck_on_answer(struct session *s, const struct msg_rcpt_answer *answer)
{
	struct transaction *t = s->transaction;
	struct recipient *r = t->unanswered, *next = r->next;
	struct reply_details details = {0};
	enum reply_id complaint;

	t->outstanding--;
	complaint = renew(t, r, answer, &details);
	if (complaint == REPLY_NONE) {
		t->unanswered = next;
		if (next == NULL)
			submission_begin(s);
		else if (!ask_more(s))
			recheck_give_up(s);
	} else {
		refuse(s, complaint, &details);
	}
	if (s->state != STATE_RECHECK)
		session_resume(s);
}

/* ---- no answers --------------------------------------------------------------------------- */

void
recheck_give_up(struct session *s)
{
	refuse(s, REPLY_lookup_failed, &(struct reply_details){0});
}

void
recheck_overdue(struct session *s)
{
	recheck_give_up(s);
	session_resume(s);
}

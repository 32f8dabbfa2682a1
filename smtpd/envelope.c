#include "smtpd/envelope.h"

#include "smtpd/recipients.h"
#include "smtpd/submission.h"
#include "smtpd/worker.h"

/* Validators give up after less; clients wait five minutes for the answer to a command. */
enum { WAIT_MS = 25 * 1000 };

void
envelope_ask(struct session *s)
{
	struct transaction *t = s->transaction;
	const struct conf *conf = s->worker->conf;
	struct msg_envelope m = {
	    .session = s->handle,
	    .transaction = t->number,
	    .helo = span_of(s->helo, s->helo_len),
	    .reverse_path = address_span(&t->from),
	};

	if (!conf_judges_envelope(conf))
		return;
	memcpy(m.client, s->client.octets, sizeof(m.client));
	/* When it cannot be sent, neither can the message later: that is a 451 then. */
	if (worker_send(s->worker, PROGRAM_VALIDATORS, MSG_envelope, &m, -1))
		t->awaits_envelope = conf_envelope_is_awaited(conf);
	else if (conf_envelope_is_awaited(conf))
		t->envelope_refusal = REPLY_internal;
}

bool
envelope_awaited(const struct session *s)
{
	return s->transaction != NULL && s->transaction->awaits_envelope;
}

void
envelope_wait(struct session *s)
{
	uint64_t due = s->transaction->mail_ms + WAIT_MS;
	uint64_t now = s->worker->now_ms;

	session_expect_within(s, due > now ? due - now : 0);
}

enum reply_id
envelope_refusal(const struct session *s, struct reply_details *details_out)
{
	*details_out = (struct reply_details){.argument = s->transaction->envelope_detail};
	return s->transaction->envelope_refusal;
}

/* It is the operator's own text, but it came by another program: nothing else may become a reply. */
static bool
is_plain(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < 32 || text.p[i] > 126)
			return false;
	return true;
}

/* The next command may be one that has waited for this. */
static void
go_on(struct session *s)
{
	if (!s->waiting || recipients_pending(s))
		return;
	session_expect_within(s, worker_command_ms(s->worker));
	session_resume(s);
}

void
envelope_on_answer(struct worker *w, const struct msg_envelope_answer *answer)
{
	struct session *s;
	struct transaction *t;

	worker_wake(w);
	s = worker_find_transaction(w, answer->session, answer->transaction);
	if (s == NULL)
		return;
	t = s->transaction;
	t->spf = (enum auth_result)answer->spf;
	if (t->client_name.len == 0)
		t->client_name = transaction_keep(t, answer->client_name);
	/* Also one that comes too late for the first recipients holds for those to come. */
	if (conf_envelope_may_refuse(w->conf)) {
		t->envelope_refusal = REPLY_NONE;
		if (answer->refuse)
			t->envelope_refusal = submission_refusal(answer->reason);
		if (answer->refuse && t->envelope_detail.len == 0 && is_plain(answer->detail))
			t->envelope_detail = transaction_keep(t, answer->detail);
	}
	t->awaits_envelope = false;
	go_on(s);
}

void
envelope_give_up(struct session *s)
{
	s->transaction->awaits_envelope = false;
	s->transaction->envelope_refusal =
	    worker_reaches(s->worker, PROGRAM_VALIDATORS) ? REPLY_dns_trouble : REPLY_internal;
	go_on(s);
}

/*
 * STARTTLS: RFC 3207, and sessions that begin with the handshake. The client's socket goes to tlsd; a plain socket comes back. This process
 * never sees a TLS octet and links no TLS library.
 */
#include <stdlib.h>
#include <unistd.h>

#include "smtpd/arrival.h"
#include "smtpd/command.h"
#include "smtpd/counters.h"
#include "smtpd/tls.h"
#include "smtpd/worker.h"

enum reply_id
starttls_check(const struct session *s, struct span argument, union command_args *args_out)
{
	(void)args_out;
	if (argument.len > 0)
		return REPLY_bad_argument;
	if (!s->worker->tls_offered)
		return REPLY_not_offered;
	if (!s->esmtp || s->tls != NULL)
		return REPLY_bad_sequence;
	return worker_reaches(s->worker, PROGRAM_TLSD) ? REPLY_NONE : REPLY_tls_not_now;
}

/* RFC 3207 4.2: what the client said in plain text is forgotten; what we counted is not. */
static void
forget(struct session *s)
{
	s->esmtp = false;
	s->helo_len = 0;
	s->line = (struct line_finder){0};
	input_clear(&s->input, &s->worker->blocks);
}

static void
pass_on(struct session *s)
{
	struct msg_tls_start start = {.session = s->handle};

	state_set(s, STATE_TLS);
	session_expect_within(s, SESSION_TLS_MS);
	if (!worker_send(s->worker, PROGRAM_TLSD, MSG_tls_start, &start, session_detach(s)))
		session_end(s, "tls-lost");
}

void
starttls_apply(struct session *s, const union command_args *args)
{
	(void)args;
	if (!admission_handshake(s->worker, &s->client, &s->admission)) {
		session_reply(s, REPLY_tls_not_now);
		return;
	}
	session_reply(s, REPLY_tls_go);
	session_settle(s);
	/* A client that cannot take 30 octets now is not one that wants TLS. */
	if (s->state != STATE_READY || !output_empty(&s->output)) {
		session_close(s, "tls-not-started");
		return;
	}
	forget(s);
	pass_on(s);
}

void
tls_begin(struct session *s)
{
	/* Nothing can be said: the client would take it for a broken handshake. */
	if (!worker_reaches(s->worker, PROGRAM_TLSD))
		session_end(s, "tls-lost");
	else if (!admission_handshake(s->worker, &s->client, &s->admission))
		session_end(s, "limit");
	else
		pass_on(s);
}

static struct tls_facts *
facts_new(const struct msg_tls_up *up)
{
	struct tls_facts *facts = malloc(sizeof(*facts));

	if (facts == NULL)
		return NULL;
	facts->version_len = (uint8_t)up->version.len;
	facts->cipher_len = (uint8_t)up->cipher.len;
	facts->server_name_len = (uint8_t)up->server_name.len;
	memcpy(facts->version, up->version.p, up->version.len);
	memcpy(facts->cipher, up->cipher.p, up->cipher.len);
	if (up->server_name.len > 0)
		memcpy(facts->server_name, up->server_name.p, up->server_name.len);
	return facts;
}

void
tls_on_up(struct worker *w, const struct msg_tls_up *up, int fd)
{
	struct session *s;

	worker_wake(w);
	s = worker_find(w, up->session);
	if (s == NULL || s->state != STATE_TLS) {
		close(fd);
		return;
	}
	s->tls = facts_new(up);
	if (!session_attach(s, fd) || s->tls == NULL) {
		session_end(s, "memory");
		return;
	}
	count(COUNT_sessions_tls);
	if (s->greeted) {
		state_set(s, STATE_GREETED);
		session_expect_within(s, worker_command_ms(w));
	} else {
		state_set(s, STATE_CONNECTED);
		arrival_begin(s);
	}
	worker_settle_later(s); /* in case the program is about to end */
}

void
tls_on_failed(struct worker *w, const struct msg_tls_failed *failed)
{
	struct session *s;

	worker_wake(w);
	s = worker_find(w, failed->session);
	if (s != NULL && s->state == STATE_TLS)
		session_end(s, "tls-failed");
}

void
tls_on_tlsd_lost(struct session *s)
{
	if (s->state == STATE_TLS)
		session_end(s, "tls-lost");
}

#include "smtpd/arrival.h"

#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/admission.h"
#include "smtpd/counters.h"
#include "smtpd/journal.h"
#include "smtpd/tls.h"
#include "smtpd/worker.h"

static const struct reply_details nothing;

/* ---- the greeting ----------------------------------------------------------------------------- */

/* Who talks before the greeting is no mail client (rows 4, 5). */
static void
greet(struct session *s)
{
	ssize_t early = session_peek(s);
	struct reply_details details = {.argument = span_str(s->worker->conf->top.hostname)};

	if (early < 0) {
		session_end(s, "client-closed");
	} else if (early > 0) {
		s->unread = true;
		session_reply(s, REPLY_not_synchronized);
	} else {
		s->greeted = true;
		state_set(s, STATE_GREETED);
		session_expect_within(s, worker_command_ms(s->worker));
		session_reply_with(s, REPLY_greeting, &details);
	}
}

/* A delay costs a session, of which there are few under stress. */
void
arrival_begin(struct session *s)
{
	const struct worker *w = s->worker;

	if (w->conf->top.greeting_delay == 0 || w->stress || s->admission.trusted)
		greet(s);
	else
		session_expect_within(s, w->conf->top.greeting_delay * 1000);
}

void
arrival_on_input(struct session *s)
{
	greet(s);
}

void
arrival_overdue(struct session *s)
{
	greet(s);
}

/* ---- accepted ----------------------------------------------------------------------------------- */

static void
turn_away(int fd, enum reply_id id, bool tls)
{
	uint8_t text[REPLY_LINE_MAX];
	struct buf b = BUF_OVER(text);

	reply_put(&b, id, &nothing);
	/* Who expects a handshake would take it for a broken one. */
	if (!tls)
		send(fd, b.p, b.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

/* Returns: NULL when no slot or no memory is free. */
static struct session *
make_session(struct worker *w, const struct ip *client, uint16_t port)
{
	struct session *s = pool_take(&w->session_pool);

	if (s == NULL)
		return NULL;
	*s = (struct session){.worker = w, .fd = -1, .client = *client, .port = port};
	if (!worker_seat(w, s)) {
		pool_give(&w->session_pool, s);
		return NULL;
	}
	s->started_ms = w->now_ms;
	return s;
}

struct session *
arrival_take(struct worker *w, int fd, const struct ip *peer, uint16_t port, bool tls)
{
	struct admission admission;
	enum reply_id refusal = admission_ask(w, peer, &admission);
	struct session *s = NULL;

	if (refusal == REPLY_NONE)
		s = make_session(w, peer, port);
	if (s == NULL) {
		if (refusal == REPLY_NONE)
			count(COUNT_sessions_turned_away);
		admission_end(w, &admission);
		turn_away(fd, refusal != REPLY_NONE ? refusal : REPLY_busy, tls);
		return NULL;
	}
	s->admission = admission;
	journal_connect(s);
	if (!session_attach(s, fd))
		session_end(s, "memory");
	else if (tls)
		tls_begin(s);
	else
		arrival_begin(s);
	return s;
}

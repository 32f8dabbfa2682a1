#include "smtpd/arrival.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/admission.h"
#include "smtpd/counters.h"
#include "smtpd/journal.h"
#include "smtpd/proxy.h"
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

/* ---- for whom a balancer speaks ------------------------------------------------------------------- */

/* Its name and its lists are asked for while it still says hello. */
static void
tell_validators(const struct session *s)
{
	struct msg_arrival m;

	memcpy(m.client, s->client.octets, sizeof(m.client));
	if (conf_judges_clients(s->worker->conf) && !s->client_unknown)
		worker_send(s->worker, PROGRAM_VALIDATORS, MSG_arrival, &m, -1);
}

static void
begin(struct session *s)
{
	tell_validators(s);
	if (s->tls_first)
		tls_begin(s);
	else
		arrival_begin(s);
	/* What came right behind the header is no news to the socket. */
	if (s->state == STATE_CONNECTED && s->readable && session_peek(s) != 0)
		greet(s);
}

/* Its own address counts for nothing from here on. */
static void
take_client(struct session *s, const struct proxy_header *h)
{
	struct ip balancer = s->client;
	enum reply_id refusal;

	s->awaits_proxy = false;
	s->client_unknown = h->unknown;
	if (!h->unknown) {
		s->client = h->client;
		s->port = h->port;
	}
	journal_connect(s, &balancer);
	refusal = h->unknown ? REPLY_NONE : admission_ask(s->worker, &s->client, &s->admission);
	if (refusal == REPLY_NONE && groups_all_down(&s->worker->groups, s->worker->conf))
		refusal = REPLY_no_backend;
	if (refusal == REPLY_NONE)
		begin(s);
	else if (s->tls_first)
		session_end(s, reply_get(refusal)->name);
	else
		session_reply(s, refusal);
}

/* Exactly the octets of the header: what follows may be for tlsd. */
static bool
swallow(const struct session *s, size_t len)
{
	return recv(s->fd, s->worker->inbox, len, MSG_DONTWAIT) == (ssize_t)len;
}

/* Row 9: what is no header gets no reply. */
static void
read_header(struct session *s)
{
	ssize_t n = recv(s->fd, s->worker->inbox, PROXY_MAX, MSG_PEEK | MSG_DONTWAIT);
	struct proxy_header h;
	enum proxy_status status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		session_end(s, "client-closed");
		return;
	}
	status = proxy_parse(span_of(s->worker->inbox, (size_t)n), &h);
	if (status == PROXY_GOOD && swallow(s, h.len)) {
		take_client(s, &h);
	} else if (status != PROXY_MORE || s->hangup) {
		count(COUNT_proxy_headers_bad);
		session_end(s, "bad-proxy-header");
	}
}

void
arrival_on_input(struct session *s)
{
	if (s->awaits_proxy)
		read_header(s);
	else
		greet(s);
}

void
arrival_overdue(struct session *s)
{
	if (s->awaits_proxy) {
		count(COUNT_proxy_headers_bad);
		session_end(s, "bad-proxy-header");
	} else {
		greet(s);
	}
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
	bool proxied = network_list_contains(&w->proxy_from, peer);
	struct admission admission = {0};
	enum reply_id refusal = proxied ? REPLY_NONE : admission_ask(w, peer, &admission);
	struct session *s = NULL;

	if (refusal == REPLY_NONE && !proxied && groups_all_down(&w->groups, w->conf))
		refusal = REPLY_no_backend;
	if (refusal == REPLY_NONE)
		s = make_session(w, peer, port);
	if (s == NULL) {
		count_add(COUNT_sessions_turned_away, refusal == REPLY_NONE);
		admission_end(w, &admission);
		turn_away(fd, refusal != REPLY_NONE ? refusal : REPLY_busy, tls);
		return NULL;
	}
	s->admission = admission;
	s->awaits_proxy = proxied;
	s->tls_first = tls;
	if (proxied)
		session_expect_within(s, SESSION_PROXY_MS);
	else
		journal_connect(s, NULL);
	if (!session_attach(s, fd))
		session_end(s, "memory");
	else if (!proxied)
		begin(s);
	return s;
}

#include "tlsd/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"

#include "tlsd/counters.h"
#include "tlsd/facts.h"

enum state {
	STATE_HANDSHAKE,
	STATE_RELAY,
	STATE_FLUSH,  /* smtpd has closed; the client gets what is left, and close_notify */
	STATE_LINGER, /* so that unread octets do not turn our last words into a reset */
};

struct session {
	struct session_pool *pool;
	struct session_list *list;
	struct session *next, **at; /* in the list */
	struct relay relay;
	uint64_t handle;
	uint64_t begun_ms;
	int client;
	enum state state;
	unsigned client_flags, plain_flags; /* what is being watched */
	struct watch client_watch, plain_watch;
	struct timer deadline;
	size_t lingered;
	bool has_ip;
	bool client_closed; /* FIN or reset was seen, perhaps with octets before it */
	bool client_ended;  /* and the plain side was told */
	bool plain_closed;  /* smtpd has closed, perhaps with octets before it */
	struct ip ip;
};

static void session_step(struct session *s, unsigned client_events, unsigned plain_events);

/* ---- life ------------------------------------------------------------------------------------------ */

static void
session_unlink(struct session *s)
{
	*s->at = s->next;
	if (s->next != NULL)
		s->next->at = s->at;
}

static void
plain_close(struct session *s)
{
	watch_stop(&s->plain_watch);
	s->plain_flags = 0;
	if (s->relay.plain >= 0)
		close(s->relay.plain);
	s->relay.plain = -1;
	pipe_clear(&s->relay.to_plain);
}

static void
session_free(struct session *s)
{
	struct session_pool *pool = s->pool;

	plain_close(s);
	watch_stop(&s->client_watch);
	timer_stop(&s->deadline);
	tls_stream_free(&s->relay.stream);
	pipe_clear(&s->relay.to_client);
	/* The connection ends even if somebody has another descriptor of it. */
	shutdown(s->client, SHUT_RDWR);
	close(s->client);
	session_unlink(s);
	free(s);
	pool->count--;
	TLSD_COUNT(sessions) = pool->count;
	if (pool->count == 0 && pool->on_empty != NULL)
		pool->on_empty(pool->arg);
}

void
session_end_all(struct session_list *list)
{
	while (list->first != NULL)
		session_free(list->first);
}

static void
log_client(struct log_line *l, const struct session *s)
{
	if (s->has_ip)
		log_ip(l, "client", &s->ip);
}

static void
client_address(struct session *s)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	uint16_t port;

	memset(&sa, 0, sizeof(sa));
	/* UNSAFE: sockaddr_storage is made to be read as a sockaddr. */
	if (getpeername(s->client, (struct sockaddr *)(void *)&sa, &len) == 0)
		s->has_ip = ip_from_sockaddr((struct sockaddr *)(void *)&sa, &s->ip, &port);
}

/* ---- watching ---------------------------------------------------------------------------------------- */

static void
on_client(void *arg, unsigned events)
{
	session_step(arg, events, 0);
}

static void
on_plain(void *arg, unsigned events)
{
	session_step(arg, 0, events);
}

/* Returns: false when the kernel refuses. */
static bool
watch_change(struct session *s, struct watch *w, int fd, unsigned *flags, unsigned want,
    void (*fn)(void *arg, unsigned events))
{
	if (*flags == want)
		return true;
	*flags = want;
	watch_stop(w);
	return want == 0 || watch_start(s->pool->loop, w, fd, want, fn, s) == 0;
}

static unsigned
relay_client_wants(const struct session *s)
{
	bool full = pipe_waiting(&s->relay.to_plain).len > 0;
	bool blocked = pipe_waiting(&s->relay.to_client).len > 0;

	return (!s->client_ended && !full ? WATCH_READ : 0u) |
	       (blocked || s->relay.client_wants_write ? WATCH_WRITE : 0u) |
	       (!s->client_closed ? WATCH_CLOSED : 0u);
}

/* While nothing is read from the plain socket, its end must be seen all the same. */
static unsigned
relay_plain_wants(const struct session *s)
{
	bool full = pipe_waiting(&s->relay.to_plain).len > 0;
	bool blocked = pipe_waiting(&s->relay.to_client).len > 0;

	return (!blocked             ? WATCH_READ
		   : s->plain_closed ? 0u
				     : WATCH_CLOSED) |
	       (full ? WATCH_WRITE : 0u);
}

static void
relay_watch(struct session *s)
{
	if (!watch_change(s, &s->client_watch, s->client, &s->client_flags, relay_client_wants(s),
		on_client) ||
	    !watch_change(s, &s->plain_watch, s->relay.plain, &s->plain_flags, relay_plain_wants(s),
		on_plain))
		session_free(s);
}

static bool
client_watch(struct session *s, unsigned want)
{
	return watch_change(s, &s->client_watch, s->client, &s->client_flags, want, on_client);
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static void handshake_fail(struct session *s, enum tls_failure reason, const char *text);

static void
on_deadline(void *arg)
{
	struct session *s = arg;

	if (s->state == STATE_HANDSHAKE)
		handshake_fail(s, TLS_FAILED_TIMEOUT, "timeout");
	else
		session_free(s);
}

/* Throws away what the client still sends, until it closes too. */
static void
linger_step(struct session *s)
{
	ssize_t n = recv(s->client, s->pool->scratch, RELAY_SCRATCH, MSG_DONTWAIT);

	if (n > 0)
		s->lingered += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
	    s->lingered > SESSION_LINGER_OCTETS)
		session_free(s);
}

static void
linger_start(struct session *s)
{
	if (s->client_closed) {
		session_free(s);
		return;
	}
	s->state = STATE_LINGER;
	shutdown(s->client, SHUT_WR);
	if (timer_set(s->pool->loop, &s->deadline, SESSION_LINGER_MS, on_deadline, s) != 0 ||
	    !client_watch(s, WATCH_READ))
		session_free(s);
}

static void
flush_step(struct session *s)
{
	enum flow flow = relay_flush(&s->relay);

	if (flow == FLOW_GOES && tls_stream_close(s->relay.stream) == 0)
		linger_start(s);
	else if (flow == FLOW_BROKEN || !client_watch(s, WATCH_WRITE))
		session_free(s);
}

static void
flush_start(struct session *s)
{
	plain_close(s);
	s->state = STATE_FLUSH;
	if (timer_set(s->pool->loop, &s->deadline, SESSION_FLUSH_MS, on_deadline, s) != 0)
		session_free(s);
	else
		flush_step(s);
}

static void
session_broken(struct session *s)
{
	struct log_line line;

	TLSD_COUNT(broken)++;
	log_begin(&line, EVENT_tls_broken);
	log_client(&line, s);
	log_str(&line, "reason", tls_stream_error(s->relay.stream));
	log_end(&line);
	session_free(s);
}

/* ---- the relay ---------------------------------------------------------------------------------------- */

/* The client's end, passed on; from now on only smtpd speaks. */
static void
client_end(struct session *s)
{
	if (pipe_waiting(&s->relay.to_plain).len > 0)
		TLSD_COUNT(truncated)++;
	pipe_clear(&s->relay.to_plain);
	shutdown(s->relay.plain, SHUT_WR);
	s->client_ended = true;
	s->relay.client_wants_write = false;
}

/* Returns: false when the session is gone. */
static bool
relay_in_step(struct session *s)
{
	enum flow flow = relay_in(&s->relay);

	if (flow == FLOW_BROKEN) {
		session_broken(s);
		return false;
	}
	if (flow == FLOW_ENDED || (flow == FLOW_FULL && s->client_closed))
		client_end(s);
	return true;
}

static bool
relay_out_step(struct session *s)
{
	enum flow flow = relay_out(&s->relay);

	if (flow == FLOW_BROKEN && s->client_ended)
		session_free(s); /* it has gone, and was only not told so */
	else if (flow == FLOW_BROKEN)
		session_broken(s);
	else if (flow == FLOW_ENDED)
		flush_start(s);
	return flow == FLOW_GOES || flow == FLOW_FULL;
}

static void
relay_step(struct session *s, unsigned client_events, unsigned plain_events)
{
	bool blocked = pipe_waiting(&s->relay.to_client).len > 0;

	if ((client_events & WATCH_CLOSED) != 0)
		s->client_closed = true;
	if ((plain_events & WATCH_CLOSED) != 0 && !s->plain_closed) {
		s->plain_closed = true;
		if (timer_set(s->pool->loop, &s->deadline, SESSION_FLUSH_MS, on_deadline, s) != 0) {
			session_free(s);
			return;
		}
	}
	if (!s->client_ended && (client_events != 0 || (plain_events & WATCH_WRITE) != 0) &&
	    !relay_in_step(s))
		return;
	if ((plain_events != 0 || (client_events != 0 && blocked)) && !relay_out_step(s))
		return;
	relay_watch(s);
}

/* ---- the handshake ------------------------------------------------------------------------------------ */

static void
send_failed(struct session_list *list, uint64_t handle, enum tls_failure reason)
{
	struct msg_tls_failed failed = {.session = handle, .reason = (uint8_t)reason};

	link_send(list->link, MSG_tls_failed, &failed, -1);
}

static void
count_failure(enum tls_failure reason)
{
	static const enum tlsd_counter counters[] = {
	    [TLS_FAILED_HANDSHAKE] = TLSD_COUNT_handshakes_failed,
	    [TLS_FAILED_TIMEOUT] = TLSD_COUNT_handshakes_timeout,
	    [TLS_FAILED_INTERNAL] = TLSD_COUNT_handshakes_internal,
	};

	tlsd_counters[counters[reason]].value++;
}

static void
handshake_fail(struct session *s, enum tls_failure reason, const char *text)
{
	struct log_line line;

	count_failure(reason);
	log_begin(&line, EVENT_tls_handshake_failed);
	log_client(&line, s);
	log_str(&line, "reason", text);
	log_u64(&line, "ms", loop_now(s->pool->loop) - s->begun_ms);
	log_end(&line);
	send_failed(s->list, s->handle, reason);
	session_free(s);
}

static void
log_session(const struct session *s, const struct msg_tls_up *up)
{
	struct log_line line;

	log_begin(&line, EVENT_tls_session);
	log_client(&line, s);
	log_span(&line, "version", up->version);
	log_span(&line, "cipher", up->cipher);
	if (up->server_name.len > 0)
		log_span(&line, "server_name", up->server_name);
	log_u64(&line, "ms", loop_now(s->pool->loop) - s->begun_ms);
	log_end(&line);
}

/* Gives smtpd its end of the plain socket. Returns: false when something is missing for that. */
static bool
session_up(struct session *s)
{
	const char *version = tls_stream_version(s->relay.stream),
		   *cipher = tls_stream_cipher(s->relay.stream);
	uint8_t name[255];
	struct buf server_name = BUF_OVER(name);
	struct msg_tls_up up = {.session = s->handle};
	int pair[2];

	if (!facts_token_ok(version, 32) || !facts_token_ok(cipher, 64) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	s->relay.plain = pair[0];
	facts_server_name(&server_name, tls_stream_server_name(s->relay.stream));
	up.version = span_str(version);
	up.cipher = span_str(cipher);
	up.server_name = buf_span(&server_name);
	if (!link_send(s->list->link, MSG_tls_up, &up, pair[1]))
		return false;
	log_session(s, &up);
	return true;
}

/*
 * The client's last handshake octets ask for no answer, so their acknowledgement would be delayed, and
 * its next command would wait for that (RFC 1122 4.2.3.4): 40 ms in each session.
 */
static void
acknowledge(const struct session *s)
{
	int one = 1;

	setsockopt(s->client, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

static void
handshake_done(struct session *s)
{
	timer_stop(&s->deadline);
	acknowledge(s);
	if (!session_up(s)) {
		handshake_fail(s, TLS_FAILED_INTERNAL, "resources");
		return;
	}
	TLSD_COUNT(handshakes_done)++;
	s->state = STATE_RELAY;
	relay_step(s, WATCH_READ, 0);
}

static void
handshake_step(struct session *s)
{
	int rc = tls_stream_handshake(s->relay.stream);

	if (rc == TLS_WANT_READ || rc == TLS_WANT_WRITE) {
		/* What cannot be watched is no socket. */
		if (!client_watch(s, rc == TLS_WANT_READ ? WATCH_READ : WATCH_WRITE))
			handshake_fail(s, TLS_FAILED_INTERNAL, "watch");
	} else if (rc == 0)
		handshake_done(s);
	else if (tls_stream_unsigned(s->relay.stream))
		handshake_fail(s, TLS_FAILED_INTERNAL, "no signature from tls-keys");
	else
		handshake_fail(s, TLS_FAILED_HANDSHAKE, tls_stream_error(s->relay.stream));
}

static void
session_step(struct session *s, unsigned client_events, unsigned plain_events)
{
	switch (s->state) {
	case STATE_HANDSHAKE:
		handshake_step(s);
		break;
	case STATE_RELAY:
		relay_step(s, client_events, plain_events);
		break;
	case STATE_FLUSH:
		flush_step(s);
		break;
	case STATE_LINGER:
		linger_step(s);
		break;
	}
}

/* ---- the beginning --------------------------------------------------------------------------------------- */

void
session_refuse(struct session_list *list, uint64_t handle, int fd, const char *reason)
{
	count_failure(TLS_FAILED_INTERNAL);
	log_event1(EVENT_tls_handshake_failed, "reason", reason);
	shutdown(fd, SHUT_RDWR);
	close(fd);
	send_failed(list, handle, TLS_FAILED_INTERNAL);
}

static struct session *
session_new(struct session_pool *pool, struct session_list *list, uint64_t handle, int fd)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->relay.stream = tls_stream_new(pool->certificates->current.context, fd);
	if (s->relay.stream == NULL) {
		free(s);
		return NULL;
	}
	s->pool = pool;
	s->list = list;
	s->handle = handle;
	s->client = fd;
	s->relay.plain = -1;
	s->relay.scratch = pool->scratch;
	s->begun_ms = loop_now(pool->loop);
	s->next = list->first;
	s->at = &list->first;
	if (s->next != NULL)
		s->next->at = &s->next;
	list->first = s;
	pool->count++;
	return s;
}

void
session_start(struct session_pool *pool, struct session_list *list, uint64_t handle, int fd)
{
	struct session *s = NULL;
	const char *reason = "no memory";

	TLSD_COUNT(handshakes)++;
	if (pool->count >= pool->most) {
		TLSD_COUNT(refused_full)++;
		reason = "too many sessions";
	} else if (pool->certificates->current.context == NULL)
		reason = "no certificate in service";
	else
		s = session_new(pool, list, handle, fd);
	if (s == NULL) {
		session_refuse(list, handle, fd, reason);
		return;
	}
	TLSD_COUNT(sessions) = pool->count;
	client_address(s);
	if (timer_set(pool->loop, &s->deadline, pool->handshake_timeout_ms, on_deadline, s) != 0)
		handshake_fail(s, TLS_FAILED_INTERNAL, "no memory");
	else
		handshake_step(s);
}

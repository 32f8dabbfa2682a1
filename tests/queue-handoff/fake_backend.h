/*
 * A back end on loopback that does what a script says, in the same loop as the hand-off under
 * test: everything that section "back-end misbehaviour" of the catalogue lists.
 */
#ifndef TESTS_QUEUE_HANDOFF_FAKE_BACKEND_H
#define TESTS_QUEUE_HANDOFF_FAKE_BACKEND_H

#include "lib/loop.h"
#include "lib/netstring.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAKE_NEVER = -1, FAKE_ROOM = 4 * 1024 * 1024, FAKE_CONNECTIONS = 1500 };

struct fake_script {
	long close_at; /* octets after which it closes, without an answer */
	long stop_at;  /* octets after which it reads no more */
	long early_at; /* octets after which it sends `early` */
	struct span early;
	struct span reply; /* to a complete package */
	size_t reply_step; /* octets of it per turn; 0: all at once */
	bool reset;        /* closes with RST */
	bool close_after;  /* closes after the reply */
};

#define FAKE_GOOD \
	((struct fake_script){ \
	    FAKE_NEVER, FAKE_NEVER, FAKE_NEVER, {NULL, 0}, SPAN("3:Kok,"), 0, false, true})

struct fake_connection {
	struct fake *fake;
	int fd;
	struct watch watch;
	struct timer timer;
	size_t have, replied;
	uint64_t whole; /* octets of the package, once its head has come */
	bool early_sent;
};

struct fake {
	struct loop *loop;
	int fd;
	struct sockaddr_in address;
	struct watch watch;
	struct fake_script script;
	struct fake_connection connections[FAKE_CONNECTIONS];
	unsigned accepted, open;
	unsigned complete; /* whole packages, the commit octet included */
	bool said_early;
	uint8_t *octets; /* of the newest connection */
	size_t have;
};

static inline void
fake_close(struct fake_connection *c)
{
	const struct linger now = {1, 0};

	watch_stop(&c->watch);
	timer_stop(&c->timer);
	if (c->fake->script.reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c->fd);
	c->fd = -1;
	c->fake->open--;
}

static inline void
fake_reply(void *arg)
{
	struct fake_connection *c = arg;
	const struct fake_script *s = &c->fake->script;
	struct span rest = span_from(s->reply, c->replied);
	struct span part = span_head(rest, s->reply_step > 0 ? s->reply_step : rest.len);

	if (part.len > 0)
		c->replied += (size_t)send(c->fd, part.p, part.len, MSG_NOSIGNAL);
	if (c->replied < s->reply.len)
		timer_set(c->fake->loop, &c->timer, 1, fake_reply, c);
	else if (s->close_after)
		fake_close(c);
}

/* The length of the outer netstring says where the package ends. */
static inline void
fake_measure(struct fake_connection *c)
{
	struct span in = span_of(c->fake->octets, c->have);
	size_t colon = span_find(in, ':');
	uint64_t len;

	if (c->whole == 0 && colon < in.len && span_decimal(span_head(in, colon), UINT32_MAX, &len))
		c->whole = colon + 1 + len + 1;
}

/* How many octets it may read now. */
static inline size_t
fake_appetite(const struct fake_connection *c)
{
	const struct fake_script *s = &c->fake->script;
	long stops[] = {s->close_at, s->stop_at, c->early_sent ? FAKE_NEVER : s->early_at};
	size_t most = FAKE_ROOM - c->have;

	for (size_t i = 0; i < 3; i++)
		if (stops[i] != FAKE_NEVER && (size_t)stops[i] - c->have < most)
			most = (size_t)stops[i] - c->have;
	return most;
}

/* Returns: false when the connection is over or rests. */
static inline bool
fake_act(struct fake_connection *c)
{
	struct fake *f = c->fake;
	const struct fake_script *s = &f->script;

	if (s->close_at == (long)c->have) {
		fake_close(c);
		return false;
	}
	if (s->early_at == (long)c->have && !c->early_sent) {
		send(c->fd, s->early.p, s->early.len, MSG_NOSIGNAL);
		c->early_sent = f->said_early = true;
	}
	if (s->stop_at == (long)c->have) {
		watch_stop(&c->watch);
		return false;
	}
	return true;
}

static inline void
fake_read(void *arg, unsigned events)
{
	struct fake_connection *c = arg;
	struct fake *f = c->fake;
	ssize_t n;

	(void)events;
	if (!fake_act(c))
		return;
	n = recv(c->fd, f->octets + c->have, fake_appetite(c), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		fake_close(c);
		return;
	}
	c->have += (size_t)n;
	f->have = c->have;
	fake_measure(c);
	if (!fake_act(c))
		return;
	if (c->whole != 0 && c->have >= c->whole && c->replied == 0) {
		f->complete++;
		fake_reply(c);
	}
}

static inline void
fake_accept(void *arg, unsigned events)
{
	struct fake *f = arg;
	int fd = accept4(f->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct fake_connection *c;

	(void)events;
	if (fd < 0)
		return;
	c = &f->connections[f->accepted++ % FAKE_CONNECTIONS];
	*c = (struct fake_connection){.fake = f, .fd = fd};
	f->open++;
	if (fake_act(c))
		watch_start(f->loop, &c->watch, fd, WATCH_READ, fake_read, c);
}

static inline struct fake *
fake_new(struct loop *loop)
{
	struct fake *f = calloc(1, sizeof(*f));
	socklen_t len = sizeof(f->address);

	f->loop = loop;
	f->octets = malloc(FAKE_ROOM);
	f->script = FAKE_GOOD;
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	f->address.sin_family = AF_INET;
	f->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(f->fd, (struct sockaddr *)&f->address, len) != 0 || listen(f->fd, 1024) != 0 ||
	    getsockname(f->fd, (struct sockaddr *)&f->address, &len) != 0)
		abort();
	watch_start(loop, &f->watch, f->fd, WATCH_READ, fake_accept, f);
	return f;
}

/* From now on connections are refused. */
static inline void
fake_refuse(struct fake *f)
{
	watch_stop(&f->watch);
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static inline void
fake_free(struct fake *f)
{
	fake_refuse(f);
	for (unsigned i = 0; i < FAKE_CONNECTIONS; i++)
		if (f->connections[i].fake != NULL && f->connections[i].fd >= 0)
			fake_close(&f->connections[i]);
	free(f->octets);
	free(f);
}

#endif

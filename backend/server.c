#include "backend/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/loop.h"

#include "backend/maildir.h"
#include "lib/package.h"

enum {
	READ_MAX = 256 * 1024, /* octets of one read */
	ACCEPT_PAUSE_MS = 100, /* when descriptors are out */
	ACCEPTS_PER_EVENT = 64,
	REPLY_MAX = 300,
};

struct connection {
	struct server *server;
	struct connection *next, *previous;
	int fd;
	struct watch watch;
	struct timer timer;
	uint64_t deadline; /* ms; the timer looks at it when it fires */
	struct package package;
	struct incoming incoming;
	const char *refusal; /* the answer, whatever else comes; NULL: none so far */
};

struct server {
	struct loop *loop;
	int listener;
	struct watch watch;
	struct timer pause;
	struct server_options options;
	struct connection *first;
	unsigned open;
	uint8_t octets[READ_MAX];
};

static void
connection_close(struct connection *c)
{
	struct server *s = c->server;

	watch_stop(&c->watch);
	timer_stop(&c->timer);
	close(c->fd);
	incoming_clear(&c->incoming);
	if (c->previous != NULL)
		c->previous->next = c->next;
	else
		s->first = c->next;
	if (c->next != NULL)
		c->next->previous = c->previous;
	s->open--;
	free(c);
}

/* ---- the package --------------------------------------------------------------------------------- */

static void
refuse(struct connection *c, const char *answer)
{
	if (c->refusal == NULL)
		c->refusal = answer;
}

/* An address goes into a header line, and into the books of whoever reads it there. */
static bool
address_ok(struct span address)
{
	for (size_t i = 0; i < address.len; i++)
		if (address.p[i] < ' ' || address.p[i] == 127)
			return false;
	return true;
}

static void
on_content(struct connection *c, struct span octets)
{
	if (c->package.content_len > c->server->options.message_size)
		refuse(c, "Dmessage too large (#5.3.4)");
	if (c->refusal == NULL && c->server->options.maildir != NULL)
		incoming_content(&c->incoming, octets);
}

static void
on_address(struct connection *c, bool sender, struct span address)
{
	if (!address_ok(address) || (!sender && address.len == 0))
		refuse(c, "Dsorry, I can't accept addresses like that (#5.1.3)");
	if (c->refusal != NULL || c->server->options.maildir == NULL)
		return;
	if (sender)
		incoming_field(&c->incoming, "Return-Path", SPAN("<"), address, SPAN(">"));
	else
		incoming_field(&c->incoming, "X-Original-To", SPAN(""), address, SPAN(""));
}

/* The last comma has been read. Out: answer, REPLY_MAX octets. */
static void
package_take(struct connection *c, char *answer)
{
	char name[MAILDIR_NAME_MAX];
	int error;

	if (c->refusal != NULL) {
		snprintf(answer, REPLY_MAX, "%s", c->refusal);
		return;
	}
	if (c->server->options.maildir == NULL) {
		snprintf(answer, REPLY_MAX, "Kdiscarded");
		return;
	}
	error = incoming_deliver(&c->incoming, name);
	if (error == 0) {
		snprintf(answer, REPLY_MAX, "Kdelivered as %s", name);
	} else {
		fprintf(stderr, "gatehouse-maildir: a message was not delivered: %s\n",
		    strerror(error));
		snprintf(answer, REPLY_MAX, "Zcannot write to the Maildir (#4.3.0)");
	}
}

static void
on_done(struct connection *c)
{
	char answer[REPLY_MAX], out[REPLY_MAX + 16];
	int len;

	package_take(c, answer);
	len = snprintf(out, sizeof(out), "%zu:%s,", strlen(answer), answer);
	/* The first octets on this socket always fit. */
	send(c->fd, out, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Returns: false when the conversation is over. */
static bool
package_feed(struct connection *c, struct span in)
{
	for (;;) {
		struct span out;

		switch (package_next(&c->package, &in, &out)) {
		case PACKAGE_MORE:
			return true;
		case PACKAGE_CONTENT:
			on_content(c, out);
			break;
		case PACKAGE_SENDER:
			on_address(c, true, out);
			break;
		case PACKAGE_RECIPIENT:
			on_address(c, false, out);
			break;
		case PACKAGE_DONE:
			on_done(c);
			return false;
		default:
			return false;
		}
	}
}

/* ---- connections ----------------------------------------------------------------------------------- */

static void
on_idle(void *arg)
{
	struct connection *c = arg;
	uint64_t now = loop_now(c->server->loop);

	if (now < c->deadline)
		timer_set(c->server->loop, &c->timer, c->deadline - now, on_idle, c);
	else
		connection_close(c);
}

static void
on_readable(void *arg, unsigned events)
{
	struct connection *c = arg;
	struct server *s = c->server;
	ssize_t n = recv(c->fd, s->octets, sizeof(s->octets), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !package_feed(c, span_of(s->octets, (size_t)n))) {
		connection_close(c);
		return;
	}
	c->deadline = loop_now(s->loop) + s->options.idle_ms;
}

/* Takes fd. */
static void
connection_new(struct server *s, int fd)
{
	struct connection *c = s->open < SERVER_CONNECTIONS ? calloc(1, sizeof(*c)) : NULL;
	const int on = 1;

	if (c == NULL) {
		close(fd);
		return;
	}
	c->server = s;
	c->fd = fd;
	package_init(&c->package);
	incoming_init(&c->incoming, s->options.maildir);
	c->next = s->first;
	if (s->first != NULL)
		s->first->previous = c;
	s->first = c;
	s->open++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->deadline = loop_now(s->loop) + s->options.idle_ms;
	if (timer_set(s->loop, &c->timer, s->options.idle_ms, on_idle, c) != 0 ||
	    watch_start(s->loop, &c->watch, fd, WATCH_READ, on_readable, c) != 0)
		connection_close(c);
}

static void on_connections(void *arg, unsigned events);

static void
accept_again(void *arg)
{
	struct server *s = arg;

	watch_start(s->loop, &s->watch, s->listener, WATCH_READ, on_connections, s);
}

static void
on_connections(void *arg, unsigned events)
{
	struct server *s = arg;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			connection_new(s, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* They stay in the queue of the kernel meanwhile. */
			watch_stop(&s->watch);
			timer_set(s->loop, &s->pause, ACCEPT_PAUSE_MS, accept_again, s);
		}
		return;
	}
}

struct server *
server_new(struct loop *loop, int listener, const struct server_options *options)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->listener = listener;
	s->options = *options;
	if (watch_start(loop, &s->watch, listener, WATCH_READ, on_connections, s) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

void
server_free(struct server **server)
{
	struct server *s = *server;

	*server = NULL;
	if (s == NULL)
		return;
	while (s->first != NULL)
		connection_close(s->first);
	watch_stop(&s->watch);
	timer_stop(&s->pause);
	close(s->listener);
	free(s);
}

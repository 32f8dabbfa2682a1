#include "smtpd/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"

#include "smtpd/arrival.h"
#include "smtpd/counters.h"

enum {
	ACCEPTS_PER_TURN = 16,
	PAUSE_MS = 100, /* after the kernel refused: time for it to find what is missing */
	LEAVE_MS = 50,  /* a full worker leaves connections to the others for so long */
};

static void on_connection(void *arg, unsigned events);

static bool
watch(struct listener *l)
{
	return watch_start(l->worker->loop, &l->watch, l->fd, WATCH_READ, on_connection, l) == 0;
}

static void
on_pause_over(void *arg)
{
	struct listener *l = arg;

	if (!watch(l))
		timer_set(l->worker->loop, &l->pause, PAUSE_MS, on_pause_over, l);
}

/* No busy loop: the connection still waits, and the socket would be readable again at once. */
static void
pause_accepting(struct listener *l, int error)
{
	count(COUNT_accept_failed);
	log_event_errno(EVENT_accept_failed, "pause", "100ms", error);
	watch_stop(&l->watch);
	timer_set(l->worker->loop, &l->pause, PAUSE_MS, on_pause_over, l);
}

/* Out of descriptors: the reserve is spent on telling one client so. */
static void
turn_away_one(struct listener *l)
{
	uint8_t text[REPLY_LINE_MAX];
	struct buf b = BUF_OVER(text);
	int fd;

	close(l->reserve);
	fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		count(COUNT_sessions_turned_away);
		reply_put(&b, REPLY_busy, &(struct reply_details){0});
		send(fd, b.p, b.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
	}
	l->reserve = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
}

/* What says nothing about us: the connection ended before it was taken (row 1), or a signal came. */
static bool
harmless(int error)
{
	return error == ECONNABORTED || error == EINTR || error == EPROTO || error == ENETDOWN ||
	       error == ENETUNREACH || error == EHOSTUNREACH || error == EHOSTDOWN;
}

static void
on_accept_error(struct listener *l, int error)
{
	if (harmless(error))
		return;
	if ((error == EMFILE || error == ENFILE) && l->reserve >= 0)
		turn_away_one(l);
	pause_accepting(l, error);
}

/* Returns: false when there is nothing more to accept for now. */
static bool
accept_one(struct listener *l)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct ip client;
	uint16_t port;
	int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && errno == EAGAIN)
		return false;
	if (fd < 0) {
		on_accept_error(l, errno);
		return l->watch.active;
	}
	/* No address, no session: it would be judged under a wrong one (row 20). */
	if (len < sizeof(sa_family_t) ||
	    !ip_from_sockaddr((struct sockaddr *)&from, &client, &port))
		close(fd);
	else
		arrival_take(l->worker, fd, &client, port, l->tls);
	return true;
}

/* What the other workers have not taken meanwhile, nobody has room for. */
static void
on_left_over(void *arg)
{
	struct listener *l = arg;

	worker_wake(l->worker);
	if (!watch(l)) {
		timer_set(l->worker->loop, &l->pause, PAUSE_MS, on_pause_over, l);
		return;
	}
	for (unsigned i = 0; i < ACCEPTS_PER_TURN && l->watch.active; i++)
		if (!accept_one(l))
			return;
}

/* The workers share the sockets and not the sessions: one may be full while another is not. */
static void
leave_to_others(struct listener *l)
{
	watch_stop(&l->watch);
	timer_set(l->worker->loop, &l->pause, LEAVE_MS, on_left_over, l);
}

/* In quiet times a call that only finds nothing more to accept would cost as much as one that does. */
static void
on_connection(void *arg, unsigned events)
{
	struct listener *l = arg;

	(void)events;
	worker_wake(l->worker);
	if (worker_full(l->worker)) {
		leave_to_others(l);
		return;
	}
	for (unsigned i = 0; i < l->at_once; i++) {
		if (!accept_one(l)) {
			l->at_once = 1;
			return;
		}
	}
	l->at_once = l->at_once * 2 < ACCEPTS_PER_TURN ? l->at_once * 2 : ACCEPTS_PER_TURN;
}

/* Linux hands these on to every accepted socket, which saves two calls for each. */
static void
set_options(int fd)
{
	static const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)); /* row 17 */
}

struct listener *
listener_new(struct worker *w, int fd, bool tls)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		close(fd);
		return NULL;
	}
	*l = (struct listener){.worker = w,
	    .fd = fd,
	    .tls = tls,
	    .at_once = 1,
	    .reserve = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
	set_options(fd);
	if (l->reserve < 0 || !watch(l))
		listener_free(&l);
	return l;
}

void
listener_free(struct listener **l)
{
	if (*l == NULL)
		return;
	watch_stop(&(*l)->watch);
	timer_stop(&(*l)->pause);
	close((*l)->fd);
	if ((*l)->reserve >= 0)
		close((*l)->reserve);
	free(*l);
	*l = NULL;
}

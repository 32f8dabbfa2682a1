#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "queue-handoff/counters.h"
#include "queue-handoff/health.h"
#include "queue-handoff/job.h"
#include "queue-handoff/report.h"

/* ---- who waits ------------------------------------------------------------------------------------- */

/* A connection has come free: those that wait try again, in their order. */
static void
on_wake(void *arg)
{
	struct handoff *h = arg;
	struct job *j = h->waiting;

	h->waiting = NULL;
	h->waiting_end = &h->waiting;
	while (j != NULL) {
		struct job *next = j->next_waiting;

		j->next_waiting = NULL;
		job_start(j); /* it may have to wait again */
		j = next;
	}
}

static void
wake_later(struct handoff *h)
{
	if (h->waiting == NULL)
		return;
	h->wake.fn = on_wake;
	h->wake.arg = h;
	loop_defer(h->loop, &h->wake);
}

static void
job_wait(struct job *j)
{
	struct handoff *h = j->h;

	if (j->state != JOB_WAITING)
		count(COUNT_waited);
	j->state = JOB_WAITING;
	j->next_waiting = NULL;
	*h->waiting_end = j;
	h->waiting_end = &j->next_waiting;
	job_expect_within(j, UINT64_MAX / 2);
}

void
job_unwait(struct job *j)
{
	struct handoff *h = j->h;
	struct job **at = &h->waiting;

	if (j->state != JOB_WAITING)
		return;
	while (*at != NULL && *at != j)
		at = &(*at)->next_waiting;
	if (*at == NULL)
		return;
	*at = j->next_waiting;
	if (h->waiting_end == &j->next_waiting)
		h->waiting_end = at;
}

/* ---- connections ----------------------------------------------------------------------------------- */

void
job_disconnect(struct job *j, bool keep)
{
	static const struct smtp_offer none;

	if (j->fd < 0)
		return;
	watch_stop(&j->watch);
	j->watched = 0;
	if (j->server->busy > 0)
		j->server->busy--;
	if (keep)
		idle_keep(j->h->idle, j->server, j->fd,
		    j->protocol->talk->greets ? &j->talk.smtp.offer : &none, j->group->keep_ms);
	else
		close(j->fd);
	j->fd = -1;
	wake_later(j->h);
}

/* Returns: -1 with errno. */
static int
socket_open(const struct server *s)
{
	const int on = 1;
	int fd = socket(s->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* The last octet must not wait for the acknowledgement of those before it. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static bool
take_kept(struct job *j)
{
	struct smtp_offer offer;

	if (!j->protocol->keeps)
		return false;
	j->fd = idle_take(j->h->idle, j->server, &offer);
	if (j->fd >= 0 && j->protocol->talk->greets)
		j->talk.smtp.offer = offer;
	return j->fd >= 0;
}

/* A run of the local program: it has the other end. Returns: false with errno. */
static bool
run_program(struct job *j)
{
	struct handoff *h = j->h;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	j->fd = pair[0];
	j->server->busy++;
	errno = EPIPE;
	return h->port->run(h->port->ctx, pair[1]);
}

/* Returns: false when the job has ended or moved. */
static bool
connect_socket(struct job *j)
{
	const struct server *s = j->server;

	j->fd = socket_open(s);
	if (j->fd < 0) {
		job_end(j, HANDOFF_INTERNAL);
		return false;
	}
	j->server->busy++;
	if (connect(j->fd, (const struct sockaddr *)&s->address, s->address_len) != 0 &&
	    errno != EINPROGRESS) {
		job_failed(j, HANDOFF_NO_CONNECTION, errno);
		return false;
	}
	return true;
}

void
job_connect(struct job *j, bool fresh)
{
	j->state = JOB_CONNECTING;
	j->sent = j->moved = 0;
	j->held_sent = 0;
	j->out_at = j->out_len = 0;
	j->lines = (struct lines){0};
	job_answers_clear(j);
	j->again = !fresh && take_kept(j);
	if (j->again) {
		j->server->busy++;
		count(COUNT_connections_reused);
		job_converse(j);
		return;
	}
	job_expect_within(j, j->group->connect_ms);
	if (!j->protocol->local) {
		if (connect_socket(j))
			job_converse(j);
		return;
	}
	if (run_program(j))
		job_converse(j);
	else
		job_failed(j, HANDOFF_NO_CONNECTION, errno);
}

void
job_start(struct job *j)
{
	j->server = group_next(j->group, &j->tried, loop_now(j->h->loop));
	if (j->server != NULL)
		job_connect(j, false);
	else if (group_is_full(j->group, j->tried))
		job_wait(j);
	else
		job_end(j, HANDOFF_NO_CONNECTION);
}

/*
 * A connection that was kept may have been closed at the other end while its next message was under
 * way: that says nothing about the server. The commit octet has not been sent, so that the whole
 * conversation is had again on a new one.
 */
static bool
is_stale(const struct job *j)
{
	return j->again && j->held_sent == 0 && j->state != JOB_ANSWERING && j->state != JOB_LATE;
}

void
job_failed(struct job *j, enum handoff_outcome outcome, int error)
{
	uint64_t now = loop_now(j->h->loop);

	if (is_stale(j) && error != ETIMEDOUT && now < j->end) {
		count(COUNT_connections_stale);
		job_disconnect(j, false);
		job_connect(j, true);
		return;
	}
	if (outcome == HANDOFF_NO_CONNECTION)
		health_missed(j->h->health, j->server);
	if (server_failed(j->server, now))
		report_server_failed(j, outcome, error);
	job_disconnect(j, false);
	if (!job_may_move(j) || now >= j->end) {
		job_end(j, outcome);
		return;
	}
	j->server = group_next(j->group, &j->tried, now);
	if (j->server == NULL) {
		job_end(j, outcome);
		return;
	}
	count(COUNT_failovers);
	job_connect(j, false); /* nests as deep as there are servers at most */
}

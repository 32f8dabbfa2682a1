#include "queue-handoff/handoff.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/bug.h"

#include "queue-handoff/complaints.h"
#include "queue-handoff/counters.h"
#include "queue-handoff/job.h"
#include "queue-handoff/report.h"

enum { ASK_MS = 10000 }; /* smtpd answers at once or is in trouble */

/* What each state means when it does not go on. */
static const struct phase {
	enum handoff_outcome failed;
	bool may_move;    /* nothing has been asked yet: another server can be tried */
	bool is_budgeted; /* the deadline is never behind the budget of the message */
} phases[JOB_STATES] = {
    [JOB_CONNECTING] = {HANDOFF_NO_CONNECTION, true, true},
    [JOB_SENDING] = {HANDOFF_BROKEN, true, true},
    [JOB_ASKING] = {HANDOFF_BROKEN, false, true},
    [JOB_COMMITTING] = {HANDOFF_BROKEN, false, true},
    [JOB_ANSWERING] = {HANDOFF_BROKEN, false, true},
    [JOB_LATE] = {HANDOFF_BROKEN, false, false},
};

static void job_connect(struct job *j);
static void job_send(struct job *j);
static void job_commit(struct job *j);
static void job_read(struct job *j);

/* ---- time ------------------------------------------------------------------------------------ */

static void on_timer(void *arg);

static void
timer_arm(struct job *j, uint64_t now)
{
	j->timer_at = j->deadline;
	timer_set(j->h->loop, &j->timer, j->deadline > now ? j->deadline - now : 0, on_timer, j);
}

/* A deadline that moves away costs nothing: the timer looks at it when it fires. */
static void
deadline_set(struct job *j, uint64_t delay_ms)
{
	uint64_t now = loop_now(j->h->loop);

	j->deadline = now + delay_ms;
	if (phases[j->state].is_budgeted && j->deadline > j->end)
		j->deadline = j->end;
	if (!j->timer.active || j->deadline < j->timer_at)
		timer_arm(j, now);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void
job_done(struct job *j)
{
	struct handoff *h = j->h;

	job_release(j);
	if (h->on_end != NULL)
		h->on_end(h->on_end_arg);
}

static void
job_end(struct job *j, enum handoff_outcome outcome)
{
	struct handoff *h = j->h;

	if (j->state == JOB_LATE) {
		report_late(j, outcome);
	} else {
		report_end(j, outcome);
		h->port->tell(h->port->ctx, &j->owner, outcome);
	}
	job_done(j);
}

static void
conversation_close(struct job *j)
{
	watch_stop(&j->watch);
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	j->watched = 0;
}

/* Something is wrong with this server. In: error, errno or 0. */
static void
job_failed(struct job *j, enum handoff_outcome outcome, int error)
{
	uint64_t now = loop_now(j->h->loop);
	struct server *next = NULL;

	if (server_failed(j->server, now))
		report_server_failed(j, outcome, error);
	conversation_close(j);
	if (phases[j->state].may_move && now < j->end)
		next = group_next(j->group, &j->tried, now);
	if (next == NULL) {
		job_end(j, outcome);
		return;
	}
	count(COUNT_failovers);
	j->server = next;
	job_connect(j); /* nests as deep as there are servers at most */
}

/* smtpd has been told, or is gone; the answer still counts for the log and the server. */
static void
job_turn_late(struct job *j)
{
	j->state = JOB_LATE;
	deadline_set(j, j->group->reply_ms);
}

static void
on_timer(void *arg)
{
	struct job *j = arg;
	struct handoff *h = j->h;
	uint64_t now = loop_now(h->loop);

	if (now < j->deadline) {
		timer_arm(j, now);
		return;
	}
	if (j->state == JOB_ASKING) {
		/* smtpd is slow, not the server. */
		job_end(j, HANDOFF_INTERNAL);
		return;
	}
	if (j->state != JOB_ANSWERING) {
		job_failed(j, phases[j->state].failed, ETIMEDOUT);
		return;
	}
	if (server_failed(j->server, now))
		report_server_failed(j, HANDOFF_BROKEN, ETIMEDOUT);
	report_end(j, HANDOFF_BROKEN);
	h->port->tell(h->port->ctx, &j->owner, HANDOFF_BROKEN);
	job_turn_late(j);
}

/* ---- the conversation -------------------------------------------------------------------------- */

/*
 * Looks for what a back end must not say before the last octet has been sent. A promise about a
 * message that it has not seen is not believed, whatever it is.
 * Returns: false when the job has ended or moved.
 */
static bool
job_is_quiet(struct job *j)
{
	uint8_t early[QMQP_REPLY_MAX];
	ssize_t n = recv(j->fd, early, sizeof(early), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n > 0) {
		report_alarm(j, "early-answer", span_of(early, (size_t)n));
		job_failed(j, HANDOFF_PROTOCOL, 0);
	} else
		job_failed(j, phases[j->state].failed, n == 0 ? ECONNRESET : errno);
	return false;
}

static void
on_connecting(struct job *j, unsigned events)
{
	int error = 0;
	socklen_t len = sizeof(error);

	(void)events;
	if (getsockopt(j->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		job_failed(j, HANDOFF_NO_CONNECTION, error);
		return;
	}
	j->state = JOB_SENDING;
	deadline_set(j, j->group->write_ms);
	job_send(j);
}

static void
on_sending(struct job *j, unsigned events)
{
	if ((events & WATCH_READ) != 0 && !job_is_quiet(j))
		return;
	if ((events & WATCH_WRITE) != 0)
		job_send(j);
}

static void
on_asking(struct job *j, unsigned events)
{
	(void)events;
	job_is_quiet(j);
}

static void
on_committing(struct job *j, unsigned events)
{
	(void)events;
	job_commit(j);
}

static void
on_answering(struct job *j, unsigned events)
{
	(void)events;
	job_read(j);
}

static void (*const on_ready[JOB_STATES])(struct job *j, unsigned events) = {
    [JOB_CONNECTING] = on_connecting,
    [JOB_SENDING] = on_sending,
    [JOB_ASKING] = on_asking,
    [JOB_COMMITTING] = on_committing,
    [JOB_ANSWERING] = on_answering,
    [JOB_LATE] = on_answering,
};

static void
on_event(void *arg, unsigned events)
{
	struct job *j = arg;

	on_ready[j->state](j, events);
}

/* Returns: false when the job has ended, since the kernel refuses. */
static bool
job_watch(struct job *j, unsigned flags)
{
	if (j->watched == flags)
		return true;
	watch_stop(&j->watch);
	if (watch_start(j->h->loop, &j->watch, j->fd, flags, on_event, j) != 0) {
		job_end(j, HANDOFF_INTERNAL);
		return false;
	}
	j->watched = flags;
	return true;
}

static void
job_connect(struct job *j)
{
	const int on = 1;

	j->state = JOB_CONNECTING;
	j->sent = 0;
	j->fd = socket(j->server->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (j->fd < 0) {
		job_end(j, HANDOFF_INTERNAL);
		return;
	}
	/* The last octet must not wait for the acknowledgement of those before it. */
	setsockopt(j->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	deadline_set(j, j->group->connect_ms);
	if (connect(j->fd, (const struct sockaddr *)&j->server->address, j->server->address_len) !=
		0 &&
	    errno != EINPROGRESS) {
		job_failed(j, HANDOFF_NO_CONNECTION, errno);
		return;
	}
	/* On one host the connection is there already; elsewhere this says EAGAIN. */
	job_send(j);
}

/* Sending failed: what the back end said before it closed is worth a line in the log. */
static void
job_send_failed(struct job *j, int error)
{
	if (error == EIO) { /* reading the memory file, not the server */
		job_end(j, HANDOFF_INTERNAL);
		return;
	}
	if (j->state == JOB_CONNECTING && error != EPIPE && error != ECONNRESET) {
		job_failed(j, HANDOFF_NO_CONNECTION, error);
		return;
	}
	j->state = JOB_SENDING;
	if (job_is_quiet(j))
		job_failed(j, HANDOFF_BROKEN, error);
}

static void
job_ask(struct job *j)
{
	struct handoff *h = j->h;

	j->state = JOB_ASKING;
	deadline_set(j, ASK_MS);
	if (job_watch(j, WATCH_READ) && !h->port->ask(h->port->ctx, &j->owner))
		job_end(j, HANDOFF_INTERNAL);
}

static void
job_send(struct job *j)
{
	uint64_t before = j->sent;
	enum send_status status = job_send_package(j);
	int error = errno;

	if (j->sent > before) {
		j->state = JOB_SENDING;
		deadline_set(j, j->group->write_ms);
	}
	if (status == SEND_ERROR) {
		job_send_failed(j, error);
		return;
	}
	if (status == SEND_DONE)
		job_ask(j);
	else
		job_watch(j, j->state == JOB_CONNECTING ? WATCH_WRITE : WATCH_READ | WATCH_WRITE);
}

/*
 * The point of no return. Whether the back end has kept quiet is looked at immediately before:
 * after it, an answer that came too early could no more be told from a good one.
 */
static void
job_commit(struct job *j)
{
	if (!job_is_quiet(j))
		return;
	if (job_send_commit(j) != 0) {
		if (errno == EAGAIN)
			job_watch(j, WATCH_READ | WATCH_WRITE);
		else
			job_failed(j, HANDOFF_BROKEN, errno);
		return;
	}
	j->state = JOB_ANSWERING;
	j->committed = loop_now(j->h->loop);
	deadline_set(j, j->group->reply_ms);
	job_watch(j, WATCH_READ);
}

/* ---- the answer -------------------------------------------------------------------------------- */

static enum handoff_outcome
answer_taken(struct job *j)
{
	if (server_took(j->server, loop_now(j->h->loop)))
		report_server_back(j);
	return HANDOFF_TAKEN;
}

static enum handoff_outcome
answer_deferred(struct job *j)
{
	(void)j;
	return HANDOFF_DEFERRED;
}

static enum handoff_outcome
answer_refused(struct job *j)
{
	struct span text = qmqp_reply_text(&j->reply);
	const struct complaint *complaint = complaint_find(text);
	bool trusted = server_is_trusted(j->server, loop_now(j->h->loop));

	if (complaint == NULL && trusted)
		return HANDOFF_REFUSED;
	report_doubt(j, complaint != NULL ? complaint->about : "untried-server", text);
	return HANDOFF_DOUBTED;
}

static enum handoff_outcome (*const on_answer[])(struct job *j) = {
    [QMQP_TAKEN] = answer_taken,
    [QMQP_DEFERRED] = answer_deferred,
    [QMQP_REFUSED] = answer_refused,
};

/* In: rest, what came behind the answer in the same read. */
static void
job_answered(struct job *j, enum qmqp_answer answer, struct span rest)
{
	if (answer == QMQP_BAD) {
		report_alarm(j, "not-an-answer", qmqp_reply_text(&j->reply));
		job_failed(j, HANDOFF_PROTOCOL, 0);
		return;
	}
	if (rest.len > 0)
		report_alarm(j, "more-after-answer", rest);
	job_end(j, on_answer[answer](j));
}

static void
job_read(struct job *j)
{
	uint8_t octets[QMQP_REPLY_MAX + 8];
	ssize_t n = recv(j->fd, octets, sizeof(octets), MSG_DONTWAIT);
	enum qmqp_answer answer;
	struct span in;
	size_t used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		job_failed(j, HANDOFF_BROKEN, n == 0 ? ECONNRESET : errno);
		return;
	}
	in = span_of(octets, (size_t)n);
	answer = qmqp_reply_feed(&j->reply, in, &used);
	if (answer != QMQP_MORE)
		job_answered(j, answer, span_from(in, used));
}

/* ---- what others call -------------------------------------------------------------------------- */

struct handoff *
handoff_new(struct loop *loop, const struct handoff_port *port, unsigned jobs)
{
	struct handoff *h = calloc(1, sizeof(*h));

	BUG_ON(jobs < 1 || jobs > HANDOFF_JOBS);
	if (h == NULL)
		return NULL;
	h->jobs = calloc(jobs, sizeof(*h->jobs));
	if (h->jobs == NULL) {
		free(h);
		return NULL;
	}
	h->loop = loop;
	h->port = port;
	h->job_count = jobs;
	for (size_t i = jobs; i-- > 0;) {
		h->jobs[i].h = h;
		h->jobs[i].fd = h->jobs[i].content_fd = -1;
		h->jobs[i].next = h->free;
		h->free = &h->jobs[i];
	}
	return h;
}

void
handoff_free(struct handoff **handoff)
{
	struct handoff *h = *handoff;

	*handoff = NULL;
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->job_count; i++) {
		if (h->jobs[i].state != JOB_FREE)
			job_release(&h->jobs[i]);
		free(h->jobs[i].memory);
	}
	free(h->jobs);
	free(h);
}

bool
handoff_start(struct handoff *h, const struct handoff_request *r)
{
	struct job *j = job_take(h, r);

	if (j == NULL)
		return false;
	j->began = loop_now(h->loop);
	j->end = j->began + r->budget_ms;
	j->server = group_next(j->group, &j->tried, j->began);
	BUG_ON(j->server == NULL); /* no group is empty */
	job_connect(j);
	return true;
}

void
handoff_commit(struct handoff *h, const struct handoff_owner *owner, bool go)
{
	struct job *j = job_find(h, owner);

	if (j == NULL || j->state != JOB_ASKING)
		return;
	if (!go) {
		job_end(j, HANDOFF_GIVEN_UP);
		return;
	}
	j->state = JOB_COMMITTING;
	deadline_set(j, j->group->write_ms);
	job_commit(j);
}

void
handoff_worker_lost(struct handoff *h, unsigned worker)
{
	for (size_t i = 0; i < h->job_count && h->running > 0; i++) {
		struct job *j = &h->jobs[i];

		if (j->state == JOB_FREE || j->owner.worker != worker)
			continue;
		if (j->state == JOB_ANSWERING) {
			job_turn_late(j);
		} else if (j->state != JOB_LATE) {
			report_abandoned(j);
			job_done(j);
		}
	}
}

unsigned
handoff_running(const struct handoff *h)
{
	return h->running;
}

void
handoff_on_end(struct handoff *h, void (*fn)(void *arg), void *arg)
{
	h->on_end = fn;
	h->on_end_arg = arg;
}

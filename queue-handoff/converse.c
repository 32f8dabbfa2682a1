#include <errno.h>
#include <sys/socket.h>

#include "queue-handoff/health.h"
#include "queue-handoff/job.h"
#include "queue-handoff/report.h"

enum { ASK_MS = 10000 }; /* smtpd answers at once or is in trouble */

static void job_talk(struct job *j, enum said said);
static void job_send(struct job *j);

/* ---- silence ---------------------------------------------------------------------------------------- */

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
	enum job_state state = j->state == JOB_CONNECTING ? JOB_SENDING : j->state;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	j->state = state;
	if (n > 0) {
		report_alarm(j, "early-answer", span_of(early, (size_t)n));
		job_failed(j, HANDOFF_PROTOCOL, 0);
	} else
		job_failed(j, HANDOFF_BROKEN, n == 0 ? ECONNRESET : errno);
	return false;
}

/* ---- before the package ----------------------------------------------------------------------------- */

static void
job_talk_on(struct job *j)
{
	enum send_status status = job_send_out(j);
	int error = errno;

	if (status == SEND_ERROR) {
		/* What the server said before it closed is worth a line in the log. */
		if (job_is_quiet(j))
			job_failed(j, HANDOFF_BROKEN, error);
		return;
	}
	job_watch(j, status == SEND_DONE ? WATCH_READ : WATCH_READ | WATCH_WRITE);
}

/* The transaction is over before anything could be queued. */
static void
job_refused(struct job *j)
{
	enum handoff_outcome outcome = job_outcome(j);

	job_disconnect(j, false);
	job_end(j, outcome);
}

static void
job_talk(struct job *j, enum said said)
{
	switch (said) {
	case SAID_MORE:
		job_watch(j, WATCH_READ);
		break;
	case SAID_GO_ON:
		j->state = JOB_TALKING;
		job_expect_within(j, j->group->reply_ms);
		job_talk_on(j);
		break;
	case SAID_SEND:
		j->out_at = j->out_len = 0;
		j->state = JOB_SENDING;
		job_expect_within(j, j->group->write_ms);
		job_send(j);
		break;
	case SAID_ALL:
		job_refused(j);
		break;
	case SAID_UNABLE:
		job_disconnect(j, false);
		job_end(j, HANDOFF_DOUBTED);
		break;
	case SAID_FAREWELL:
		report_alarm(j, "will-not-serve", j->protocol->talk->heard(j));
		job_failed(j, HANDOFF_BROKEN, 0);
		break;
	case SAID_NONSENSE:
		report_alarm(j, "not-an-answer", j->protocol->talk->heard(j));
		job_failed(j, HANDOFF_PROTOCOL, 0);
		break;
	}
}

/* Returns: octets; or 0 when there are none now, or the job has ended or moved. */
static struct span
job_recv(struct job *j, uint8_t *room, size_t cap)
{
	ssize_t n = recv(j->fd, room, cap, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return span_of(NULL, 0);
	if (n <= 0) {
		job_failed(j, HANDOFF_BROKEN, n == 0 ? ECONNRESET : errno);
		return span_of(NULL, 0);
	}
	return span_of(room, (size_t)n);
}

static void
on_talking(struct job *j, unsigned events)
{
	uint8_t octets[4096];
	struct span in;
	enum said said;
	size_t used;

	if ((events & WATCH_WRITE) != 0 && (events & WATCH_READ) == 0) {
		job_talk_on(j);
		return;
	}
	in = job_recv(j, octets, sizeof(octets));
	if (in.len == 0)
		return;
	/* While our commands still wait for the kernel, no answer to them can have come whole. */
	said = j->protocol->talk->hear(j, in, &used);
	if (used < in.len && said != SAID_ALL && said != SAID_FAREWELL)
		said = SAID_NONSENSE;
	job_talk(j, said);
}

/* ---- the package ------------------------------------------------------------------------------------ */

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
	job_expect_within(j, ASK_MS);
	if (!job_watch(j, WATCH_READ))
		return;
	/* After a connection that was stale the answer is here already, or on its way. */
	if (j->question == QUESTION_GO)
		job_commit(j);
	else if (j->question == QUESTION_UNASKED) {
		j->question = QUESTION_ASKED;
		if (!h->port->ask(h->port->ctx, &j->owner))
			job_end(j, HANDOFF_INTERNAL);
	}
}

static void
job_send(struct job *j)
{
	uint64_t before = j->moved;
	enum send_status status = job_send_package(j);
	int error = errno;

	if (j->moved > before) {
		if (before == 0)
			health_reached(j->h->health, j->server);
		j->state = JOB_SENDING;
		job_expect_within(j, j->group->write_ms);
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
void
job_commit(struct job *j)
{
	j->state = JOB_COMMITTING;
	job_expect_within(j, j->group->write_ms);
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
	job_expect_within(j, j->group->reply_ms);
	job_watch(j, WATCH_READ);
}

/* ---- the answers ------------------------------------------------------------------------------------ */

static bool
is_any_taken(const struct job *j)
{
	for (unsigned i = 0; i < j->recipients; i++)
		if (j->verdicts[i] == VERDICT_TAKEN)
			return true;
	return false;
}

/* In: rest, what came behind the answers in the same read. */
static void
job_answered(struct job *j, struct span rest)
{
	const struct protocol *p = j->protocol;

	if (rest.len > 0)
		report_alarm(j, "more-after-answer", rest);
	if (is_any_taken(j) && server_took(j->server, loop_now(j->h->loop)))
		report_server_back(j);
	report_window(loop_now(j->h->loop) - j->committed);
	job_disconnect(j, p->keeps && rest.len == 0 && p->talk->is_reusable(j));
	job_end(j, job_outcome(j));
}

static void
on_answering(struct job *j, unsigned events)
{
	uint8_t octets[QMQP_REPLY_MAX + 8];
	enum said said;
	struct span in;
	size_t used;

	(void)events;
	in = job_recv(j, octets, sizeof(octets));
	if (in.len == 0)
		return;
	said = j->protocol->talk->hear(j, in, &used);
	if (said == SAID_ALL)
		job_answered(j, span_from(in, used));
	else if (said != SAID_MORE)
		job_talk(j, said == SAID_FAREWELL ? SAID_FAREWELL : SAID_NONSENSE);
}

/* ---- events ----------------------------------------------------------------------------------------- */

static void
on_connecting(struct job *j, unsigned events)
{
	int error = 0;
	socklen_t len = sizeof(error);

	(void)events;
	if (getsockopt(j->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		job_failed(j, error == ECONNRESET ? HANDOFF_BROKEN : HANDOFF_NO_CONNECTION, error);
		return;
	}
	if (j->protocol->talk->greets) {
		j->state = JOB_TALKING;
		job_expect_within(j, j->group->reply_ms);
		job_watch(j, WATCH_READ);
		return;
	}
	j->state = JOB_SENDING;
	job_expect_within(j, j->group->write_ms);
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

static void (*const on_ready[JOB_STATES])(struct job *j, unsigned events) = {
    [JOB_CONNECTING] = on_connecting,
    [JOB_TALKING] = on_talking,
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

bool
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

void
job_converse(struct job *j)
{
	enum said said = j->protocol->talk->begin(j, j->again);

	if (said == SAID_MORE)
		job_watch(j, WATCH_WRITE); /* for the connection; then the server speaks */
	else if (said == SAID_SEND)
		job_send(
		    j); /* On one host the connection is there already; elsewhere this says EAGAIN. */
	else
		job_talk(j, said);
}

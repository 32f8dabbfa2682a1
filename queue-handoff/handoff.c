#include "queue-handoff/handoff.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/bug.h"

#include "queue-handoff/counters.h"
#include "queue-handoff/job.h"
#include "queue-handoff/report.h"

/* What each state means when it does not go on. */
static const struct phase {
	enum handoff_outcome failed;
	bool may_move;    /* nothing has been asked yet: another server can be tried */
	bool is_budgeted; /* the deadline is never behind the budget of the message */
} phases[JOB_STATES] = {
    [JOB_WAITING] = {HANDOFF_BUSY, false, true},
    [JOB_CONNECTING] = {HANDOFF_NO_CONNECTION, true, true},
    [JOB_TALKING] = {HANDOFF_BROKEN, true, true},
    [JOB_SENDING] = {HANDOFF_BROKEN, true, true},
    [JOB_ASKING] = {HANDOFF_BROKEN, false, true},
    [JOB_COMMITTING] = {HANDOFF_BROKEN, false, true},
    [JOB_ANSWERING] = {HANDOFF_BROKEN, false, true},
    [JOB_LATE] = {HANDOFF_BROKEN, false, false},
};

/* ---- time ------------------------------------------------------------------------------------ */

static void on_timer(void *arg);

static void
timer_arm(struct job *j, uint64_t now)
{
	j->timer_at = j->deadline;
	timer_set(j->h->loop, &j->timer, j->deadline > now ? j->deadline - now : 0, on_timer, j);
}

/* A deadline that moves away costs nothing: the timer looks at it when it fires. */
void
job_expect_within(struct job *j, uint64_t delay_ms)
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

void
job_end(struct job *j, enum handoff_outcome outcome)
{
	struct handoff *h = j->h;

	job_remember(j, outcome, j->state == JOB_LATE);
	if (j->state == JOB_LATE) {
		report_late(j, outcome);
	} else {
		report_end(j, outcome);
		h->port->tell(h->port->ctx, &j->owner, outcome);
	}
	job_done(j);
}

bool
job_may_move(const struct job *j)
{
	return phases[j->state].may_move && j->question == QUESTION_UNASKED;
}

/* smtpd has been told, or is gone; the answer still counts for the log and the server. */
static void
job_turn_late(struct job *j)
{
	j->state = JOB_LATE;
	job_expect_within(j, j->group->reply_ms);
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
	if (j->state == JOB_WAITING) {
		job_end(j, HANDOFF_BUSY);
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

/* ---- what others call -------------------------------------------------------------------------- */

struct handoff *
handoff_new(struct loop *loop, const struct handoff_port *port, struct span hostname, unsigned jobs)
{
	struct handoff *h = calloc(1, sizeof(*h));

	BUG_ON(jobs < 1 || jobs > HANDOFF_JOBS);
	if (h == NULL)
		return NULL;
	h->jobs = calloc(jobs, sizeof(*h->jobs));
	h->idle = idle_new(loop);
	if (h->jobs == NULL || h->idle == NULL) {
		idle_free(&h->idle);
		free(h->jobs);
		free(h);
		return NULL;
	}
	h->loop = loop;
	h->port = port;
	h->hostname = hostname;
	h->waiting_end = &h->waiting;
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
handoff_use(
    struct handoff *h, struct health *health, struct repeats *repeats, struct recent *recent)
{
	h->health = health;
	h->repeats = repeats;
	h->recent = recent;
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
	loop_undefer(&h->wake);
	idle_free(&h->idle);
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
	job_start(j);
	return true;
}

void
handoff_commit(struct handoff *h, const struct handoff_owner *owner, bool go)
{
	struct job *j = job_find(h, owner);

	if (j == NULL || j->question != QUESTION_ASKED || j->state > JOB_ASKING)
		return;
	if (!go) {
		job_end(j, HANDOFF_GIVEN_UP);
		return;
	}
	j->question = QUESTION_GO;
	if (j->state == JOB_ASKING)
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

#include "validators/jobs.h"

#include <unistd.h>

#include "lib/bug.h"
#include "lib/log.h"

#include "validators/counters.h"

static void job_run(struct job *job);
static void job_finish(struct job *job, enum job_end end);

/* ---- places ---------------------------------------------------------------------------------- */

static void
gauges(const struct jobs *jobs)
{
	const struct job_queue *q = jobs->queues;

	gauge(COUNT_checks_running, q[JOB_ENVELOPE].running + q[JOB_MESSAGE].running);
	gauge(COUNT_checks_waiting, q[JOB_ENVELOPE].waiting + q[JOB_MESSAGE].waiting);
}

static struct job *
place_take(struct jobs *jobs, enum job_kind kind, struct transaction *owner)
{
	struct job *job = jobs->first_free;

	if (job == NULL)
		return NULL;
	jobs->first_free = job->next;
	*job = (struct job){.jobs = jobs,
	    .owner = owner,
	    .serial = job->serial + JOBS_MAX,
	    .kind = kind,
	    .used = true};
	return job;
}

static void
place_give(struct job *job)
{
	struct jobs *jobs = job->jobs;

	timer_stop(&job->deadline);
	job->used = false;
	job->owner = NULL;
	job->next = jobs->first_free;
	jobs->first_free = job;
}

static void
queue_add(struct job_queue *q, struct job *job)
{
	job->prev = q->last;
	job->next = NULL;
	if (q->last != NULL)
		q->last->next = job;
	else
		q->first = job;
	q->last = job;
	q->waiting++;
	job->waiting = true;
}

static void
queue_remove(struct job_queue *q, struct job *job)
{
	if (job->prev != NULL)
		job->prev->next = job->next;
	else
		q->first = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	else
		q->last = job->prev;
	q->waiting--;
	job->waiting = false;
}

/* Never from inside a handler: what a job does when it begins or fails must not surprise one. */
static void
on_advance(void *arg)
{
	struct jobs *jobs = arg;

	for (int kind = 0; kind < JOB_KINDS; kind++) {
		struct job_queue *q = &jobs->queues[kind];

		while (q->first != NULL && q->running < q->places) {
			struct job *job = q->first;

			queue_remove(q, job);
			job_run(job);
		}
	}
	gauges(jobs);
}

void
jobs_init(struct jobs *jobs, struct loop *loop, struct questions *questions,
    const struct job_hooks *hooks, size_t message_checks)
{
	memset(jobs, 0, sizeof(*jobs));
	jobs->loop = loop;
	jobs->questions = questions;
	jobs->hooks = hooks;
	jobs->advance = (struct deferred){.fn = on_advance, .arg = jobs};
	jobs->queues[JOB_ENVELOPE].places = JOBS_ENVELOPES;
	jobs->queues[JOB_MESSAGE].places = message_checks;
	for (uint32_t i = JOBS_MAX; i-- > 0;) {
		jobs->all[i].serial = i;
		jobs->all[i].next = jobs->first_free;
		jobs->first_free = &jobs->all[i];
	}
}

size_t
jobs_active(const struct jobs *jobs)
{
	const struct job_queue *q = jobs->queues;

	return q[JOB_ENVELOPE].running + q[JOB_ENVELOPE].waiting + q[JOB_MESSAGE].running +
	       q[JOB_MESSAGE].waiting;
}

/* ---- the end of a job ------------------------------------------------------------------------ */

static void
log_failure(const struct job *job)
{
	static const char *const kinds[JOB_KINDS] = {"envelope", "message"};
	static const struct {
		const char *name;
		enum count counter;
	} ends[] = {
	    [JOB_CRASHED] = {"crashed", COUNT_checks_crashed},
	    [JOB_LATE] = {"late", COUNT_checks_late},
	    [JOB_LIED] = {"lied", COUNT_checks_lied},
	};
	struct log_line line;

	if (job->end == JOB_ANSWERED || job->end == JOB_CANCELLED)
		return;
	count(ends[job->end].counter);
	log_begin(&line, EVENT_check_failed);
	log_str(&line, "check", kinds[job->kind]);
	log_str(&line, "how", ends[job->end].name);
	if (job->gone)
		log_u64(&line, "status", job->status);
	log_end(&line);
}

/* The process is reaped, or nobody is left who could say so: the place is free. */
static void
job_release(struct job *job)
{
	struct jobs *jobs = job->jobs;

	jobs->queues[job->kind].running--;
	log_failure(job);
	place_give(job);
	loop_defer(jobs->loop, &jobs->advance);
}

static void
on_not_reaped(void *arg)
{
	struct job *job = arg;

	job->jobs->zygote_hangs(job->jobs->arg);
}

/* The link has ended. What is left to wait for is child_gone. */
static void
job_await_reaping(struct job *job)
{
	struct jobs *jobs = job->jobs;
	struct msg_child_kill kill_it = {job->serial};

	if (job->gone || !link_alive(jobs->zygote)) {
		job_release(job);
		return;
	}
	if (job->end != JOB_ANSWERED)
		link_send(jobs->zygote, MSG_child_kill, &kill_it, -1);
	timer_set(jobs->loop, &job->deadline, JOB_REAP_MS, on_not_reaped, job);
}

static void
job_finish(struct job *job, enum job_end end)
{
	struct jobs *jobs = job->jobs;

	BUG_ON(!job->running);
	job->running = false;
	job->end = end;
	questions_forget(jobs->questions, job);
	link_free(&job->link);
	timer_stop(&job->deadline);
	if (job->owner != NULL)
		jobs->hooks->ended(job, end);
	job->owner = NULL;
	job_await_reaping(job);
}

static void
on_late(void *arg)
{
	struct job *job = arg;
	struct jobs *jobs = job->jobs;

	if (job->running) {
		job_finish(job, JOB_LATE);
		return;
	}
	/* It never got its turn. */
	queue_remove(&jobs->queues[job->kind], job);
	count(COUNT_checks_no_turn);
	jobs->hooks->ended(job, JOB_NO_TURN);
	place_give(job);
	gauges(jobs);
}

void
job_cancel(struct job **job_at, enum job_end end)
{
	struct job *job = *job_at;

	*job_at = NULL;
	if (job == NULL)
		return;
	job->owner = NULL;
	if (job->waiting) {
		queue_remove(&job->jobs->queues[job->kind], job);
		place_give(job);
		return;
	}
	job_finish(job, end);
}

/* ---- the link to the process ----------------------------------------------------------------- */

static void
take_answer(struct job *job, enum job_kind kind, enum msg_type type, const union msg *m)
{
	if (job->answered || job->kind != kind) {
		job_finish(job, JOB_LIED);
		return;
	}
	job->answered = true;
	if (!job->jobs->hooks->answered(job, type, m))
		job_finish(job, JOB_LIED);
}

static void
on_envelope_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	(void)link;
	(void)fd;
	take_answer(ctx, JOB_ENVELOPE, MSG_job_envelope_answer, m);
}

static void
on_message_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	(void)link;
	(void)fd;
	take_answer(ctx, JOB_MESSAGE, MSG_job_message_answer, m);
}

static void
on_dns_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct job *job = ctx;

	(void)link;
	(void)fd;
	if (job->answered)
		job_finish(job, JOB_LIED);
	else
		questions_ask(
		    job->jobs->questions, job, &m->dns_ask, job->jobs->hooks->budget(job));
}

static void
on_job_lost(void *ctx, struct link *link)
{
	struct job *job = ctx;

	if (link_violated(link))
		job_finish(job, JOB_LIED);
	else
		job_finish(job, job->answered ? JOB_ANSWERED : JOB_CRASHED);
}

static const struct link_handler job_handlers[] = {
    {MSG_job_envelope_answer, on_envelope_answer},
    {MSG_job_message_answer, on_message_answer},
    {MSG_dns_ask, on_dns_ask},
};

static const struct link_role job_role = {
    .self = PROGRAM_VALIDATORS,
    .peer = PROGRAM_VALIDATOR,
    .handlers = job_handlers,
    .handler_count = sizeof(job_handlers) / sizeof(job_handlers[0]),
    .on_lost = on_job_lost,
    .brief = true,
};

/* ---- the beginning of a job ------------------------------------------------------------------ */

/* Makes the link and asks for a process at its other end. */
static bool
job_connect(struct job *job)
{
	struct msg_fork_ask ask = {job->serial};
	struct jobs *jobs = job->jobs;
	int fds[2];

	if (!link_alive(jobs->zygote) || link_pair(fds) != 0)
		return false;
	job->link = link_new(jobs->loop, fds[0], &job_role, job);
	if (job->link == NULL) {
		close(fds[1]);
		return false;
	}
	return link_send(jobs->zygote, MSG_fork_ask, &ask, fds[1]);
}

static void
job_run(struct job *job)
{
	struct jobs *jobs = job->jobs;
	bool asked = job_connect(job);

	jobs->queues[job->kind].running++;
	job->running = true;
	if (asked)
		count(COUNT_checks_started);
	else
		job->gone = true; /* there is no process to reap */
	if (!asked || !jobs->hooks->begin(job))
		job_finish(job, JOB_CRASHED);
}

struct job *
job_start(struct jobs *jobs, enum job_kind kind, struct transaction *owner, uint64_t limit_ms)
{
	struct job_queue *q = &jobs->queues[kind];
	struct job *job;

	if (q->waiting >= JOBS_WAITING_MAX || !link_alive(jobs->zygote))
		return NULL;
	job = place_take(jobs, kind, owner);
	if (job == NULL)
		return NULL;
	if (timer_set(jobs->loop, &job->deadline, limit_ms < JOB_WALL_MS ? limit_ms : JOB_WALL_MS,
		on_late, job) != 0) {
		place_give(job);
		return NULL;
	}
	queue_add(q, job);
	loop_defer(jobs->loop, &jobs->advance);
	return job;
}

/* ---- the zygote ------------------------------------------------------------------------------ */

void
jobs_child_gone(struct jobs *jobs, uint32_t serial, uint32_t status)
{
	struct job *job = &jobs->all[serial % JOBS_MAX];

	if (!job->used || job->serial != serial || job->waiting || job->gone)
		return;
	job->gone = true;
	job->status = status;
	/* While the link has not ended an answer may still lie in it. */
	if (!job->running)
		job_release(job);
}

void
jobs_zygote_lost(struct jobs *jobs)
{
	for (size_t i = 0; i < JOBS_MAX; i++) {
		struct job *job = &jobs->all[i];

		if (!job->used || job->waiting)
			continue;
		job->gone = true;
		if (!job->running)
			job_release(job);
	}
}

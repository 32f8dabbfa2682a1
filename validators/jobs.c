#include "validators/jobs.h"

#include <stdlib.h>

#include "lib/bug.h"
#include "lib/log.h"

#include "validators/counters.h"
#include "validators/job_log.h"

static void job_run(struct job *job);
static void job_finish(struct job *job, enum job_end end);
static void advance(struct jobs *jobs);

/* ---- places ---------------------------------------------------------------------------------- */

static void on_dns_answered(struct asker *asker, const struct msg_dns_answer *answer);

static struct job *
place_take(struct jobs *jobs, enum job_kind kind, struct transaction *owner)
{
	struct job *job = jobs->first_free;

	if (job == NULL)
		return NULL;
	jobs->first_free = job->next;
	jobs->used++;
	*job = (struct job){
	    .jobs = jobs, .owner = owner, .kind = kind, .asker = {.answered = on_dns_answered}};
	return job;
}

static void
place_give(struct job *job)
{
	struct jobs *jobs = job->jobs;

	timer_stop(&job->deadline);
	timer_stop(&job->patience);
	job->owner = NULL;
	job->next = jobs->first_free;
	jobs->first_free = job;
	jobs->used--;
}

bool
job_waits(const struct job *job)
{
	return job->process == NULL;
}

size_t
jobs_active(const struct jobs *jobs)
{
	return jobs->used + processes_ending(&jobs->processes);
}

/* ---- those that wake: their answer, or the process that they wait for, has come --------------- */

/* Returns: false when memory is out, or one is held already: no honest process asks two. */
static bool
hold_answer(struct job *job, const struct msg_dns_answer *answer)
{
	struct span records = answer->records.encoded;
	struct held_answer *held;

	if (job->held != NULL || (held = malloc(sizeof(*held) + records.len)) == NULL)
		return false;
	held->answer = *answer;
	if (records.len > 0)
		memcpy(held->records, records.p, records.len);
	held->answer.records.encoded = span_of(held->records, records.len);
	job->held = held;
	return true;
}

/* Out of the line; what it would have been given is dropped. */
static void
leave_line(struct job *job)
{
	line_remove(&job->jobs->waking, job);
	free(job->held);
	job->held = NULL;
}

static void
pass_answer(struct job *job, const struct msg_dns_answer *answer)
{
	process_set_state(job->process, PROCESS_COMPUTING);
	link_send(job->process->link, MSG_dns_answer, answer, -1);
}

static void
on_dns_answered(struct asker *asker, const struct msg_dns_answer *answer)
{
	struct job *job = (struct job *)(void *)((char *)asker - offsetof(struct job, asker));
	struct jobs *jobs = job->jobs;

	if (job->follower != NULL)
		timer_stop(&job->follower->patience);
	if (processes_computing(&jobs->processes) < jobs->places || !hold_answer(job, answer))
		pass_answer(job, answer);
	else
		line_add(&jobs->waking, job);
}

/* ---- those that follow another ------------------------------------------------------------------ */

/* It is no follower any more. */
static void
unfollow(struct job *job)
{
	timer_stop(&job->patience);
	if (job->leader != NULL)
		job->leader->follower = NULL;
	job->leader = NULL;
}

/* It gets a process of its own. */
static void
on_impatient(void *arg)
{
	struct job *job = arg;

	unfollow(job);
	queue_add(&job->jobs->queue, job);
	advance(job->jobs);
}

/* The leader waits for the DNS. */
static void
lose_patience(struct job *leader)
{
	struct job *job = leader->follower;

	if (job != NULL &&
	    timer_set(job->jobs->loop, &job->patience, JOB_FOLLOWS_MS, on_impatient, job) != 0)
		on_impatient(job);
}

/* Returns: false when it cannot; it waits in the queue then. */
static bool
follow(struct job *job, struct job *leader)
{
	if (leader == NULL || job->jobs->per_process > 1 ||
	    (leader->process != NULL && !leader->process_stays))
		return false;
	job->leader = leader;
	leader->follower = job;
	if (leader->asker.open > 0)
		lose_patience(leader);
	return true;
}

/*
 * The leader ends. Its follower is next, whether there is a process for it or not: it counts as
 * running from now on.
 */
static void
lead_on(struct job *leader)
{
	struct job *job = leader->follower;

	if (job == NULL)
		return;
	unfollow(job);
	queue_skip(job);
	line_add(&job->jobs->waking, job);
	advance(job->jobs);
}

/* Takes a job that has no process from wherever it waits. */
static void
withdraw(struct job *job)
{
	struct job_queue *q = &job->jobs->queue;

	lead_on(job);
	if (job->lined) {
		leave_line(job);
		queue_ended(q, job);
	} else if (job->leader != NULL) {
		unfollow(job);
	} else {
		queue_remove(q, job);
	}
}

/* ---- turns ------------------------------------------------------------------------------------- */

static bool
may_begin(const struct jobs *jobs)
{
	return processes_computing(&jobs->processes) < jobs->places &&
	       jobs->processes.count[PROCESS_ASLEEP] < JOBS_ASLEEP_MAX;
}

/* Returns: false when there is none, or no place for it. */
static bool
wake_one(struct jobs *jobs)
{
	struct job *job = jobs->waking.first;

	if (job == NULL || processes_computing(&jobs->processes) >= jobs->places)
		return false;
	jobs->newcomer = false;
	if (job->held != NULL)
		pass_answer(job, &job->held->answer);
	leave_line(job);
	if (job->process == NULL)
		job_run(job);
	return true;
}

static bool
begin_one(struct jobs *jobs)
{
	struct job *job = may_begin(jobs) ? queue_take(&jobs->queue) : NULL;

	if (job == NULL)
		return false;
	jobs->newcomer = true;
	job_run(job);
	return true;
}

/*
 * At the end of a turn, never from inside a handler: what a job does when it begins or fails must
 * not surprise one. Those that wake and those that begin take turns. If all of the one kind went
 * first, the others would all begin at the same moment, wait for the DNS at the same time and wake
 * at the same moment again, and the processors would rest meanwhile.
 */
static void
on_advance(void *arg)
{
	struct jobs *jobs = arg;
	bool some;

	do
		some = jobs->newcomer ? wake_one(jobs) || begin_one(jobs)
		                      : begin_one(jobs) || wake_one(jobs);
	while (some);
	gauge(COUNT_checks_waiting, jobs->queue.waiting);
}

static void
advance(struct jobs *jobs)
{
	loop_defer(jobs->loop, &jobs->advance);
}

/* ---- the end of a job ------------------------------------------------------------------------ */

static void
on_process_ended(void *arg, struct process *p)
{
	struct jobs *jobs = arg;

	job_log_process(p);
	advance(jobs);
}

/* The job leaves its process. */
static struct process *
detach(struct job *job)
{
	struct process *p = job->process;

	questions_forget(job->jobs->questions, &job->asker);
	leave_line(job);
	job->process = NULL;
	if (p != NULL)
		p->job = NULL;
	return p;
}

/* Whether its process may serve another after it; said to the process with the job. */
static bool
stays(const struct job *job)
{
	const struct jobs *jobs = job->jobs;

	if (jobs->per_process > 1)
		return job->process->served + 1 < jobs->per_process;
	return jobs->hooks->more(job);
}

static void
let_go(struct job *job, struct process *p, enum job_end end)
{
	struct jobs *jobs = job->jobs;
	bool rest = end == JOB_ANSWERED && job->process_stays && link_alive(p->link);

	if (rest && jobs->per_process > 1)
		process_rest(p, NULL);
	else if (rest && jobs->hooks->more(job))
		process_rest(p, job->owner);
	else
		process_end(p, end != JOB_ANSWERED);
}

static void
job_finish(struct job *job, enum job_end end)
{
	struct jobs *jobs = job->jobs;
	struct process *p = detach(job);

	job_log_failure(job->kind, end, p);
	lead_on(job);
	queue_ended(&jobs->queue, job);
	if (p != NULL)
		let_go(job, p, end);
	if (job->owner != NULL)
		jobs->hooks->ended(job, end);
	place_give(job);
	advance(jobs);
}

static void
on_late(void *arg)
{
	struct job *job = arg;
	struct jobs *jobs = job->jobs;

	if (job->process != NULL) {
		job_finish(job, JOB_LATE);
		return;
	}
	/* It never got its turn. */
	withdraw(job);
	count(COUNT_checks_no_turn);
	jobs->hooks->ended(job, JOB_NO_TURN);
	place_give(job);
}

void
job_cancel(struct job **job_at, enum job_end end)
{
	struct job *job = *job_at;

	*job_at = NULL;
	if (job == NULL)
		return;
	job->owner = NULL;
	if (job->process != NULL) {
		job_finish(job, end);
		return;
	}
	withdraw(job);
	place_give(job);
}

void
jobs_owner_gone(struct jobs *jobs, const struct transaction *owner)
{
	struct process *p = process_bound_to(&jobs->processes, owner);

	if (p != NULL)
		process_end(p, false);
}

/* ---- the link to the process ----------------------------------------------------------------- */

/* It speaks without having a job: what it said before is worth nothing either. */
static void
betrayed(struct process *p)
{
	struct jobs *jobs = p->all->arg;
	struct transaction *bound = p->bound;

	job_log_failure(JOB_ENVELOPE, JOB_LIED, p);
	process_end(p, true);
	if (bound != NULL)
		jobs->hooks->betrayed(bound);
}

static void
take_answer(struct process *p, enum job_kind kind, enum msg_type type, const union msg *m)
{
	struct job *job = p->job;

	if (job == NULL) {
		betrayed(p);
		return;
	}
	if (job->answered || job->kind != kind || job->asker.open > 0 || job->held != NULL) {
		job_finish(job, JOB_LIED);
		return;
	}
	job->answered = true;
	if (!job->jobs->hooks->answered(job, type, m))
		job_finish(job, JOB_LIED);
	else if (job->process_stays)
		job_finish(job, JOB_ANSWERED);
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
job_asks(struct job *job, const struct msg_dns_ask *ask)
{
	struct jobs *jobs = job->jobs;
	struct allowance allowance = jobs->hooks->allowance(job);
	struct msg_dns_ask plain = *ask;
	struct msg_dns_answer trouble = {.query = ask->query, .status = DNS_TROUBLE}, known;

	plain.own = 0;
	questions_follow(jobs->questions, &job->asker, plain.type, plain.name);
	if (questions_known(jobs->questions, &plain, allowance.left, &known)) {
		link_send(job->process->link, MSG_dns_answer, &known, -1);
		return;
	}
	if (!questions_ask(
		jobs->questions, &job->asker, &plain, allowance.client, allowance.left)) {
		link_send(job->process->link, MSG_dns_answer, &trouble, -1);
		return;
	}
	process_set_state(job->process, PROCESS_ASLEEP);
	lose_patience(job);
	advance(jobs);
}

static void
on_dns_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct process *p = ctx;

	(void)link;
	(void)fd;
	if (p->job == NULL)
		betrayed(p);
	else if (p->job->answered)
		job_finish(p->job, JOB_LIED);
	else
		job_asks(p->job, &m->dns_ask);
}

/* A process that served others before may have been ended by what they left. */
static bool
repeat(struct job *job)
{
	struct process *p = job->process;

	if (job->jobs->per_process == 1 || p->served == 0 || job->repeated || job->answered)
		return false;
	detach(job);
	process_end(p, true);
	count(COUNT_checks_repeated);
	job->repeated = true;
	job_run(job);
	return true;
}

static void
on_process_lost(void *ctx, struct link *link)
{
	struct process *p = ctx;
	struct job *job = p->job;

	if (job == NULL && link_violated(link))
		betrayed(p);
	else if (job == NULL)
		process_end(p, false);
	else if (link_violated(link))
		job_finish(job, JOB_LIED);
	else if (job->answered || !repeat(job))
		job_finish(job, job->answered ? JOB_ANSWERED : JOB_CRASHED);
}

/* Said only when it was asked for; a process that says it unasked breaks the rules. */
static void
on_note(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct process *p = ctx;
	struct log_line line;

	(void)link;
	(void)fd;
	if (p->job == NULL || !p->job->jobs->notes) {
		if (p->job == NULL)
			betrayed(p);
		else
			job_finish(p->job, JOB_LIED);
		return;
	}
	log_begin(&line, EVENT_step);
	log_span(&line, "text", m->check_note.text);
	log_end(&line);
}

static const struct link_handler process_handlers[] = {
    {MSG_check_note, on_note},
    {MSG_job_envelope_answer, on_envelope_answer},
    {MSG_job_message_answer, on_message_answer},
    {MSG_dns_ask, on_dns_ask},
};

static const struct link_role process_role = {
    .self = PROGRAM_VALIDATORS,
    .peer = PROGRAM_VALIDATOR,
    .handlers = process_handlers,
    .handler_count = sizeof(process_handlers) / sizeof(process_handlers[0]),
    .on_lost = on_process_lost,
    .brief = true,
};

/* ---- the beginning of a job ------------------------------------------------------------------ */

static struct process *
process_for(const struct job *job)
{
	struct processes *ps = &job->jobs->processes;
	struct process *p = job->repeated ? NULL : process_bound_to(ps, job->owner);

	if (p != NULL) {
		process_wake(p);
		return p;
	}
	if (!job->repeated && (p = process_wake_any(ps)) != NULL)
		return p;
	return process_new(ps);
}

/* It was taken out of the queue. */
static void
job_run(struct job *job)
{
	struct process *p = process_for(job);

	job->process = p;
	if (p != NULL) {
		p->job = job;
		job->process_stays = stays(job);
		count(COUNT_checks_started);
	}
	if (p == NULL || !job->jobs->hooks->begin(job))
		job_finish(job, JOB_CRASHED);
}

struct job *
job_start(struct jobs *jobs, enum job_kind kind, struct transaction *owner, const struct ip *client,
    bool unlimited, uint64_t limit_ms, struct job *leader)
{
	struct job *job;

	if (!link_alive(jobs->processes.zygote) || (job = place_take(jobs, kind, owner)) == NULL)
		return NULL;
	if (limit_ms > JOB_WALL_MS)
		limit_ms = JOB_WALL_MS;
	if (timer_set(jobs->loop, &job->deadline, limit_ms, on_late, job) != 0 ||
	    (job->network = queue_network(&jobs->queue, client, unlimited)) == NULL) {
		place_give(job);
		return NULL;
	}
	if (!follow(job, leader)) {
		queue_add(&jobs->queue, job);
		advance(jobs);
	}
	return job;
}

/* ---- all of them -------------------------------------------------------------------------------- */

void
jobs_init(struct jobs *jobs, struct loop *loop, struct questions *questions,
    const struct job_hooks *hooks, size_t places, uint64_t per_process)
{
	memset(jobs, 0, sizeof(*jobs));
	jobs->loop = loop;
	jobs->questions = questions;
	jobs->hooks = hooks;
	jobs->places = places;
	jobs->per_process = per_process;
	jobs->advance = (struct deferred){.fn = on_advance, .arg = jobs};
	processes_init(&jobs->processes, loop, &process_role);
	jobs->processes.ended = on_process_ended;
	jobs->processes.arg = jobs;
	for (uint32_t i = JOBS_MAX; i-- > 0;) {
		jobs->all[i].next = jobs->first_free;
		jobs->first_free = &jobs->all[i];
	}
}

void
jobs_clear(struct jobs *jobs)
{
	processes_clear(&jobs->processes);
	loop_undefer(&jobs->advance);
}

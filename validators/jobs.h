/*
 * Jobs: one check by one process, from its place in the queue to the end of the process.
 *
 * A job waits until its kind has a free place, gets a socket pair whose other end goes to the
 * zygote with fork_ask, and is told what to check at once, before the process exists. It answers
 * once and exits: an answer counts only when the link ends without anything after it. Whatever
 * else happens (no answer, two answers, a malformed message, too long) is a failure of this job
 * alone. Its place is free again when the zygote has reaped the process.
 */
#ifndef VALIDATORS_JOBS_H
#define VALIDATORS_JOBS_H

#include "lib/link.h"
#include "lib/loop.h"

#include "validators/questions.h"

struct transaction;

enum job_kind { JOB_ENVELOPE, JOB_MESSAGE, JOB_KINDS };

enum job_end {
	JOB_ANSWERED,
	JOB_CRASHED, /* the link ended without an answer; also: it could not be forked */
	JOB_LATE,    /* killed at its deadline */
	JOB_LIED,    /* a second answer, an answer to something else, a malformed message */
	JOB_NO_TURN, /* it waited in the queue until its deadline */
	JOB_CANCELLED,
};

enum {
	JOBS_MAX = 4096,         /* places for jobs of all kinds, waiting or running */
	JOBS_WAITING_MAX = 1024, /* of one kind */
	JOBS_ENVELOPES = 256,    /* running; they mostly wait for the DNS */
	JOB_WALL_MS = 20 * 1000, /* for one job, its wait in the queue included */
	JOB_REAP_MS = 10 * 1000, /* from the kill to child_gone; then the zygote is given up */
};

struct jobs;

struct job {
	struct jobs *jobs;
	struct transaction *owner; /* NULL: nobody waits for it any more, or a free place */
	struct link *link;         /* NULL: not started, or ended */
	struct timer deadline;
	struct job *prev, *next; /* of the queue; next also of the free places */
	uint32_t serial;         /* its number for the zygote; changes with each use */
	uint32_t status;         /* as child_gone said */
	unsigned questions_open;
	enum job_kind kind;
	enum job_end end;
	bool used, waiting, running, answered, gone;
};

/* The owner's side. `ended` may cancel other jobs and free the owner; the others may not. */
struct job_hooks {
	/* Its turn has come: say over job->link what is to be done. Returns: false when that failed. */
	bool (*begin)(struct job *job);
	/*
	 * An answer of the right kind has come; it counts only if `ended` says JOB_ANSWERED.
	 * Returns: false when no honest process gives such an answer.
	 */
	bool (*answered)(struct job *job, enum msg_type type, const union msg *m);
	/* job->owner is still set; the job must not be used after this. */
	void (*ended)(struct job *job, enum job_end end);
	/* Questions that the message may still ask. */
	unsigned *(*budget)(struct job *job);
};

struct job_queue {
	struct job *first, *last;
	size_t waiting, running, places;
};

struct jobs {
	struct loop *loop;
	struct questions *questions;
	const struct job_hooks *hooks;
	struct link *zygote; /* owned by the dispatcher; NULL: down */
	void (*zygote_hangs)(void *arg);
	void *arg;
	struct deferred advance; /* start what waits, once this turn's messages are handled */
	struct job_queue queues[JOB_KINDS];
	struct job *first_free;
	struct job all[JOBS_MAX];
};

/* In: message_checks, how many messages are judged at the same time, > 0. */
void jobs_init(struct jobs *jobs, struct loop *loop, struct questions *questions,
    const struct job_hooks *hooks, size_t message_checks);

/*
 * Starts a job or lets it wait for its turn.
 * In: limit_ms, how long it may take.
 * Returns: NULL when too many wait or no process can be had; no hook is called then.
 */
struct job *job_start(
    struct jobs *jobs, enum job_kind kind, struct transaction *owner, uint64_t limit_ms);

/*
 * The owner waits no longer; its process is killed, no hook is called. Clears *job; takes NULL.
 * In: end, JOB_CANCELLED, or JOB_LATE when it took too long for its owner.
 */
void job_cancel(struct job **job, enum job_end end);

/* The zygote reaped a process. */
void jobs_child_gone(struct jobs *jobs, uint32_t serial, uint32_t status);

/* The zygote is gone, and with it every process that it forked. */
void jobs_zygote_lost(struct jobs *jobs);

/* Jobs running or waiting. */
size_t jobs_active(const struct jobs *jobs);

#endif

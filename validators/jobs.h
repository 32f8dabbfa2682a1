/*
 * Jobs: one check, from its place in the queue to its answer.
 *
 * A job waits until a processor is free for it, gets a process (a new one; or one that rests), and
 * is told what to check at once, before the process exists. While it waits for the DNS another may
 * compute; when its answer has come it waits for its turn to compute again, like one that begins. A process that exits
 * after its answer has answered only when its link ends without anything after it. Whatever else
 * happens (no answer, two answers, a malformed message, too long) is a failure of this job alone.
 *
 * A fork costs more than a check. So a job may follow another of the same owner: it waits for that
 * one's process, and goes before any job of the queue then; but not while the DNS is slow to answer.
 */
#ifndef VALIDATORS_JOBS_H
#define VALIDATORS_JOBS_H

#include "validators/job_queue.h"
#include "validators/processes.h"
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
	JOBS_MAX = 4096,         /* places for jobs, waiting or running */
	JOBS_ASLEEP_MAX = 256,   /* that wait for the DNS, or for their turn after it */
	JOB_WALL_MS = 25 * 1000, /* for one job, its wait in the queue included */
	JOB_FOLLOWS_MS =
	    1000, /* that a job waits for the process of another; the DNS may be slow */
};

struct jobs;

/* An answer of the DNS whose job waits for its turn to compute. */
struct held_answer {
	struct msg_dns_answer answer;
	uint8_t records[]; /* those of the answer */
};

struct job {
	struct jobs *jobs;
	struct transaction *owner; /* NULL: a free place */
	struct process *process;   /* NULL: it waits for its turn */
	struct job_network *network;
	struct timer deadline, patience; /* patience: to follow */
	struct job *leader,
	    *follower; /* it waits for that one's process; that one for this one's */
	struct job *prev,
	    *next; /* in the queue; in the line of those that wake; next also of the free places */
	struct asker asker;       /* of its questions */
	struct held_answer *held; /* that it is given when it wakes; NULL: it begins then */
	enum job_kind kind;
	bool lined; /* in the line of those that wake */
	bool answered;
	bool repeated;      /* in a new process, after the end of one that had served others */
	bool process_stays; /* after the answer */
};

/* What a job may still ask. */
struct allowance {
	unsigned *left;          /* questions of the message */
	const struct ip *client; /* whose budget they are of; NULL: none's */
};

/* The owner's side. `ended` may cancel other jobs and free the owner; the others may not. */
struct job_hooks {
	/* Its turn has come: say over the link of its process what is to be done. Returns: false when that failed. */
	bool (*begin)(struct job *job);
	/*
	 * An answer of the right kind has come; it counts only if `ended` says JOB_ANSWERED.
	 * Returns: false when no honest process gives such an answer.
	 */
	bool (*answered)(struct job *job, enum msg_type type, const union msg *m);
	/* job->owner is still set; the job must not be used after this. */
	void (*ended)(struct job *job, enum job_end end);
	/* Whether its owner will have another job soon that the same process may serve. */
	bool (*more)(const struct job *job);
	/* The process that answered the first job of this owner has broken the rules since. */
	void (*betrayed)(struct transaction *owner);
	/* What it may still ask. */
	struct allowance (*allowance)(struct job *job);
};

struct jobs {
	struct loop *loop;
	struct questions *questions;
	const struct job_hooks *hooks;
	bool notes;              /* steps are wanted in the log */
	size_t places;           /* jobs that compute at the same time */
	uint64_t per_process;    /* jobs that a process serves, 1: those of one message */
	struct deferred advance; /* start what waits, once this turn's messages are handled */
	struct processes processes;
	struct job_queue queue;
	struct job_line waking; /* their answers, or the processes that they wait for, have come */
	bool newcomer;          /* the last one to get a place began */
	struct job *first_free;
	size_t used;
	struct job all[JOBS_MAX];
};

/*
 * In: places, how many jobs compute at the same time, > 0; per_process, jobs that a process serves
 * one after another, 1: only those of one message.
 */
void jobs_init(struct jobs *jobs, struct loop *loop, struct questions *questions,
    const struct job_hooks *hooks, size_t places, uint64_t per_process);

/*
 * Starts a job or lets it wait for its turn.
 * In: client, whose network it counts for, unlimited when that stands for many; limit_ms, how long
 * it may take; leader, a job of the same owner and client whose process it may have, NULL for none.
 * Returns: NULL when too many wait or no process can be had; no hook is called then.
 */
struct job *job_start(struct jobs *jobs, enum job_kind kind, struct transaction *owner,
    const struct ip *client, bool unlimited, uint64_t limit_ms, struct job *leader);

/*
 * The owner waits no longer; its process is killed, no hook is called. Clears *job; takes NULL.
 * In: end, JOB_CANCELLED, or JOB_LATE when it took too long for its owner.
 */
void job_cancel(struct job **job, enum job_end end);

/* The owner is about to go: a process that rests for it ends. */
void jobs_owner_gone(struct jobs *jobs, const struct transaction *owner);

/* Whether it still waits for its first turn. */
bool job_waits(const struct job *job);

/* Jobs running or waiting, and processes that are not reaped yet. */
size_t jobs_active(const struct jobs *jobs);

/* Ends the processes that rest or were not reaped. There are no jobs any more. */
void jobs_clear(struct jobs *jobs);

#endif

/*
 * Processes that serve checks: asked for, busy, resting between two jobs, ending, reaped.
 *
 * How many take processor time is the sum of those that compute and of those that are killed; a
 * process that waits for the DNS takes none, nor does one that has ended its link: but it may lie, so
 * that not many are believed. Which of them a job gets, and what an answer means, is jobs.c.
 */
#ifndef VALIDATORS_PROCESSES_H
#define VALIDATORS_PROCESSES_H

#include "lib/link.h"
#include "lib/loop.h"

struct job;
struct transaction;

enum {
	PROCESSES_MAX = 2048,
	PROCESS_REAP_MS = 10 * 1000, /* from its end to child_gone; then the zygote is given up */
	PROCESS_REST_MS = 5 * 1000,  /* without a job; then it is ended */
	PROCESS_PROBE_MS = 3 * 1000, /* between two looks at whether the zygote answers */
	PROCESS_PROBES = 2,          /* looks without an answer; then the zygote is given up */
	PROCESSES_BOUND_MAX = 32,
	PROCESSES_LEFT_MAX = 64, /* that are believed to take no time before they are reaped */
};

enum process_state {
	PROCESS_FREE,
	PROCESS_RESTING,
	PROCESS_COMPUTING,
	PROCESS_ASLEEP, /* waits for an answer of the DNS, or for its turn after one */
	PROCESS_DYING,  /* killed; the zygote has not reaped it yet */
	PROCESS_LEFT,   /* it exits, or has exited, by itself; not reaped yet either */
	PROCESS_STATES,
};

struct process {
	struct processes *all;
	struct job *job;           /* that it serves; NULL: none */
	struct transaction *bound; /* the only one that may have it; NULL: anybody */
	struct link *link;         /* NULL: ended */
	struct timer timer;
	struct process *prev, *next; /* of those that rest; next also of the free places */
	uint32_t serial;             /* its number for the zygote; changes with each use */
	uint32_t status;             /* as child_gone said */
	unsigned served;             /* jobs that it has answered */
	enum process_state state;
	bool gone; /* reaped, or never there */
};

struct processes {
	struct loop *loop;
	struct link *zygote; /* owned by the dispatcher; NULL: down */
	/* While something is asked of it, it must show that it lives: what hangs would cost every
	 * message the time that a whole check may take. */
	struct timer probe;
	bool probing;
	unsigned unanswered; /* looks since it was asked to answer */
	uint64_t probe_ms;   /* PROCESS_PROBE_MS */
	const struct link_role *role;
	void (*zygote_hangs)(void *arg);
	/* It is reaped, or nobody is left who could say so. */
	void (*ended)(void *arg, struct process *p);
	void *arg;
	size_t count[PROCESS_STATES];
	size_t bound_count;      /* of those that rest */
	struct process *resting; /* the last one to rest first: its memory is warm */
	struct process *first_free;
	struct process places[PROCESSES_MAX];
};

/* In: role, of the links, whose ctx is a struct process. The hooks are set by the caller. */
void processes_init(struct processes *ps, struct loop *loop, const struct link_role *role);

/*
 * Asks the zygote for a new one, computing.
 * Returns: NULL when there is no zygote, no memory, or no place.
 */
struct process *process_new(struct processes *ps);

/* One that rests and is bound to nobody, computing now. Returns: NULL when none does. */
struct process *process_wake_any(struct processes *ps);

/* Takes one out of its rest. */
void process_wake(struct process *p);

/*
 * It waits for another job, of anybody or only of `bound`, and is ended when none comes. Of those
 * that are bound the one that rests longest is ended when there are too many.
 */
void process_rest(struct process *p, struct transaction *bound);

/* COMPUTING or ASLEEP. */
void process_set_state(struct process *p, enum process_state state);

/* Ends its link; it exits, or with kill_it is killed. */
void process_end(struct process *p, bool kill_it);

/* The one that rests for this transaction. Returns: NULL when there is none. */
struct process *process_bound_to(const struct processes *ps, const struct transaction *t);

/* The zygote reaped a process, or could not make it. */
void processes_child_gone(struct processes *ps, uint32_t serial, uint32_t status);

/* It has answered. */
void processes_zygote_alive(struct processes *ps);

/* The zygote is gone, and with it every process that it forked. */
void processes_zygote_lost(struct processes *ps);

/* Ends what is left. */
void processes_clear(struct processes *ps);

/* Those that take processor time now. */
size_t processes_computing(const struct processes *ps);

/* Those that are not reaped yet. */
size_t processes_ending(const struct processes *ps);

#endif

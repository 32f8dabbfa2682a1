/*
 * A generation: one complete set of programs that run under one configuration.
 *
 * Start makes the first. Reload makes another from the new configuration, beside the old one;
 * when all its programs are ready the old one is drained: its workers finish their sessions and
 * end, then its other programs end. Generations share the listening sockets and nothing else;
 * no link leads from one to another. Within a generation a program that dies is started again,
 * at once the first time, later with growing delay, and its neighbours get new links to it.
 */
#ifndef SUPERVISOR_GENERATION_H
#define SUPERVISOR_GENERATION_H

#include "supervisor/client_slots.h"
#include "supervisor/listeners.h"
#include "supervisor/log_relay.h"

#include "lib/conf.h"
#include "lib/grant.h"
#include "lib/link.h"
#include "lib/loop.h"

#include <sys/types.h>

enum {
	WORKERS_MAX = 64,
	CHILDREN_MAX = WORKERS_MAX + PROGRAM_COUNT,
	COUNTERS_MAX = 128,
};

struct generation;

enum child_state {
	CHILD_ABSENT,   /* not wanted, or finished */
	CHILD_WAITING,  /* died; starts again when its timer fires */
	CHILD_STARTING, /* running, not ready yet */
	CHILD_READY,
};

struct child_counter {
	char name[65];
	uint64_t value;
};

struct child {
	struct generation *generation;
	enum program_id id;
	unsigned index;  /* which worker; 0 for the others */
	int client_slot; /* of a worker that runs */
	enum child_state state;
	pid_t pid;
	uint32_t instance;
	uint32_t restarts;
	struct link *control;
	struct log_source log;
	uint64_t started_ms;
	unsigned quick_deaths; /* in a row */
	unsigned files_open;   /* passed, and not judged by the program yet */
	struct timer restart;
	struct timer mend;
	uint32_t broken
	    [PROGRAM_COUNT]; /* links of this one that ended: which process was there; 0: none */
	bool answered;       /* the running status question */
	size_t counter_count;
	struct child_counter counters[COUNTERS_MAX];
};

/* How a generation tells its owner what happens; all are called from the loop. */
struct generation_hooks {
	void (*on_ready)(void *ctx, struct generation *g); /* once: every program is ready */
	/*
	 * Once, instead of on_ready, for one that replaces another: a file could not be opened or was
	 * not taken, and it would serve worse than the one before. No worker of it has been started.
	 */
	void (*on_refused)(void *ctx, struct generation *g);
	void (*on_gone)(
	    void *ctx, struct generation *g); /* drained: the last program has ended; free it */
	void (*on_status)(
	    void *ctx, struct generation *g); /* all have answered generation_ask_status */
};

/* What all generations share; outlives them. */
struct surroundings {
	struct loop *loop;
	const char *libexec_dir;
	const char *empty_dir; /* for chroot; used when privileged */
	bool privileged;       /* started as root */
	uint32_t last_instance;
	struct client_slots clients;
};

struct generation {
	struct surroundings *around;
	const struct generation_hooks *hooks;
	void *ctx;
	unsigned number;
	struct conf *conf;          /* owned */
	struct listeners listeners; /* owned */
	uint8_t grant_key[GRANT_KEY_LEN];
	bool replaces;        /* another one serves meanwhile */
	bool workers_started; /* last: when the others are ready and have judged their files */
	bool was_ready;
	bool file_refused; /* a file could not be opened or was not taken */
	struct timer workers_deadline;
	enum { GENERATION_SERVING, GENERATION_DRAINING_WORKERS, GENERATION_ENDING } phase;
	uint32_t goodbye_ms;
	struct timer deadline;
	uint32_t status_serial;
	size_t count;
	struct child child[CHILDREN_MAX];
};

/*
 * Starts all programs that the configuration asks for; the workers last, so that nobody is
 * greeted before there is anybody to ask. At the start of the gateway they do not wait for ever:
 * what is missing is answered 4xx.
 * In: replaces, whether another generation serves meanwhile. Takes ownership of conf and of the
 * listeners' descriptors in every case.
 * Returns: NULL when memory, entropy or the kernel refuses; nothing is left running then.
 */
struct generation *generation_start(struct surroundings *around, unsigned number, struct conf *conf,
    struct listeners *listeners, bool replaces, const struct generation_hooks *hooks, void *ctx);

/*
 * Ends it in order: workers finish their sessions, then the rest ends. on_gone follows.
 * In: patience_ms, how long clients may go on as if nothing were; goodbye_ms, how long after that
 * they are told 421 at their next command; what still runs then is killed.
 */
void generation_drain(struct generation *g, uint32_t patience_ms, uint32_t goodbye_ms);

/* Kills what is left, reaps it and frees. Takes NULL. */
void generation_free(struct generation **g);

/* A child of the supervisor has ended. Returns: whether it was one of this generation. */
bool generation_reaped(struct generation *g, pid_t pid, int status);

/* Opens the overlay of the recipients again and gives it to lookupd. In: path. */
void generation_pass_overlay(struct generation *g, const char *path);

/* Tells lookupd that there is no overlay any more. In: path, for the log. */
void generation_overlay_gone(struct generation *g, const char *path);

/* Opens the recipients database again and gives it to lookupd. */
void generation_pass_recipients(struct generation *g);

/* Asks all programs for their counters; on_status follows. */
void generation_ask_status(struct generation *g);

/* Stops waiting for the answers that are still missing: on_status now. */
void generation_status_now(struct generation *g);

#endif

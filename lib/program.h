/*
 * What every child of the supervisor does the same way: take the set-up from the control link
 * (descriptor 3), confine itself, say ready, answer status questions, drain, end when the
 * supervisor ends.
 *
 * A main.c is: a struct program_spec, program_begin(), the program's own init, program_confine(),
 * program_run().
 */
#ifndef LIB_PROGRAM_H
#define LIB_PROGRAM_H

#include "lib/catalogue.h"
#include "lib/conf.h"
#include "lib/counters.h"
#include "lib/grant.h"
#include "lib/link.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/sandbox.h"

struct program;

/*
 * Where the set-up and later changes arrive. NULL: the program takes none of that kind.
 * Descriptors pass to the callee. During program_begin on_peer, on_file and on_listener are
 * called after on_conf, before it returns; a failure (-1) there ends the program. Later they are
 * called from the loop.
 */
struct program_spec {
	enum program_id id;
	struct sandbox_policy sandbox;
	struct counter_table counters;
	int (*on_conf)(struct program *prog); /* prog->conf is complete */
	int (*on_peer)(
	    struct program *prog, enum program_id peer, unsigned index, uint32_t instance, int fd);
	int (*on_file)(struct program *prog, const struct msg_file *file, int fd);
	void (*on_file_gone)(struct program *prog, const struct msg_file_gone *gone);
	int (*on_listener)(struct program *prog, const struct msg_listener *listener, int fd);
	int (*on_clients)(struct program *prog, unsigned slot, const uint8_t *key, int fd);
	/*
	 * Take no new work, and call program_finished when the rest is done. NULL: end at once.
	 * goodbye: clients are told to come back later; without it they may go on. Only a worker is
	 * told first without and later with it.
	 */
	void (*on_drain)(struct program *prog, uint32_t deadline_ms, bool goodbye);
	void (*on_status)(struct program *prog); /* bring gauges up to date; may be NULL */
};

struct program {
	const struct program_spec *spec;
	void *state; /* the program's own */
	struct loop *loop;
	struct conf *conf; /* const after program_begin */
	struct link *control;
	uint8_t grant_key[GRANT_KEY_LEN]; /* lookupd, queue-handoff */
	bool has_grant_key;
	unsigned index;    /* which one of several */
	uint32_t instance; /* of this process */
	bool started, draining;
	int exit_status;
};

/*
 * Reads the set-up. `state` is stored before the first hook.
 * Returns: 0; or -1 after a log line, and main returns prog->exit_status.
 */
int program_begin(struct program *prog, const struct program_spec *spec, void *state);

/* Confines the process and says ready. Returns: 0 or -1 as above. */
int program_confine(struct program *prog);

/* Serves until drained or the supervisor is gone. Returns: the exit status of main. */
int program_run(struct program *prog);

/* Tells the supervisor whether a file was taken into service. */
void program_file_verdict(
    struct program *prog, enum file_kind kind, bool taken, const char *detail);

/* Sends a message to the supervisor that has no other function here. */
void program_tell(struct program *prog, enum msg_type type, const void *fields);

/* Work is done after on_drain: leave the loop. */
void program_finished(struct program *prog);

/* The world is so wrong that the program must end and be started again: logs, never returns to the loop. */
void program_fatal(struct program *prog, const char *what, int error);

#endif

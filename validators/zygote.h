/*
 * The zygote: holds the libraries warm, forks one child for each check, reaps, kills.
 *
 * It never sees a message: the descriptor that comes with fork_ask is the child's end of a link
 * of its own, and the zygote closes its copy at once.
 */
#ifndef VALIDATORS_ZYGOTE_H
#define VALIDATORS_ZYGOTE_H

#include "lib/counters.h"
#include "lib/link.h"
#include "lib/loop.h"

#include <sys/types.h>

enum {
	CHILDREN_MAX = 2048,
	ORPHAN_MS = 3000, /* without a dispatcher for so long, the zygote ends */
	REAP_MS = 5,      /* after the first of them; all that have exited meanwhile go together */
};

enum zygote_count {
#define COUNTER(name, help) ZYGOTE_##name,
#include "validators/zygote_counters.def"
#undef COUNTER
	ZYGOTE_COUNT_END,
};

extern struct counter zygote_counters[ZYGOTE_COUNT_END];

struct zygote_child {
	pid_t pid; /* 0: free */
	uint32_t serial;
};

struct zygote {
	struct loop *loop;
	struct link *dispatcher; /* NULL: not there */
	/* Serves one check on the link; in the child, everything else closed. */
	void (*serve)(const void *arg, int fd);
	const void *arg;
	void (*orphaned)(
	    void *orphaned_arg); /* no dispatcher for ORPHAN_MS; when draining: at once */
	void *orphaned_arg;
	bool draining;
	int exits_fd; /* signalfd of SIGCHLD */
	struct watch exits;
	struct timer orphan, reaping;
	size_t count;
	struct zygote_child children[CHILDREN_MAX];
};

/* Returns: NULL when memory or the kernel refuses. */
struct zygote *zygote_new(
    struct loop *loop, void (*serve)(const void *arg, int fd), const void *arg);

/* Kills the children. */
void zygote_free(struct zygote **z);

/* Takes the link to the dispatcher, in place of an older one whose children end. Returns: 0 or -1. */
int zygote_take_dispatcher(struct zygote *z, int fd);

/* The dispatcher knows when no more is to be checked: calls finished once it is gone. */
void zygote_drain(struct zygote *z, void (*finished)(void *arg), void *arg);

#endif

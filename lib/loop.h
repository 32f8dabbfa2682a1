/*
 * The event loop (libevent behind it): descriptors, timers, and what is to be done at the end
 * of a turn.
 *
 * A turn is: wait, run the handlers of all that happened, run the turn hooks. Links and
 * sessions gather what they write during the handlers and write it once in their turn hook.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct event_base;

enum {
	WATCH_READ = 1,
	WATCH_WRITE = 2,
	WATCH_CLOSED = 4, /* the peer shut down its side, seen without reading (EPOLLRDHUP) */
	WATCH_EDGE = 8,   /* only in flags of watch_start: edge-triggered */
};

/* Memory of a watch or timer; lives inside the owner's structure and must not move while set. */
struct watch {
	_Alignas(16) unsigned char event[136];
	void (*fn)(void *arg, unsigned events);
	void *arg;
	bool active;
	bool only_closed; /* WATCH_CLOSED and nothing else: told once, as for WATCH_EDGE */
};

struct timer {
	_Alignas(16) unsigned char event[136];
	void (*fn)(void *arg);
	void *arg;
	bool active;
	struct loop *loop;         /* while active */
	uint64_t due_ms;           /* as loop_now() */
	struct timer *next, *prev; /* all that are active */
};

/*
 * Something to be done once at the end of this turn: the owner's structure holds it and sets fn
 * and arg. Deferring it again before it ran has no effect.
 */
struct deferred {
	void (*fn)(void *arg);
	void *arg;
	struct deferred *next, *prev;
	struct loop *loop; /* not NULL while it waits */
};

/* Called at the end of each turn, after what was deferred, in the order of registration. Lives
 * as long as the loop. */
struct turn_hook {
	void (*fn)(void *arg);
	void *arg;
	struct turn_hook *next;
};

enum { LOOP_RESUME_MS = 5000 };

/* Returns: NULL when the kernel or memory refuses. */
struct loop *loop_new(void);
void loop_free(struct loop **loop);

/* Runs turns until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Runs one turn; for tests. In: wait, whether to block until something happens. */
void loop_turn(struct loop *loop, bool wait);

/* Milliseconds as clock_ms(), read at most once per turn, after the wait. */
uint64_t loop_now(struct loop *loop);

/* For libunbound, which wants to be driven by the same libevent base. */
struct event_base *loop_event_base(struct loop *loop);

void loop_add_hook(struct loop *loop, struct turn_hook *hook);

/* Runs item->fn(item->arg) at the end of this turn. */
void loop_defer(struct loop *loop, struct deferred *item);

/* Takes it back; no effect when it does not wait. */
void loop_undefer(struct deferred *item);

/*
 * Watches a descriptor until watch_stop. The descriptor must stay open until then.
 * Returns: 0 or -1.
 */
int watch_start(struct loop *loop, struct watch *w, int fd, unsigned flags,
    void (*fn)(void *arg, unsigned events), void *arg);
void watch_stop(struct watch *w); /* no effect when not active; the structure starts zeroed */

/*
 * Calls fn once after delay_ms; setting again replaces. Time goes on while the machine is
 * suspended: what fell due meanwhile is called at the latest LOOP_RESUME_MS after it wakes.
 * Returns: 0 or -1 (memory).
 */
int timer_set(
    struct loop *loop, struct timer *t, uint64_t delay_ms, void (*fn)(void *arg), void *arg);
void timer_stop(struct timer *t);

#endif

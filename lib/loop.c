#include "lib/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

struct loop {
	struct event_base *base;
	struct turn_hook *hooks;
	struct deferred deferred; /* head of a ring */
	uint64_t now_ms;          /* 0: not read in this turn */
	struct timer *timers;     /* that are active */
	struct timer look;        /* whether the machine slept; not one of them */
	uint64_t slept_ms;        /* in all, when last looked at */
	bool stopping;
};

_Static_assert(sizeof(struct event) <= sizeof(((struct watch *)NULL)->event), "room for an event");
_Static_assert(sizeof(struct event) <= sizeof(((struct timer *)NULL)->event), "room for an event");

/* UNSAFE: the storage is aligned and large enough, as asserted above. */
static struct event *
watch_event(struct watch *w)
{
	return (struct event *)(void *)w->event;
}

static struct event *
timer_event(struct timer *t)
{
	return (struct event *)(void *)t->event;
}

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	struct event_config *config = event_config_new();

	if (loop != NULL && config != NULL) {
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
		event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
		loop->base = event_base_new_with_config(config);
		loop->deferred.next = loop->deferred.prev = &loop->deferred;
	}
	if (config != NULL)
		event_config_free(config);
	if (loop != NULL && loop->base == NULL) {
		free(loop);
		loop = NULL;
	}
	return loop;
}

void
loop_free(struct loop **loop)
{
	if (*loop == NULL)
		return;
	event_base_free((*loop)->base);
	free(*loop);
	*loop = NULL;
}

/* What is deferred meanwhile runs too: a session's flush may queue a link's. */
static void
run_deferred(struct loop *loop)
{
	while (loop->deferred.next != &loop->deferred) {
		struct deferred *item = loop->deferred.next;

		loop_undefer(item);
		item->fn(item->arg);
	}
}

void
loop_turn(struct loop *loop, bool wait)
{
	run_deferred(loop); /* from outside a turn: the first messages of a program */
	loop->now_ms = 0;
	event_base_loop(loop->base, EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK));
	/* What came meanwhile joins this turn: fuller packets and fewer wake-ups for one call. */
	event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	run_deferred(loop);
	for (struct turn_hook *h = loop->hooks; h != NULL; h = h->next)
		h->fn(h->arg);
	run_deferred(loop);
}

void
loop_run(struct loop *loop)
{
	while (!loop->stopping)
		loop_turn(loop, true);
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

uint64_t
loop_now(struct loop *loop)
{
	if (loop->now_ms == 0)
		loop->now_ms = clock_ms();
	return loop->now_ms;
}

struct event_base *
loop_event_base(struct loop *loop)
{
	return loop->base;
}

void
loop_add_hook(struct loop *loop, struct turn_hook *hook)
{
	struct turn_hook **at = &loop->hooks;

	while (*at != NULL)
		at = &(*at)->next;
	hook->next = NULL;
	*at = hook;
}

void
loop_defer(struct loop *loop, struct deferred *item)
{
	if (item->loop != NULL)
		return;
	item->loop = loop;
	item->next = &loop->deferred;
	item->prev = loop->deferred.prev;
	item->prev->next = item;
	loop->deferred.prev = item;
}

void
loop_undefer(struct deferred *item)
{
	if (item->loop == NULL)
		return;
	item->prev->next = item->next;
	item->next->prev = item->prev;
	item->loop = NULL;
}

/*
 * libevent 2.1 reports EPOLLERR and EPOLLHUP as EV_READ | EV_WRITE only: an event for EV_CLOSED
 * alone never sees a reset, and the level-triggered poll then spins. So a watch for WATCH_CLOSED
 * alone is an edge-triggered one for EV_READ too, and what arrives is looked at here.
 */
static bool
is_closed(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static void
on_watch_event(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	if (w->only_closed) {
		if (is_closed(fd))
			w->fn(w->arg, WATCH_CLOSED);
		return;
	}
	w->fn(w->arg, ((what & EV_READ) != 0 ? WATCH_READ : 0u) |
			  ((what & EV_WRITE) != 0 ? WATCH_WRITE : 0u) |
			  ((what & EV_CLOSED) != 0 ? WATCH_CLOSED : 0u));
}

int
watch_start(struct loop *loop, struct watch *w, int fd, unsigned flags,
    void (*fn)(void *arg, unsigned events), void *arg)
{
	int what = EV_PERSIST;

	what |= (flags & WATCH_READ) != 0 ? EV_READ : 0;
	what |= (flags & WATCH_WRITE) != 0 ? EV_WRITE : 0;
	what |= (flags & WATCH_CLOSED) != 0 ? EV_CLOSED : 0;
	what |= (flags & WATCH_EDGE) != 0 ? EV_ET : 0;
	watch_stop(w);
	w->only_closed = (flags & ~(unsigned)WATCH_EDGE) == WATCH_CLOSED;
	what |= w->only_closed ? EV_READ | EV_ET : 0;
	w->fn = fn;
	w->arg = arg;
	if (event_assign(watch_event(w), loop->base, fd, (short)what, on_watch_event, w) != 0 ||
	    event_add(watch_event(w), NULL) != 0)
		return -1;
	w->active = true;
	return 0;
}

void
watch_stop(struct watch *w)
{
	if (!w->active)
		return;
	event_del(watch_event(w));
	w->active = false;
}

/* ---- timers ------------------------------------------------------------------------------------ */

static void
timer_unlist(struct timer *t)
{
	if (t->next != NULL)
		t->next->prev = t->prev;
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		t->loop->timers = t->next;
}

static void
timer_list(struct timer *t)
{
	t->prev = NULL;
	t->next = t->loop->timers;
	if (t->next != NULL)
		t->next->prev = t;
	t->loop->timers = t;
}

static int
timer_add(struct timer *t, uint64_t delay_ms)
{
	struct timeval delay = {
	    .tv_sec = (time_t)(delay_ms / 1000),
	    .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000),
	};

	return evtimer_add(timer_event(t), &delay);
}

static void
on_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	timer_unlist(t);
	t->active = false;
	t->fn(t->arg);
}

/* libevent's clock, and the kernel's for its waits, stand still while the machine sleeps. */
static uint64_t
slept_ms(void)
{
	return clock_ms() - clock_awake_ms();
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	uint64_t slept = slept_ms();

	(void)fd;
	(void)what;
	if (slept > loop->slept_ms + 100) {
		uint64_t now = clock_ms();

		for (struct timer *t = loop->timers; t != NULL; t = t->next)
			timer_add(t, t->due_ms > now ? t->due_ms - now : 0);
	}
	loop->slept_ms = slept;
	loop->look.active = loop->timers != NULL && timer_add(&loop->look, LOOP_RESUME_MS) == 0;
}

/* Only while somebody waits for longer than the looks are apart. */
static void
look_for_sleep(struct loop *loop)
{
	if (loop->look.active)
		return;
	loop->slept_ms = slept_ms();
	if (evtimer_assign(timer_event(&loop->look), loop->base, on_look, loop) == 0)
		loop->look.active = timer_add(&loop->look, LOOP_RESUME_MS) == 0;
}

int
timer_set(struct loop *loop, struct timer *t, uint64_t delay_ms, void (*fn)(void *arg), void *arg)
{
	timer_stop(t);
	t->fn = fn;
	t->arg = arg;
	if (evtimer_assign(timer_event(t), loop->base, on_timer_event, t) != 0 ||
	    timer_add(t, delay_ms) != 0)
		return -1;
	t->active = true;
	t->loop = loop;
	t->due_ms = loop_now(loop) + delay_ms;
	timer_list(t);
	if (delay_ms > LOOP_RESUME_MS)
		look_for_sleep(loop);
	return 0;
}

void
timer_stop(struct timer *t)
{
	if (!t->active)
		return;
	evtimer_del(timer_event(t));
	timer_unlist(t);
	t->active = false;
}

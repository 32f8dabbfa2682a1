#include "smtpd/worker.h"

#include <stdlib.h>

#include "lib/bug.h"

#include "smtpd/counters.h"
#include "smtpd/journal.h"

enum {
	TICK_MS = 1000,
	SLOT_BITS = 24, /* of a session handle */
	BLOCKS_KEPT = 1024,
	MESSAGES_KEPT = 256,
};

static void
on_turn_end(void *arg)
{
	worker_settle(arg);
}

int
worker_init(struct worker *w, struct loop *loop, const struct surroundings *around)
{
	*w = (struct worker){.loop = loop, .around = *around};
	pool_init(&w->blocks, INPUT_BLOCK, BLOCKS_KEPT);
	pool_init(&w->messages, MESSAGE_INLINE, MESSAGES_KEPT);
	pool_init(&w->session_pool, sizeof(struct session), BLOCKS_KEPT);
	w->inbox = malloc(INPUT_LARGE);
	w->outbox = malloc(WORKER_OUTBOX);
	w->recall = recall_new();
	if (w->inbox == NULL || w->outbox == NULL || w->recall == NULL)
		return -1;
	w->settling = (struct deferred){.fn = on_turn_end, .arg = w};
	worker_wake(w);
	return 0;
}

static int
make_slots(struct worker *w, uint32_t count)
{
	w->slots = calloc(count, sizeof(struct session *));
	w->deadlines = malloc(count * sizeof(*w->deadlines));
	w->free_slots = malloc(count * sizeof(*w->free_slots));
	if (w->slots == NULL || w->deadlines == NULL || w->free_slots == NULL)
		return -1;
	w->slot_count = w->free_count = count;
	for (uint32_t i = 0; i < count; i++) {
		w->deadlines[i] = UINT64_MAX;
		w->free_slots[i] = count - 1 - i;
	}
	return 0;
}

/* The supervisor has refused what cannot be parsed. */
static bool
take_networks(const struct conf_strings *option, struct network_list *list_out)
{
	size_t bad;

	return network_list_parse(option, list_out, &bad) == NULL;
}

int
worker_configure(struct worker *w, const struct conf *conf)
{
	BUG_ON(w->conf != NULL || conf->limits.sessions >= UINT64_C(1) << SLOT_BITS);
	w->conf = conf;
	w->budget.total = conf->limits.message_memory;
	if (!take_networks(&conf->top.bare_lf_normalize, &w->bare_lf_normalize) ||
	    !take_networks(&conf->top.bare_lf_reject, &w->bare_lf_reject) ||
	    !take_networks(&conf->top.trusted_relays, &w->trusted_relays) ||
	    !take_networks(&conf->top.proxy_from, &w->proxy_from))
		return -1;
	return make_slots(w, (uint32_t)conf->limits.sessions);
}

static void
end_session(struct session *s)
{
	session_end(s, "stopped");
}

void
worker_clear(struct worker *w)
{
	worker_each(w, end_session);
	w->on_idle = NULL;
	worker_settle(w);
	timer_stop(&w->tick);
	timer_stop(&w->again);
	loop_undefer(&w->settling);
	pool_clear(&w->blocks);
	pool_clear(&w->messages);
	pool_clear(&w->session_pool);
	free(w->slots);
	free(w->deadlines);
	free(w->free_slots);
	free(w->inbox);
	free(w->outbox);
	recall_free(&w->recall);
	*w = (struct worker){0};
}

void
worker_wake(struct worker *w)
{
	w->now_ms = w->around.now_ms(w->around.arg);
}

bool
worker_send(struct worker *w, enum program_id to, enum msg_type type, const void *fields, int fd)
{
	return w->around.send(w->around.arg, to, type, fields, fd);
}

bool
worker_reaches(const struct worker *w, enum program_id who)
{
	return w->around.reachable(w->around.arg, who);
}

/* ---- stress ------------------------------------------------------------------------------ */

static void
set_stress(struct worker *w, bool stress)
{
	w->stress = stress;
	gauge(COUNT_stress, stress);
	count_add(COUNT_stress_begun, stress);
	journal_stress(w);
	if (stress)
		worker_each(w, session_hurry);
}

/* Begins at limits.stress percent of the sessions, and ends a quarter of that lower. */
static void
look_at_stress(struct worker *w)
{
	uint64_t most = w->slot_count * w->conf->limits.stress;
	uint64_t open = worker_sessions_open(w) * UINT64_C(100);

	if (w->stress ? open * 4 <= most * 3 : open >= most)
		set_stress(w, !w->stress);
}

static uint64_t
under_stress(const struct worker *w, uint64_t seconds)
{
	uint64_t hurried = w->conf->limits.stress_timeout;

	return (w->stress && hurried < seconds ? hurried : seconds) * 1000;
}

uint64_t
worker_command_ms(const struct worker *w)
{
	return under_stress(w, w->conf->limits.command_timeout);
}

uint64_t
worker_data_ms(const struct worker *w)
{
	return under_stress(w, w->conf->limits.data_timeout);
}

/* ---- slots ------------------------------------------------------------------------------ */

uint32_t
worker_sessions_open(const struct worker *w)
{
	return w->slot_count - w->free_count;
}

struct session *
worker_find(struct worker *w, uint64_t handle)
{
	uint64_t slot = handle & ((UINT64_C(1) << SLOT_BITS) - 1);
	struct session *s = slot < w->slot_count ? w->slots[slot] : NULL;

	return s != NULL && s->handle == handle && s->state != STATE_CLOSED ? s : NULL;
}

struct session *
worker_find_transaction(struct worker *w, uint64_t handle, uint64_t transaction)
{
	struct session *s = worker_find(w, handle);

	if (s == NULL || s->transaction == NULL || s->transaction->number != transaction)
		return NULL;
	return s;
}

void
worker_each(struct worker *w, void (*fn)(struct session *s))
{
	for (uint32_t i = 0; i < w->slot_count; i++)
		if (w->slots[i] != NULL && w->slots[i]->state != STATE_CLOSED)
			fn(w->slots[i]);
}

static void
on_tick(void *arg)
{
	struct worker *w = arg;

	worker_wake(w);
	worker_sweep(w);
	if (worker_sessions_open(w) > 0)
		timer_set(w->loop, &w->tick, TICK_MS, on_tick, w);
}

bool
worker_seat(struct worker *w, struct session *s)
{
	if (w->free_count == 0)
		return false;
	if (!w->tick.active && timer_set(w->loop, &w->tick, TICK_MS, on_tick, w) != 0)
		return false;
	s->slot = w->free_slots[--w->free_count];
	s->handle = ++w->sessions << SLOT_BITS | s->slot;
	w->slots[s->slot] = s;
	count(COUNT_sessions);
	gauge(COUNT_sessions_open, worker_sessions_open(w));
	look_at_stress(w);
	return true;
}

static void
vacate(struct worker *w, struct session *s)
{
	w->slots[s->slot] = NULL;
	w->deadlines[s->slot] = UINT64_MAX;
	w->free_slots[w->free_count++] = s->slot;
	pool_give(&w->session_pool, s);
	gauge(COUNT_sessions_open, worker_sessions_open(w));
	look_at_stress(w);
}

void
worker_set_deadline(struct session *s, uint64_t at_ms)
{
	s->worker->deadlines[s->slot] = at_ms;
}

void
worker_sweep(struct worker *w)
{
	for (uint32_t i = 0; i < w->slot_count; i++)
		if (w->deadlines[i] <= w->now_ms && w->slots[i]->state != STATE_CLOSED)
			session_overdue(w->slots[i]);
}

/* ---- the end of a turn ---------------------------------------------------------------------- */

void
worker_settle_later(struct session *s)
{
	struct worker *w = s->worker;

	if (s->listed)
		return;
	s->listed = true;
	s->next = w->settle;
	w->settle = s;
	loop_defer(w->loop, &w->settling);
}

void
worker_settle(struct worker *w)
{
	while (w->settle != NULL) {
		struct session *s = w->settle;

		w->settle = s->next;
		s->listed = false;
		if (s->state != STATE_CLOSED)
			session_settle(s);
		if (s->state == STATE_CLOSED && !s->listed && !s->resuming)
			vacate(w, s);
	}
	if (w->draining && worker_sessions_open(w) == 0 && w->on_idle != NULL) {
		w->on_idle(w->on_idle_arg);
		w->on_idle = NULL;
	}
}

static void
on_again(void *arg)
{
	struct worker *w = arg;
	struct session *s = w->resume;

	worker_wake(w);
	w->resume = NULL;
	while (s != NULL) {
		struct session *next = s->next_resume;

		s->resuming = false;
		worker_settle_later(s);
		if (s->state != STATE_CLOSED)
			session_resume(s);
		s = next;
	}
}

void
worker_resume_later(struct session *s)
{
	struct worker *w = s->worker;

	if (s->resuming)
		return;
	s->resuming = true;
	s->next_resume = w->resume;
	w->resume = s;
	if (!w->again.active)
		timer_set(w->loop, &w->again, 0, on_again, w);
}

void
worker_drain(struct worker *w, bool goodbye, void (*on_idle)(void *arg), void *arg)
{
	w->draining = true;
	w->goodbye = w->goodbye || goodbye;
	w->on_idle = on_idle;
	w->on_idle_arg = arg;
	worker_wake(w);
	worker_each(w, session_drain);
	worker_settle(w);
}

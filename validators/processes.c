#include "validators/processes.h"

#include <unistd.h>

#include "lib/bug.h"

#include "validators/counters.h"

/* ---- places ---------------------------------------------------------------------------------- */

void
processes_init(struct processes *ps, struct loop *loop, const struct link_role *role)
{
	memset(ps, 0, sizeof(*ps));
	ps->loop = loop;
	ps->role = role;
	ps->probe_ms = PROCESS_PROBE_MS;
	ps->count[PROCESS_FREE] = PROCESSES_MAX;
	for (uint32_t i = PROCESSES_MAX; i-- > 0;) {
		ps->places[i].all = ps;
		ps->places[i].serial = i;
		ps->places[i].next = ps->first_free;
		ps->first_free = &ps->places[i];
	}
}

static void
set_state(struct process *p, enum process_state state)
{
	struct processes *ps = p->all;

	ps->count[p->state]--;
	ps->count[state]++;
	p->state = state;
	gauge(COUNT_checks_running, ps->count[PROCESS_COMPUTING] + ps->count[PROCESS_ASLEEP]);
	gauge(COUNT_checks_asleep, ps->count[PROCESS_ASLEEP]);
	gauge(COUNT_processes_resting, ps->count[PROCESS_RESTING]);
}

static struct process *
place_take(struct processes *ps)
{
	struct process *p = ps->first_free;

	if (p == NULL)
		return NULL;
	ps->first_free = p->next;
	p->serial += PROCESSES_MAX;
	p->prev = p->next = NULL;
	p->job = NULL;
	p->bound = NULL;
	p->link = NULL;
	p->status = 0;
	p->served = 0;
	p->gone = false;
	set_state(p, PROCESS_COMPUTING);
	return p;
}

/* The process is reaped, or nobody is left who could say so: the place is free. */
static void
place_give(struct process *p)
{
	struct processes *ps = p->all;

	timer_stop(&p->timer);
	ps->ended(ps->arg, p);
	set_state(p, PROCESS_FREE);
	p->next = ps->first_free;
	ps->first_free = p;
}

/* ---- rest ------------------------------------------------------------------------------------ */

static void
delist(struct process *p)
{
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		p->all->resting = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	p->prev = p->next = NULL;
	if (p->bound != NULL)
		p->all->bound_count--;
	p->bound = NULL;
}

void
process_wake(struct process *p)
{
	BUG_ON(p->state != PROCESS_RESTING);
	delist(p);
	timer_stop(&p->timer);
	set_state(p, PROCESS_COMPUTING);
}

struct process *
process_bound_to(const struct processes *ps, const struct transaction *t)
{
	struct process *p = ps->bound_count > 0 ? ps->resting : NULL;

	while (p != NULL && p->bound != t)
		p = p->next;
	return p;
}

struct process *
process_wake_any(struct processes *ps)
{
	struct process *p = ps->resting;

	while (p != NULL && p->bound != NULL)
		p = p->next;
	if (p != NULL)
		process_wake(p);
	return p;
}

static void
on_rested(void *arg)
{
	process_end(arg, false);
}

static void
end_longest_bound(const struct processes *ps)
{
	struct process *longest = NULL;

	for (struct process *p = ps->resting; p != NULL; p = p->next)
		if (p->bound != NULL)
			longest = p;
	BUG_ON(longest == NULL);
	process_end(longest, false);
}

void
process_rest(struct process *p, struct transaction *bound)
{
	struct processes *ps = p->all;

	if (bound != NULL && ps->bound_count == PROCESSES_BOUND_MAX)
		end_longest_bound(ps);
	ps->bound_count += bound != NULL;
	p->job = NULL;
	p->bound = bound;
	p->served++;
	p->next = ps->resting;
	if (p->next != NULL)
		p->next->prev = p;
	ps->resting = p;
	set_state(p, PROCESS_RESTING);
	if (timer_set(ps->loop, &p->timer, PROCESS_REST_MS, on_rested, p) != 0)
		process_end(p, false);
}

void
process_set_state(struct process *p, enum process_state state)
{
	set_state(p, state);
}

/* ---- whether the zygote lives ---------------------------------------------------------------- */

static void
probe_stop(struct processes *ps)
{
	timer_stop(&ps->probe);
	ps->probing = false;
	ps->unanswered = 0;
}

/* A host that was suspended wakes up with all times over: one look is not enough. */
static void
on_probe(void *arg)
{
	struct processes *ps = arg;
	struct msg_zygote_probe m;

	if (!link_alive(ps->zygote) ||
	    ps->count[PROCESS_FREE] + ps->count[PROCESS_RESTING] == PROCESSES_MAX) {
		probe_stop(ps);
		return;
	}
	if (ps->unanswered == PROCESS_PROBES) {
		probe_stop(ps);
		ps->zygote_hangs(ps->arg);
		return;
	}
	if (ps->unanswered++ == 0)
		link_send(ps->zygote, MSG_zygote_probe, &m, -1);
	ps->probing = timer_set(ps->loop, &ps->probe, ps->probe_ms, on_probe, ps) == 0;
}

static void
probe_start(struct processes *ps)
{
	if (!ps->probing)
		ps->probing = timer_set(ps->loop, &ps->probe, ps->probe_ms, on_probe, ps) == 0;
}

void
processes_zygote_alive(struct processes *ps)
{
	ps->unanswered = 0;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

/* Makes the link and asks for a process at its other end. */
static bool
connect_new(struct process *p)
{
	struct msg_fork_ask ask = {p->serial};
	struct processes *ps = p->all;
	int fds[2];

	if (!link_alive(ps->zygote) || link_pair(fds) != 0)
		return false;
	p->link = link_new(ps->loop, fds[0], ps->role, p);
	if (p->link == NULL) {
		close(fds[1]);
		return false;
	}
	return link_send(ps->zygote, MSG_fork_ask, &ask, fds[1]);
}

struct process *
process_new(struct processes *ps)
{
	struct process *p = place_take(ps);

	if (p == NULL)
		return NULL;
	if (!connect_new(p)) {
		p->gone = true; /* there is no process to reap */
		process_end(p, false);
		return NULL;
	}
	probe_start(ps);
	count(COUNT_processes);
	return p;
}

static void
on_not_reaped(void *arg)
{
	struct process *p = arg;

	p->all->zygote_hangs(p->all->arg);
}

void
process_end(struct process *p, bool kill_it)
{
	struct processes *ps = p->all;
	struct msg_child_kill kill = {p->serial};

	if (p->state == PROCESS_RESTING)
		delist(p);
	timer_stop(&p->timer);
	link_free(&p->link);
	set_state(p, kill_it ? PROCESS_DYING : PROCESS_LEFT);
	if (p->gone || !link_alive(ps->zygote)) {
		place_give(p);
		return;
	}
	if (kill_it)
		link_send(ps->zygote, MSG_child_kill, &kill, -1);
	timer_set(ps->loop, &p->timer, PROCESS_REAP_MS, on_not_reaped, p);
}

/* ---- the zygote ------------------------------------------------------------------------------ */

/* While the link has not ended an answer may still lie in it. */
static void
gone(struct process *p)
{
	p->gone = true;
	if (p->state == PROCESS_DYING || p->state == PROCESS_LEFT)
		place_give(p);
}

void
processes_child_gone(struct processes *ps, uint32_t serial, uint32_t status)
{
	struct process *p = &ps->places[serial % PROCESSES_MAX];

	if (p->state == PROCESS_FREE || p->serial != serial || p->gone)
		return;
	p->status = status;
	gone(p);
}

void
processes_zygote_lost(struct processes *ps)
{
	probe_stop(ps);
	for (size_t i = 0; i < PROCESSES_MAX; i++)
		if (ps->places[i].state != PROCESS_FREE && !ps->places[i].gone)
			gone(&ps->places[i]);
}

size_t
processes_computing(const struct processes *ps)
{
	size_t left = ps->count[PROCESS_LEFT];

	return ps->count[PROCESS_COMPUTING] + ps->count[PROCESS_DYING] +
	       (left > PROCESSES_LEFT_MAX ? left - PROCESSES_LEFT_MAX : 0);
}

size_t
processes_ending(const struct processes *ps)
{
	return ps->count[PROCESS_DYING] + ps->count[PROCESS_LEFT];
}

void
processes_clear(struct processes *ps)
{
	probe_stop(ps);
	for (size_t i = 0; i < PROCESSES_MAX; i++) {
		struct process *p = &ps->places[i];

		if (p->state == PROCESS_FREE)
			continue;
		p->gone = true;
		process_end(p, false);
	}
}

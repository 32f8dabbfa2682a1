#include "supervisor/generation.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "supervisor/setup.h"
#include "supervisor/spawn.h"
#include "supervisor/wiring.h"

enum {
	QUICK_MS = 1000,  /* a life shorter than this is a quick death */
	BACKOFF_MS = 100, /* after the second quick death in a row; doubles */
	BACKOFF_MOST_MS = 10000,
	WORKERS_MS = 3000, /* at the start of the gateway, they wait so long for the others */
	SETTLE_MS = 2000,  /* between the drain of the programs behind the workers and SIGKILL */
};

/* Before the workers, in the order of their start. */
static const enum program_id order[] = {
    PROGRAM_TLS_KEYS,
    PROGRAM_RESOLVERD,
    PROGRAM_VALIDATOR,
    PROGRAM_QMAIL_QUEUE,
    PROGRAM_QUEUE_HANDOFF,
    PROGRAM_LOOKUPD,
    PROGRAM_VALIDATORS,
    PROGRAM_TLSD,
};

static void child_start(struct child *c);
static void start_workers(struct generation *g);

/* ---- what children say ----------------------------------------------------------------------------- */

static void
check_ready(struct generation *g)
{
	if (g->was_ready || g->phase != GENERATION_SERVING)
		return;
	for (size_t i = 0; i < g->count; i++)
		if (g->child[i].state != CHILD_READY || g->child[i].files_open > 0)
			return;
	if (g->workers_started) {
		g->was_ready = true;
		g->hooks->on_ready(g->ctx, g);
	} else if (g->replaces && g->file_refused)
		g->hooks->on_refused(g->ctx, g);
	else
		start_workers(g);
}

static void
on_ready(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct child *c = ctx;

	(void)link;
	(void)m;
	(void)fd;
	c->state = CHILD_READY;
	check_ready(c->generation);
}

static void
check_status(struct generation *g)
{
	if (g->status_serial == 0)
		return;
	for (size_t i = 0; i < g->count; i++)
		if (!g->child[i].answered && g->child[i].state == CHILD_READY)
			return;
	g->status_serial = 0;
	g->hooks->on_status(g->ctx, g);
}

static void
on_status_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct child *c = ctx;
	struct span rest = m->status_answer.counters.encoded;
	struct msg_counter_value value;

	(void)link;
	(void)fd;
	if (m->status_answer.serial != c->generation->status_serial)
		return;
	c->counter_count = 0;
	while (
	    c->counter_count < COUNTERS_MAX && msg_list_next(&rest, RECORD_counter_value, &value)) {
		struct child_counter *to = &c->counters[c->counter_count++];

		memcpy(to->name, value.name.p, value.name.len);
		to->name[value.name.len] = '\0';
		to->value = value.value;
	}
	c->answered = true;
	check_status(c->generation);
}

static void
on_file_verdict(void *ctx, struct link *link, const union msg *m, int *fd)
{
	static const char *const kinds[] = {
	    "recipients", "certificate", "key", "previous", "overlay"};
	struct child *c = ctx;
	struct log_line l;

	(void)link;
	(void)fd;
	log_begin(&l, m->file_verdict.taken ? EVENT_file_taken : EVENT_file_rejected);
	log_str(&l, "by", program_name(c->id));
	log_str(&l, "kind",
	    m->file_verdict.kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[m->file_verdict.kind]
								    : "?");
	log_span(&l, "detail", m->file_verdict.detail);
	log_end(&l);
	if (c->files_open > 0)
		c->files_open--;
	if (!m->file_verdict.taken)
		c->generation->file_refused = true;
	check_ready(c->generation);
}

/* Its death is seen like any other, and it is started again. */
static void
on_validator_hangs(void *ctx, struct link *link, const union msg *m, int *fd)
{
	const struct child *from = ctx;
	struct generation *g = from->generation;

	(void)link;
	(void)m;
	(void)fd;
	for (size_t i = 0; i < g->count; i++)
		if (g->child[i].id == PROGRAM_VALIDATOR && g->child[i].pid > 0)
			kill(g->child[i].pid, SIGKILL);
}

static void
on_link_broken(void *ctx, struct link *link, const union msg *m, int *fd)
{
	(void)link;
	(void)fd;
	wiring_broken(ctx, &m->link_broken);
}

/* The process may still be about to end; SIGCHLD tells. One that only broke its link is ended. */
static void
on_control_lost(void *ctx, struct link *link)
{
	struct child *c = ctx;

	(void)link;
	link_free(&c->control);
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
}

static const struct link_handler handlers[] = {
    {MSG_ready, on_ready},
    {MSG_status_answer, on_status_answer},
    {MSG_validator_hangs, on_validator_hangs},
    {MSG_link_broken, on_link_broken},
    {MSG_file_verdict, on_file_verdict},
};

#define ROLE(id) \
	[id] = { \
	    .self = PROGRAM_SUPERVISOR, \
	    .peer = id, \
	    .handlers = handlers, \
	    .handler_count = sizeof(handlers) / sizeof(handlers[0]), \
	    .on_lost = on_control_lost, \
	}

static const struct link_role roles[PROGRAM_COUNT] = {
    ROLE(PROGRAM_SMTPD),
    ROLE(PROGRAM_TLSD),
    ROLE(PROGRAM_TLS_KEYS),
    ROLE(PROGRAM_LOOKUPD),
    ROLE(PROGRAM_VALIDATORS),
    ROLE(PROGRAM_VALIDATOR),
    ROLE(PROGRAM_RESOLVERD),
    ROLE(PROGRAM_QUEUE_HANDOFF),
    ROLE(PROGRAM_QMAIL_QUEUE),
};

/* ---- start and restart -------------------------------------------------------------------------------- */

static void
on_restart(void *arg)
{
	child_start(arg);
}

/* Starts it again, the later the more often it died young. */
static void
child_restart_later(struct child *c)
{
	uint64_t delay = 0;

	if (loop_now(c->generation->around->loop) - c->started_ms >= QUICK_MS)
		c->quick_deaths = 0;
	else if (c->quick_deaths < 16)
		c->quick_deaths++;
	if (c->quick_deaths > 1)
		delay = (uint64_t)BACKOFF_MS << (c->quick_deaths - 2);
	if (delay > BACKOFF_MOST_MS)
		delay = BACKOFF_MOST_MS;
	c->state = CHILD_WAITING;
	c->restarts++;
	timer_set(c->generation->around->loop, &c->restart, delay, on_restart, c);
}

static void
child_label(const struct child *c, char *label, size_t cap)
{
	if (c->id == PROGRAM_SMTPD)
		snprintf(label, cap, "%s/%u[%d]", program_name(c->id), c->index, (int)c->pid);
	else
		snprintf(label, cap, "%s[%d]", program_name(c->id), (int)c->pid);
}

static int
child_spawn(struct child *c)
{
	struct surroundings *around = c->generation->around;
	struct spawned s;
	char label[64];

	if (spawn_program(around->libexec_dir, c->id, &s) != 0)
		return -1;
	c->pid = s.pid;
	if (c->id == PROGRAM_SMTPD)
		c->client_slot = client_slots_take(&around->clients);
	c->instance = ++around->last_instance;
	c->state = CHILD_STARTING;
	c->files_open = 0;
	child_label(c, label, sizeof(label));
	log_source_start(&c->log, around->loop, s.log, label);
	c->control = link_new(around->loop, s.control, &roles[c->id], c);
	if (c->control == NULL || setup_send(c) != 0)
		kill(c->pid, SIGKILL); /* reaped and started again like any other death */
	return 0;
}

static void
child_start(struct child *c)
{
	c->started_ms = loop_now(c->generation->around->loop);
	if (child_spawn(c) == 0)
		return;
	log_event_errno(EVENT_spawn_failed, "what", program_name(c->id), errno);
	if (c->quick_deaths < 2)
		c->quick_deaths = 2;
	child_restart_later(c);
}

static void
log_death(const struct child *c, int status)
{
	struct log_line l;
	bool expected = c->generation->phase != GENERATION_SERVING && WIFEXITED(status) &&
	                WEXITSTATUS(status) == 0;

	log_begin(&l, expected ? EVENT_program_ended : EVENT_program_died);
	log_str(&l, "program", program_name(c->id));
	log_u64(&l, "index", c->index);
	log_u64(&l, "pid", (uint64_t)c->pid);
	if (WIFSIGNALED(status))
		log_str(&l, "signal", sigabbrev_np(WTERMSIG(status)));
	else
		log_u64(&l, "status", (uint64_t)WEXITSTATUS(status));
	log_end(&l);
}

/* ---- draining ------------------------------------------------------------------------------------------ */

static bool
any_running(const struct generation *g, bool workers_only)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->child[i].pid > 0 && (!workers_only || g->child[i].id == PROGRAM_SMTPD))
			return true;
	return false;
}

static void
send_drain(struct child *c, uint32_t ms, bool goodbye)
{
	struct msg_drain m = {ms, goodbye};

	if (!link_alive(c->control) || !link_send(c->control, MSG_drain, &m, -1))
		if (c->pid > 0)
			kill(c->pid, SIGKILL);
}

static void
kill_all(void *arg)
{
	struct generation *g = arg;

	for (size_t i = 0; i < g->count; i++)
		if (g->child[i].pid > 0)
			kill(g->child[i].pid, SIGKILL);
}

/* The workers are gone, and with them all work: the others have nothing left to finish for long. */
static void
end_the_rest(struct generation *g)
{
	g->phase = GENERATION_ENDING;
	timer_set(g->around->loop, &g->deadline, SETTLE_MS, kill_all, g);
	for (size_t i = 0; i < g->count; i++) {
		timer_stop(&g->child[i].restart);
		if (g->child[i].pid > 0)
			send_drain(&g->child[i], SETTLE_MS, true);
		else
			g->child[i].state = CHILD_ABSENT;
	}
}

static void
drain_step(struct generation *g)
{
	if (g->phase == GENERATION_DRAINING_WORKERS && !any_running(g, true))
		end_the_rest(g);
	if (g->phase == GENERATION_ENDING && !any_running(g, false))
		g->hooks->on_gone(g->ctx, g);
}

static void
kill_workers(void *arg)
{
	struct generation *g = arg;

	for (size_t i = 0; i < g->count; i++)
		if (g->child[i].pid > 0 && g->child[i].id == PROGRAM_SMTPD)
			kill(g->child[i].pid, SIGKILL);
}

static void
drain_workers(struct generation *g, uint32_t ms, bool goodbye)
{
	for (size_t i = 0; i < g->count; i++) {
		struct child *c = &g->child[i];

		if (c->id != PROGRAM_SMTPD)
			continue;
		timer_stop(&c->restart);
		if (c->pid > 0)
			send_drain(c, ms, goodbye);
	}
}

static void
say_goodbye(void *arg)
{
	struct generation *g = arg;

	timer_set(g->around->loop, &g->deadline, g->goodbye_ms, kill_workers, g);
	drain_workers(g, g->goodbye_ms, true);
}

void
generation_drain(struct generation *g, uint32_t patience_ms, uint32_t goodbye_ms)
{
	if (g->phase == GENERATION_ENDING)
		return;
	g->phase = GENERATION_DRAINING_WORKERS;
	g->goodbye_ms = goodbye_ms;
	timer_stop(&g->workers_deadline);
	if (patience_ms == 0)
		say_goodbye(g);
	else {
		timer_set(g->around->loop, &g->deadline, patience_ms, say_goodbye, g);
		drain_workers(g, patience_ms, false);
	}
	drain_step(g);
}

bool
generation_reaped(struct generation *g, pid_t pid, int status)
{
	struct child *c = NULL;

	for (size_t i = 0; i < g->count && c == NULL; i++)
		if (g->child[i].pid == pid)
			c = &g->child[i];
	if (c == NULL)
		return false;
	log_source_stop(&c->log);
	timer_stop(&c->mend);
	log_death(c, status);
	link_free(&c->control);
	client_slots_give(&g->around->clients, &c->client_slot);
	c->pid = 0;
	c->counter_count = 0;
	/* A worker of a draining generation is not replaced; the others are until it has none left. */
	if (g->phase == GENERATION_SERVING ||
	    (g->phase == GENERATION_DRAINING_WORKERS && c->id != PROGRAM_SMTPD))
		child_restart_later(c);
	else
		c->state = CHILD_ABSENT;
	check_status(g);
	drain_step(g);
	return true;
}

/* ---- the whole ------------------------------------------------------------------------------------------ */

static void
add_child(struct generation *g, enum program_id id, unsigned index)
{
	struct child *c = &g->child[g->count++];

	c->generation = g;
	c->id = id;
	c->index = index;
	c->log.fd = -1;
	c->client_slot = CLIENT_SLOT_NONE;
	child_start(c);
}

static void
start_workers(struct generation *g)
{
	unsigned n = setup_workers(g->conf);

	timer_stop(&g->workers_deadline);
	g->workers_started = true;
	for (unsigned index = 0; index < n; index++)
		add_child(g, PROGRAM_SMTPD, index);
}

static void
on_workers_deadline(void *arg)
{
	start_workers(arg);
}

struct generation *
generation_start(struct surroundings *around, unsigned number, struct conf *conf,
    struct listeners *listeners, bool replaces, const struct generation_hooks *hooks, void *ctx)
{
	struct generation *g = calloc(1, sizeof(*g));

	if (g == NULL || getrandom(g->grant_key, sizeof(g->grant_key), 0) != sizeof(g->grant_key)) {
		free(g);
		conf_free(&conf);
		listeners_close(listeners);
		return NULL;
	}
	g->around = around;
	g->number = number;
	g->conf = conf;
	g->listeners = *listeners;
	listeners->count = 0;
	g->replaces = replaces;
	g->hooks = hooks;
	g->ctx = ctx;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (setup_wanted(conf, order[i]))
			add_child(g, order[i], 0);
	if (!replaces)
		timer_set(around->loop, &g->workers_deadline, WORKERS_MS, on_workers_deadline, g);
	return g;
}

void
generation_free(struct generation **generation)
{
	struct generation *g = *generation;

	if (g == NULL)
		return;
	*generation = NULL;
	kill_all(g);
	timer_stop(&g->deadline);
	timer_stop(&g->workers_deadline);
	for (size_t i = 0; i < g->count; i++) {
		struct child *c = &g->child[i];

		timer_stop(&c->restart);
		timer_stop(&c->mend);
		link_free(&c->control);
		if (c->pid > 0)
			waitpid(c->pid, NULL, 0);
		client_slots_give(&g->around->clients, &c->client_slot);
		log_source_stop(&c->log);
	}
	listeners_close(&g->listeners);
	conf_free(&g->conf);
	explicit_bzero(g->grant_key, sizeof(g->grant_key));
	free(g);
}

void
generation_pass_overlay(struct generation *g, const char *path)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->child[i].id == PROGRAM_LOOKUPD && link_alive(g->child[i].control))
			setup_send_optional(&g->child[i], FILE_OVERLAY, path);
}

void
generation_overlay_gone(struct generation *g, const char *path)
{
	struct msg_file_gone m = {.kind = FILE_OVERLAY, .name = span_str(path)};

	for (size_t i = 0; i < g->count; i++)
		if (g->child[i].id == PROGRAM_LOOKUPD && link_alive(g->child[i].control))
			link_send(g->child[i].control, MSG_file_gone, &m, -1);
}

void
generation_pass_recipients(struct generation *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->child[i].id == PROGRAM_LOOKUPD && link_alive(g->child[i].control))
			setup_send_file(&g->child[i], FILE_RECIPIENTS, g->conf->top.recipients);
}

void
generation_ask_status(struct generation *g)
{
	static uint32_t serial;
	struct msg_status_ask ask = {++serial};

	g->status_serial = serial;
	for (size_t i = 0; i < g->count; i++) {
		struct child *c = &g->child[i];

		c->answered =
		    c->state != CHILD_READY || !link_send(c->control, MSG_status_ask, &ask, -1);
	}
	check_status(g);
}

void
generation_status_now(struct generation *g)
{
	if (g->status_serial == 0)
		return;
	g->status_serial = 0;
	g->hooks->on_status(g->ctx, g);
}

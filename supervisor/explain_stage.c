#include "supervisor/explain_stage.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/setup.h"
#include "supervisor/spawn.h"

enum {
	READY_MS = 15 * 1000,
	SETTLE_MS = 200, /* lines that are still in the pipes */
	INSTANCE = 1000, /* of the programs that are played */
};

static const enum program_id programs[] = {
    PROGRAM_RESOLVERD, PROGRAM_VALIDATOR, PROGRAM_LOOKUPD, PROGRAM_VALIDATORS};

enum { PROGRAMS = sizeof(programs) / sizeof(programs[0]) };

struct log_pipe {
	struct stage *stage;
	enum program_id program;
	int fd;
	struct watch watch;
	size_t len;
	uint8_t line[LOG_LINE_MAX + 1];
};

struct stage {
	const struct stage_hooks *hooks;
	struct surroundings around;
	struct generation *generation;
	struct log_pipe pipes[PROGRAMS];
	struct link *lookupd, *validators, *handoff;
	bool ready, died;
	char empty[64]; /* directory that the programs are confined to, when root */
};

/* ---- what the programs say --------------------------------------------------------------------------- */

static void
check_ready(struct stage *s)
{
	for (size_t i = 0; i < PROGRAMS; i++)
		if (s->generation->child[i].state != CHILD_READY ||
		    s->generation->child[i].files_open > 0)
			return;
	s->ready = true;
}

static void
on_ready(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct child *c = ctx;

	(void)link;
	(void)m;
	(void)fd;
	c->state = CHILD_READY;
}

static void
on_file_verdict(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct child *c = ctx;

	(void)link;
	(void)m;
	(void)fd;
	if (c->files_open > 0)
		c->files_open--;
}

static void
on_lost(void *ctx, struct link *link)
{
	struct child *c = ctx;

	(void)link;
	c->state = CHILD_ABSENT;
	link_free(&c->control);
}

static const struct link_handler handlers[] = {
    {MSG_ready, on_ready},
    {MSG_file_verdict, on_file_verdict},
};

#define ROLE(id) \
	[id] = { \
	    .self = PROGRAM_SUPERVISOR, \
	    .peer = id, \
	    .handlers = handlers, \
	    .handler_count = sizeof(handlers) / sizeof(handlers[0]), \
	    .on_lost = on_lost, \
	    .brief = true, \
	}

static const struct link_role roles[PROGRAM_COUNT] = {
    ROLE(PROGRAM_LOOKUPD),
    ROLE(PROGRAM_VALIDATORS),
    ROLE(PROGRAM_VALIDATOR),
    ROLE(PROGRAM_RESOLVERD),
};

static void
on_log(void *arg, unsigned events)
{
	struct log_pipe *p = arg;
	uint8_t part[4096];
	ssize_t n;

	(void)events;
	while ((n = read(p->fd, part, sizeof(part))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (part[i] != '\n') {
				if (p->len < sizeof(p->line))
					p->line[p->len++] = part[i];
				continue;
			}
			p->stage->hooks->on_line(
			    p->stage->hooks->ctx, p->program, span_of(p->line, p->len));
			p->len = 0;
		}
	}
	if (n == 0)
		watch_stop(&p->watch);
}

/* ---- start ------------------------------------------------------------------------------------------- */

static int
start_program(struct stage *s, size_t i, const char *libexec_dir)
{
	struct generation *g = s->generation;
	struct child *c = &g->child[i];
	struct log_pipe *p = &s->pipes[i];
	struct spawned spawned;

	c->generation = g;
	c->id = programs[i];
	if (spawn_program(libexec_dir, c->id, &spawned) != 0)
		return -1;
	c->pid = spawned.pid;
	c->instance = (uint32_t)i + 1;
	c->state = CHILD_STARTING;
	p->stage = s;
	p->program = c->id;
	p->fd = spawned.log;
	g->count = i + 1;
	c->control = link_new(s->around.loop, spawned.control, &roles[c->id], c);
	return c->control != NULL && setup_send(c) == 0 &&
	               watch_start(s->around.loop, &p->watch, p->fd, WATCH_READ, on_log, p) == 0
	           ? 0
	           : -1;
}

/* We are `peer` for the program: smtpd, or queue-handoff. */
static struct link *
play(struct stage *s, enum program_id program, enum program_id peer, const struct link_role *role)
{
	struct msg_peer m = {(uint8_t)peer, 0, INSTANCE};
	int fds[2];

	for (size_t i = 0; i < PROGRAMS; i++) {
		if (programs[i] != program || !link_alive(s->generation->child[i].control))
			continue;
		if (link_pair(fds) != 0)
			return NULL;
		link_send(s->generation->child[i].control, MSG_peer, &m, fds[0]);
		return link_new(s->around.loop, fds[1], role, s->hooks->ctx);
	}
	return NULL;
}

static int
make_empty_dir(struct stage *s)
{
	strcpy(s->empty, "/tmp/gatehouse-explain.XXXXXX");
	if (mkdtemp(s->empty) == NULL) {
		s->empty[0] = '\0';
		return -1;
	}
	s->around.empty_dir = s->empty;
	return chmod(s->empty, 0555);
}

static int
start(struct stage *s, const char *libexec_dir)
{
	s->around.loop = loop_new();
	s->around.libexec_dir = libexec_dir;
	s->around.privileged = geteuid() == 0;
	if (s->around.loop == NULL || (s->around.privileged && make_empty_dir(s) != 0) ||
	    getrandom(s->generation->grant_key, sizeof(s->generation->grant_key), 0) !=
		(ssize_t)sizeof(s->generation->grant_key))
		return -1;
	for (size_t i = 0; i < PROGRAMS; i++)
		if (start_program(s, i, libexec_dir) != 0)
			return -1;
	if (!stage_wait(s, &s->ready, READY_MS))
		return -1;
	s->lookupd = play(s, PROGRAM_LOOKUPD, PROGRAM_SMTPD, s->hooks->smtpd_lookupd);
	s->validators = play(s, PROGRAM_VALIDATORS, PROGRAM_SMTPD, s->hooks->smtpd_validators);
	s->handoff =
	    play(s, PROGRAM_VALIDATORS, PROGRAM_QUEUE_HANDOFF, s->hooks->handoff_validators);
	return s->lookupd != NULL && s->validators != NULL && s->handoff != NULL ? 0 : -1;
}

struct stage *
stage_open(struct conf *conf, const char *libexec_dir, const struct stage_hooks *hooks)
{
	struct stage *s = calloc(1, sizeof(*s));

	signal(SIGPIPE, SIG_IGN);
	if (s != NULL) {
		s->hooks = hooks;
		s->generation = calloc(1, sizeof(*s->generation));
	}
	if (s == NULL || s->generation == NULL) {
		free(s);
		conf_free(&conf);
		return NULL;
	}
	s->generation->around = &s->around;
	s->generation->conf = conf;
	if (start(s, libexec_dir) != 0)
		stage_close(&s);
	return s;
}

/* ---- use and end ------------------------------------------------------------------------------------- */

static void
on_tick(void *arg)
{
	(void)arg; /* the turn is over */
}

bool
stage_wait(struct stage *s, const bool *done, uint64_t timeout_ms)
{
	uint64_t until = loop_now(s->around.loop) + timeout_ms;
	struct timer tick = {0};

	while (!*done && loop_now(s->around.loop) < until) {
		timer_set(s->around.loop, &tick, 50, on_tick, NULL);
		loop_turn(s->around.loop, true);
		if (!s->ready)
			check_ready(s);
	}
	timer_stop(&tick);
	return *done;
}

struct link *
stage_lookupd(const struct stage *s)
{
	return s->lookupd;
}

struct link *
stage_validators(const struct stage *s)
{
	return s->validators;
}

void
stage_settle(struct stage *s)
{
	static const bool never = false;

	stage_wait(s, &never, SETTLE_MS);
}

static void
end_program(struct child *c)
{
	int status;

	link_free(&c->control);
	if (c->pid <= 0)
		return;
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		continue;
}

void
stage_close(struct stage **stage)
{
	struct stage *s = *stage;

	*stage = NULL;
	if (s == NULL)
		return;
	if (s->around.loop != NULL)
		stage_settle(s);
	link_free(&s->lookupd);
	link_free(&s->validators);
	link_free(&s->handoff);
	for (size_t i = 0; i < s->generation->count; i++) {
		end_program(&s->generation->child[i]);
		watch_stop(&s->pipes[i].watch);
		close(s->pipes[i].fd);
	}
	if (s->empty[0] != '\0')
		rmdir(s->empty);
	loop_free(&s->around.loop);
	conf_free(&s->generation->conf);
	free(s->generation);
	free(s);
}

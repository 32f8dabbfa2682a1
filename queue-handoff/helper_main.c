/*
 * qmail-queue-helper: runs qmail-queue for queue-handoff, which is caged and could not.
 *
 * It becomes the configured user and group, stays outside of any empty directory, and may execute
 * the configured program, and nothing else as far as the kernel can be told so. Each message comes
 * as a socket and gets a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/program.h"

#include "queue-handoff/helper_counters.h"
#include "queue-handoff/queue_run.h"

enum { RUNS_MOST = 500, REAP_MS = 1000, SOCKET_FD = 3 };

struct state {
	struct program *prog;
	const char *path;
	struct link *handoff;
	unsigned running;
	struct timer reaper;
};

/* ---- processes ------------------------------------------------------------------------------------ */

static void
reap(struct state *s)
{
	while (s->running > 0 && waitpid(-1, NULL, WNOHANG) > 0)
		s->running--;
}

static void
on_reaper(void *arg)
{
	struct state *s = arg;

	reap(s);
	if (s->running > 0)
		timer_set(s->prog->loop, &s->reaper, REAP_MS, on_reaper, s);
}

/* The process of one message holds its socket and nothing else of ours. */
__attribute__((noreturn)) static void
serve(const struct state *s, int fd)
{
	int flags;

	if (dup2(fd, SOCKET_FD) < 0)
		_exit(1);
	close_range(SOCKET_FD + 1, ~0u, 0);
	flags = fcntl(SOCKET_FD, F_GETFL);
	if (flags < 0 || fcntl(SOCKET_FD, F_SETFL, flags & ~O_NONBLOCK) != 0 ||
	    fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC) != 0)
		_exit(1);
	_exit(queue_run(SOCKET_FD, s->path) == 0 ? 0 : 1);
}

/* What cannot be served is closed, which says so. */
static void
on_queue_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct state *s = ctx;
	pid_t pid;

	(void)link;
	(void)m;
	reap(s);
	if (s->running >= RUNS_MOST) {
		HELPER_COUNT(busy)++;
		return;
	}
	pid = fork();
	if (pid == 0)
		serve(s, *fd);
	if (pid < 0) {
		HELPER_COUNT(failed)++;
		return;
	}
	HELPER_COUNT(runs)++;
	s->running++;
	if (!s->reaper.active)
		timer_set(s->prog->loop, &s->reaper, REAP_MS, on_reaper, s);
}

/* ---- the link ------------------------------------------------------------------------------------- */

static void
on_lost(void *ctx, struct link *link)
{
	struct state *s = ctx;

	if (s->handoff == link)
		link_free(&s->handoff);
}

static const struct link_handler handlers[] = {
    {MSG_queue_ask, on_queue_ask},
};

static const struct link_role role = {
    .self = PROGRAM_QMAIL_QUEUE,
    .peer = PROGRAM_QUEUE_HANDOFF,
    .handlers = handlers,
    .handler_count = sizeof(handlers) / sizeof(handlers[0]),
    .on_lost = on_lost,
};

static int
on_peer(struct program *prog, enum program_id peer, unsigned index, uint32_t instance, int fd)
{
	struct state *s = prog->state;

	(void)index;
	(void)instance;
	if (peer != PROGRAM_QUEUE_HANDOFF) {
		close(fd);
		return -1;
	}
	link_free(&s->handoff);
	s->handoff = link_new(prog->loop, fd, &role, s);
	return s->handoff != NULL ? 0 : -1;
}

/* ---- set-up ---------------------------------------------------------------------------------------- */

static struct program_spec spec;

static int
on_conf(struct program *prog)
{
	struct state *s = prog->state;

	s->prog = prog;
	for (size_t i = 0; i < prog->conf->backend_count; i++)
		if (prog->conf->backend[i].protocol == CONF_PROTOCOL_QMAIL_QUEUE)
			s->path = prog->conf->backend[i].program;
	if (s->path == NULL) {
		log_event1(EVENT_fatal, "what", "no program to run");
		return -1;
	}
	spec.sandbox.executable = s->path;
	return 0;
}

static void
on_status(struct program *prog)
{
	struct state *s = prog->state;

	reap(s);
	HELPER_COUNT(running) = s->running;
}

static struct program_spec spec = {
    .id = PROGRAM_QMAIL_QUEUE,
    .counters = {helper_counters, HELPER_COUNTERS},
    .on_conf = on_conf,
    .on_peer = on_peer,
    .on_status = on_status,
};

int
main(void)
{
	static struct state state;
	struct program prog;

	if (program_begin(&prog, &spec, &state) != 0)
		return prog.exit_status;
	if (program_confine(&prog) != 0)
		return prog.exit_status;
	return program_run(&prog);
}

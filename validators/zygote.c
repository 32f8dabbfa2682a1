#include "validators/zygote.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct counter zygote_counters[ZYGOTE_COUNT_END] = {
#define COUNTER(name, help) {#name, help, 0},
#include "validators/zygote_counters.def"
#undef COUNTER
};

static void
count(enum zygote_count which)
{
	zygote_counters[which].value++;
}

/* ---- children -------------------------------------------------------------------------------- */

static struct zygote_child *
child_by_pid(struct zygote *z, pid_t pid)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (z->children[i].pid == pid)
			return &z->children[i];
	return NULL;
}

static void
tell_gone(struct zygote *z, uint32_t serial, uint32_t status)
{
	struct msg_child_gone gone = {serial, status};

	link_send(z->dispatcher, MSG_child_gone, &gone, -1);
}

/* By the pid of a child that was not waited for yet, which nobody else can have. */
static void
kill_all(struct zygote *z)
{
	for (size_t i = 0; i < CHILDREN_MAX && z->count > 0; i++)
		if (z->children[i].pid > 0)
			kill(z->children[i].pid, SIGKILL);
}

static void
reap(struct zygote *z, pid_t pid, int status)
{
	struct zygote_child *child = child_by_pid(z, pid);

	count(WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ZYGOTE_exited : ZYGOTE_died);
	if (child == NULL)
		return;
	tell_gone(z, child->serial, (uint32_t)status);
	child->pid = 0;
	zygote_counters[ZYGOTE_children].value = --z->count;
}

static void on_exits(void *arg, unsigned events);

static void
reap_all(void *arg)
{
	struct zygote *z = arg;
	struct signalfd_siginfo info[16];
	int status;
	pid_t pid;

	while (read(z->exits_fd, info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reap(z, pid, status);
	if (watch_start(z->loop, &z->exits, z->exits_fd, WATCH_READ, on_exits, z) != 0)
		timer_set(z->loop, &z->reaping, REAP_MS, reap_all, z);
}

/* Nobody waits for it: each by itself would wake the zygote and the dispatcher for every check. */
static void
on_exits(void *arg, unsigned events)
{
	struct zygote *z = arg;

	(void)events;
	watch_stop(&z->exits);
	if (timer_set(z->loop, &z->reaping, REAP_MS, reap_all, z) != 0)
		reap_all(z);
}

/* What a child does first: nothing of the zygote's stays open or blocked. */
static void __attribute__((noreturn)) child_begin(const struct zygote *z, int fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		_exit(EXIT_FAILURE);
	if ((fd > 0 && close_range(0, (unsigned)fd - 1, 0) != 0) ||
	    close_range((unsigned)fd + 1, ~0u, 0) != 0)
		_exit(EXIT_FAILURE);
	z->serve(z->arg, fd);
	_exit(EXIT_FAILURE); /* it ends the process itself */
}

static pid_t
child_fork(struct zygote *z, int fd)
{
	pid_t pid = fork();

	if (pid == 0)
		child_begin(z, fd);
	return pid;
}

/* ---- the dispatcher -------------------------------------------------------------------------- */

static void
on_fork_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct zygote *z = ctx;
	struct zygote_child *place = child_by_pid(z, 0);
	pid_t pid = place != NULL ? child_fork(z, *fd) : -1;

	(void)link;
	if (pid < 0) {
		count(ZYGOTE_fork_failed);
		tell_gone(z, m->fork_ask.serial, UINT32_MAX);
		return;
	}
	count(ZYGOTE_forked);
	*place = (struct zygote_child){pid, m->fork_ask.serial};
	zygote_counters[ZYGOTE_children].value = ++z->count;
}

static void
on_child_kill(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct zygote *z = ctx;

	(void)link;
	(void)fd;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct zygote_child *child = &z->children[i];

		if (child->pid == 0 || child->serial != m->child_kill.serial)
			continue;
		count(ZYGOTE_killed);
		kill(child->pid, SIGKILL);
	}
}

static void
on_probe(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct msg_zygote_alive alive;

	(void)ctx;
	(void)m;
	(void)fd;
	link_send(link, MSG_zygote_alive, &alive, -1);
}

static void
on_orphaned(void *arg)
{
	struct zygote *z = arg;

	z->orphaned(z->orphaned_arg);
}

static void
on_dispatcher_lost(void *ctx, struct link *link)
{
	struct zygote *z = ctx;

	(void)link;
	link_free(&z->dispatcher);
	kill_all(z);
	timer_set(z->loop, &z->orphan, z->draining ? 0 : ORPHAN_MS, on_orphaned, z);
}

static const struct link_handler handlers[] = {
    {MSG_fork_ask, on_fork_ask},
    {MSG_child_kill, on_child_kill},
    {MSG_zygote_probe, on_probe},
};

static const struct link_role role = {
    .self = PROGRAM_VALIDATOR,
    .peer = PROGRAM_VALIDATORS,
    .handlers = handlers,
    .handler_count = sizeof(handlers) / sizeof(handlers[0]),
    .on_lost = on_dispatcher_lost,
};

int
zygote_take_dispatcher(struct zygote *z, int fd)
{
	timer_stop(&z->orphan);
	link_free(&z->dispatcher);
	kill_all(z);
	z->dispatcher = link_new(z->loop, fd, &role, z);
	return z->dispatcher != NULL ? 0 : -1;
}

void
zygote_drain(struct zygote *z, void (*finished)(void *arg), void *arg)
{
	z->draining = true;
	z->orphaned = finished;
	z->orphaned_arg = arg;
	if (z->dispatcher == NULL)
		finished(arg);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* The end of a child arrives as an event of the loop, not as an interruption of it. */
static int
watch_exits(struct zygote *z)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &chld, NULL) != 0)
		return -1;
	z->exits_fd = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
	if (z->exits_fd < 0)
		return -1;
	return watch_start(z->loop, &z->exits, z->exits_fd, WATCH_READ, on_exits, z);
}

struct zygote *
zygote_new(struct loop *loop, void (*serve)(const void *arg, int fd), const void *arg)
{
	struct zygote *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return NULL;
	z->loop = loop;
	z->serve = serve;
	z->arg = arg;
	if (watch_exits(z) != 0) {
		zygote_free(&z);
		return NULL;
	}
	return z;
}

void
zygote_free(struct zygote **z_at)
{
	struct zygote *z = *z_at;

	*z_at = NULL;
	if (z == NULL)
		return;
	kill_all(z);
	timer_stop(&z->orphan);
	timer_stop(&z->reaping);
	watch_stop(&z->exits);
	if (z->exits_fd >= 0)
		close(z->exits_fd);
	link_free(&z->dispatcher);
	free(z);
}

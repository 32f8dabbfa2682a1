#include "lookupd/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	IDLE_MS = 10 * 60 * 1000,
	COMPLAINTS_MAX = 20, /* lines of standard error */
	COMPLAINT_LEN = 300, /* octets of one */
	READ_LEN = 64 * 1024,
};

extern char **environ;

struct running {
	const struct child *child;
	pid_t pid;
	int out[2], err[2]; /* reading end, writing end; -1: closed */
	uint8_t complaint[COMPLAINT_LEN];
	size_t complaint_len;
	unsigned complaints;
	enum child_status status;
};

static enum child_status
failed(const struct child *child, enum child_status status, const char *what, int error)
{
	report_error(child->report, child->source, 0, what, span_str(strerror(error)));
	return status;
}

static void
shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- starting ---------------------------------------------------------------------------------- */

/* Signals as a program expects them, and a process group of its own. Returns: an errno or 0. */
static int
prepare(posix_spawnattr_t *attributes, posix_spawn_file_actions_t *actions, const struct running *r)
{
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(attributes, &all);
	if (error == 0)
		error = posix_spawnattr_setpgroup(attributes, 0);
	if (error == 0)
		error = posix_spawnattr_setflags(attributes,
		    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(
		    actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, r->out[1], STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, r->err[1], STDERR_FILENO);
	return error;
}

/* Returns: an errno or 0. */
static int
spawn(struct running *r)
{
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t actions;
	char **argv;
	int error = posix_spawnattr_init(&attributes);

	if (error != 0)
		return error;
	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		goto out;
	memcpy(&argv, &r->child->argv, sizeof(argv)); /* it is only read */
	error = prepare(&attributes, &actions, r);
	if (error == 0)
		error = posix_spawn(&r->pid, argv[0], &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
out:
	posix_spawnattr_destroy(&attributes);
	return error;
}

static enum child_status
start(struct running *r)
{
	int error;

	if (pipe2(r->out, O_CLOEXEC) < 0 || pipe2(r->err, O_CLOEXEC) < 0)
		return failed(r->child, CHILD_TROUBLE, "no pipe", errno);
	error = spawn(r);
	if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE)
		return failed(r->child, CHILD_TROUBLE, "no process", error);
	if (error != 0) {
		report_error(r->child->report, r->child->source, 0, strerror(error),
		    span_str(r->child->argv[0]));
		return CHILD_WRONG;
	}
	shut(&r->out[1]);
	shut(&r->err[1]);
	return CHILD_OK;
}

/* ---- what it says -------------------------------------------------------------------------------- */

static void
complain(struct running *r)
{
	struct span line = span_of(r->complaint, r->complaint_len);

	r->complaint_len = 0;
	if (line.len > 0 && r->complaints++ < COMPLAINTS_MAX)
		report_warning(r->child->report, r->child->source, 0, "the program says", line);
}

static void
take_complaints(struct running *r, struct span octets)
{
	for (size_t i = 0; i < octets.len; i++)
		if (octets.p[i] == '\n')
			complain(r);
		else if (r->complaint_len < COMPLAINT_LEN)
			r->complaint[r->complaint_len++] = octets.p[i];
}

/* Returns: false when it is to be ended. */
static bool
take_from(struct running *r, int *fd, bool is_output)
{
	uint8_t octets[READ_LEN];
	ssize_t n = read(*fd, octets, sizeof(octets));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) {
		shut(fd);
		return true;
	}
	if (!is_output)
		take_complaints(r, span_of(octets, (size_t)n));
	else if (!r->child->take(r->child->context, span_of(octets, (size_t)n))) {
		r->status = CHILD_STOPPED;
		return false;
	}
	return true;
}

/* Returns: when both ends are closed, or it is to be ended. */
static void
listen_to(struct running *r)
{
	int idle_ms = r->child->idle_ms > 0 ? r->child->idle_ms : IDLE_MS;

	while (r->out[0] >= 0 || r->err[0] >= 0) {
		struct pollfd fds[] = {{r->out[0], POLLIN, 0}, {r->err[0], POLLIN, 0}};
		int n = poll(fds, 2, idle_ms);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			report_error(r->child->report, r->child->source, 0,
			    "the program says nothing and does not end",
			    span_str(r->child->argv[0]));
			r->status = CHILD_WRONG;
			return;
		}
		if ((fds[0].revents != 0 && !take_from(r, &r->out[0], true)) ||
		    (fds[1].revents != 0 && !take_from(r, &r->err[0], false)))
			return;
	}
}

/* ---- its end --------------------------------------------------------------------------------------- */

static void
judge_end(struct running *r, int wait_status)
{
	char detail[64];

	if (r->status != CHILD_OK || (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0))
		return;
	if (WIFEXITED(wait_status))
		snprintf(detail, sizeof(detail), "exit status %d", WEXITSTATUS(wait_status));
	else
		snprintf(detail, sizeof(detail), "signal %d", WTERMSIG(wait_status));
	report_error(r->child->report, r->child->source, 0, detail, span_str(r->child->argv[0]));
	r->status = CHILD_WRONG;
}

/*
 * A program that closed its output may go on, but has said all that it will: it gets the same
 * time once more. waitid() leaves it a zombie, so that the group is still its own when it is killed.
 */
static void
finish(struct running *r)
{
	int wait_status = 0;
	siginfo_t info;

	if (r->status != CHILD_OK)
		kill(-r->pid, SIGKILL);
	while (waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		continue;
	kill(-r->pid, SIGKILL);
	while (waitpid(r->pid, &wait_status, 0) < 0 && errno == EINTR)
		continue;
	complain(r);
	judge_end(r, wait_status);
}

enum child_status
child_run(const struct child *child)
{
	struct running r = {.child = child, .out = {-1, -1}, .err = {-1, -1}, .status = CHILD_OK};

	r.status = start(&r);
	if (r.status == CHILD_OK) {
		listen_to(&r);
		finish(&r);
	}
	for (size_t i = 0; i < 2; i++) {
		shut(&r.out[i]);
		shut(&r.err[i]);
	}
	return r.status;
}

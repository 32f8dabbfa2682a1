#include "supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/link.h"

enum { CONTROL_FD = 3, FIRST_FREE_FD = 10 };

static void
close_pair(int fds[2])
{
	int error = errno;

	close(fds[0]);
	close(fds[1]);
	errno = error;
}

/* In the child, between fork and exec: only calls that are safe there. */
__attribute__((noreturn)) static void
become(const char *path, const char *name, int control, int log)
{
	/* All symbols are bound at once: what forks later does not look them up again and again. */
	static char bind_now[] = "LD_BIND_NOW=1";
	static char *const environment[] = {bind_now, NULL};
	char argv0[64];
	char *const argv[] = {argv0, NULL};
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	snprintf(argv0, sizeof(argv0), "%s", name);
	/* Out of the way first, so that no dup2 tramples on the other. */
	control = fcntl(control, F_DUPFD, FIRST_FREE_FD);
	log = fcntl(log, F_DUPFD, FIRST_FREE_FD);
	if (null < 0 || control < 0 || log < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(log, 2) < 0 || dup2(control, CONTROL_FD) < 0)
		_exit(126);
	close_range(CONTROL_FD + 1, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Own process group: the terminal's signals are the supervisor's to pass on. */
	setpgid(0, 0);
	execve(path, argv, environment);
	_exit(127);
}

int
spawn_program(const char *libexec_dir, enum program_id id, struct spawned *out)
{
	char path[4096];
	int control[2], log[2];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", libexec_dir, program_name(id)) >=
	    sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (link_pair(control) != 0)
		return -1;
	if (pipe2(log, O_CLOEXEC | O_NONBLOCK) != 0) {
		close_pair(control);
		return -1;
	}
	out->pid = fork();
	if (out->pid == 0)
		become(path, program_name(id), control[1], log[1]);
	if (out->pid < 0) {
		close_pair(control);
		close_pair(log);
		return -1;
	}
	close(control[1]);
	close(log[1]);
	out->control = control[0];
	out->log = log[0];
	return 0;
}

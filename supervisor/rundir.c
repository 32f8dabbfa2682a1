#include "supervisor/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

__attribute__((format(printf, 3, 4))) static int
fail(char *error_out, size_t error_cap, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_out, error_cap, format, args);
	va_end(args);
	return -1;
}

static int
join(char *out, const char *dir, const char *name)
{
	return (size_t)snprintf(out, RUNDIR_PATH_MAX, "%s/%s", dir, name) < RUNDIR_PATH_MAX ? 0
	                                                                                    : -1;
}

int
rundir_name(struct rundir *r, const char *dir)
{
	struct sockaddr_un un;

	r->pid_fd = r->control_fd = -1;
	if (join(r->empty, dir, "empty") != 0 || join(r->control, dir, "control") != 0 ||
	    join(r->pid, dir, "gatehouse.pid") != 0)
		return -1;
	return strlen(r->control) < sizeof(un.sun_path) ? 0 : -1;
}

static int
take_lock(struct rundir *r)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	r->pid_fd = open(r->pid, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (r->pid_fd < 0)
		return -1;
	if (flock(r->pid_fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(r->pid_fd, 0) != 0 ||
	    write(r->pid_fd, text, (size_t)n) != n) {
		close(r->pid_fd);
		r->pid_fd = -1;
		return -1;
	}
	return 0;
}

static int
bind_control(struct rundir *r)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t before;
	int rc;

	if (fd < 0)
		return -1;
	memcpy(un.sun_path, r->control, strlen(r->control) + 1);
	unlink(r->control); /* of an instance that was killed: we hold its lock now */
	before = umask(0177);
	rc = bind(fd, (const struct sockaddr *)&un, sizeof(un));
	umask(before);
	if (rc != 0 || listen(fd, 8) != 0) {
		close(fd);
		return -1;
	}
	r->control_fd = fd;
	return 0;
}

int
rundir_open(struct rundir *r, const char *dir, char *error_out, size_t error_cap)
{
	if (rundir_name(r, dir) != 0)
		return fail(error_out, error_cap, "rundir %s: the name is too long", dir);
	if ((mkdir(dir, 0755) != 0 && errno != EEXIST) ||
	    (mkdir(r->empty, 0555) != 0 && errno != EEXIST))
		return fail(error_out, error_cap, "rundir %s: %s", dir, strerror(errno));
	if (take_lock(r) != 0)
		return fail(error_out, error_cap, "%s: %s", r->pid,
		    errno == EWOULDBLOCK ? "another gatehouse runs with this rundir"
					 : strerror(errno));
	if (bind_control(r) != 0)
		return fail(error_out, error_cap, "%s: %s", r->control, strerror(errno));
	return 0;
}

void
rundir_close(struct rundir *r)
{
	if (r->control_fd >= 0) {
		unlink(r->control);
		close(r->control_fd);
	}
	if (r->pid_fd >= 0) {
		unlink(r->pid);
		close(r->pid_fd);
	}
	r->control_fd = r->pid_fd = -1;
}

int
rundir_connect(const char *dir)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct rundir r;
	int fd;

	if (rundir_name(&r, dir) != 0) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(un.sun_path, r.control, strlen(r.control) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof(un)) != 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

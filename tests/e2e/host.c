/*
 * A host that does what a test tells it: loaded in front of the C library (LD_PRELOAD) into the
 * supervisor and, since it passes itself on at execve, into every program of the gateway. Programs
 * need no call for it that they would not do anyway, so that they are confined as ever.
 *
 * What it shall do stands in a page that the test and all programs share; host.py writes it. One
 * program at a time: the n-th call of its functions that go to the kernel, or of malloc, fails;
 * or every call is interrupted, short, or both in turn. Clocks can be moved for everybody.
 *
 * Calls that libraries make inside of the C library (those of fopen, or of malloc itself) are not
 * seen here.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum kind {
	NOTHING,
	CALL,      /* the n-th call fails, with the choice-th error that it can have */
	MEMORY,    /* the n-th allocation fails */
	SHORT,     /* every reading and writing of a stream moves one octet */
	STORM,     /* about every second call that can be interrupted is */
	OVERFULL,  /* memory files take so many octets */
	EXHAUSTED, /* there is no memory */
	NO_FORKS,  /* the next `at` forks fail */
	NO_ROOM,   /* descriptors that come are lost: the table of the process is full */
	GARBLED,   /* the next packet that it sends on a link says what nobody may say */
};

/* The page; host.py has the same. */
struct control {
	int64_t realtime_us, boottime_us;
	char program[32];
	uint32_t kind, at, choice;
	_Atomic uint32_t seen, done;
	char where[32]; /* the call that failed last */
	int64_t room;
	_Atomic int64_t written;
	int32_t error; /* with OVERFULL */
};

static struct control *control;
static const char *path, *self;
static const char *lacks;  /* what this kernel does not have: seccomp or landlock */
static const char *syslog; /* where /dev/log is */

__attribute__((constructor)) static void
begin(void)
{
	int fd;
	void *page;

	path = getenv("HOST_CONTROL");
	self = getenv("LD_PRELOAD");
	lacks = getenv("HOST_LACKS");
	syslog = getenv("HOST_SYSLOG");
	fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page != MAP_FAILED)
		control = page;
}

/* ---- what is to happen ------------------------------------------------------------------------ */

static bool
is_for_us(enum kind kind)
{
	return control != NULL && control->kind == kind &&
	       strcmp(control->program, program_invocation_short_name) == 0;
}

/* In: errors, ends with 0. Returns: whether this call is to fail now; then errno is set. */
static bool
fails(const char *call, const int *errors)
{
	unsigned count = 0;

	if (is_for_us(STORM)) {
		bool storm = false;

		for (unsigned i = 0; errors[i] != 0; i++)
			storm = storm || errors[i] == EINTR;
		/* By a number without a period: the same call of a loop is not always hit. */
		if (!storm ||
		    (atomic_fetch_add(&control->seen, 1) * UINT32_C(2654435761) >> 20 & 1) != 0)
			return false;
		errno = EINTR;
		return true;
	}
	if (!is_for_us(CALL) || atomic_fetch_add(&control->seen, 1) + 1 != control->at)
		return false;
	while (errors[count] != 0)
		count++;
	snprintf(control->where, sizeof(control->where), "%s %s", call,
	    strerrorname_np(errors[control->choice % count]));
	atomic_fetch_add(&control->done, 1);
	errno = errors[control->choice % count];
	return true;
}

static size_t
shortened(size_t len)
{
	return len > 1 && is_for_us(SHORT) ? 1 : len;
}

#define ERRORS(...) ((const int[]){__VA_ARGS__, 0})
#define NEXT(name) \
	static __typeof__(name) *next; \
	if (next == NULL) \
	next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* ---- streams and links -------------------------------------------------------------------------- */

#define RECEIVING ERRORS(ECONNRESET, EINTR, EAGAIN, ENOMEM, ETIMEDOUT)
#define SENDING ERRORS(EPIPE, EINTR, EAGAIN, ENOBUFS, ECONNRESET)

ssize_t
recv(int fd, void *room, size_t len, int flags)
{
	NEXT(recv);
	return fails("recv", RECEIVING) ? -1 : next(fd, room, shortened(len), flags);
}

ssize_t
recvfrom(int fd, void *room, size_t len, int flags, struct sockaddr *from, socklen_t *from_len)
{
	NEXT(recvfrom);
	return fails("recvfrom", RECEIVING) ? -1 : next(fd, room, len, flags, from, from_len);
}

/* As the kernel does it with EMFILE: the octets come, and a flag says that more did. */
static void
lose_descriptors(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	if (c == NULL || c->cmsg_type != SCM_RIGHTS)
		return;
	for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
		close(fd);
	}
	m->msg_controllen = 0;
	m->msg_flags |= MSG_CTRUNC;
	atomic_fetch_add(&control->done, 1);
}

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	NEXT(recvmsg);
	ssize_t n = fails("recvmsg", RECEIVING) ? -1 : next(fd, m, flags);

	if (n > 0 && is_for_us(NO_ROOM))
		lose_descriptors(m);
	return n;
}

ssize_t
send(int fd, const void *p, size_t len, int flags)
{
	NEXT(send);
	/* Links send with MSG_DONTWAIT; a packet is never sent by halves. */
	if ((flags & MSG_DONTWAIT) == 0)
		len = shortened(len);
	if ((flags & MSG_DONTWAIT) != 0 && len > 8 && len < 4096 && is_for_us(GARBLED) &&
	    atomic_fetch_add(&control->done, 1) == 0) {
		uint8_t packet[4096];

		memcpy(packet, p, len);
		packet[5] ^= 0xff; /* the type of the first message */
		return next(fd, packet, len, flags);
	}
	return fails("send", SENDING) ? -1 : next(fd, p, len, flags);
}

ssize_t
sendto(int fd, const void *p, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
	NEXT(sendto);
	return fails("sendto", SENDING) ? -1 : next(fd, p, len, flags, to, to_len);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	NEXT(sendmsg);
	return fails("sendmsg", SENDING) ? -1 : next(fd, m, flags);
}

ssize_t
sendfile(int out, int in, off_t *at, size_t len)
{
	NEXT(sendfile);
	return fails("sendfile", ERRORS(EIO, EINTR, EAGAIN, ENOMEM, EPIPE))
	           ? -1
	           : next(out, in, at, shortened(len));
}

/* ---- files --------------------------------------------------------------------------------------- */

static bool
is_memory_file(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}

/* Returns: octets that still fit; 0 sets errno. */
static size_t
fitting(int fd, size_t len)
{
	int64_t left;

	if (!is_for_us(OVERFULL) || !is_memory_file(fd))
		return len;
	left = control->room - atomic_load(&control->written);
	if (left <= 0) {
		atomic_fetch_add(&control->done, 1);
		errno = control->error;
		return 0;
	}
	len = (int64_t)len < left ? len : (size_t)left;
	atomic_fetch_add(&control->written, (int64_t)len);
	return len;
}

#define READING ERRORS(EIO, EINTR, ENOMEM)
#define WRITING ERRORS(ENOSPC, EINTR, EDQUOT, EIO, ENOMEM)

ssize_t
read(int fd, void *room, size_t len)
{
	NEXT(read);
	return fails("read", READING) ? -1 : next(fd, room, len);
}

ssize_t
pread(int fd, void *room, size_t len, off_t at)
{
	NEXT(pread);
	return fails("pread", READING) ? -1 : next(fd, room, shortened(len), at);
}

ssize_t
pread64(int fd, void *room, size_t len, off64_t at)
{
	return pread(fd, room, len, at);
}

ssize_t
write(int fd, const void *p, size_t len)
{
	NEXT(write);
	if (fails("write", WRITING) || (len > 0 && (len = fitting(fd, shortened(len))) == 0))
		return -1;
	return next(fd, p, len);
}

ssize_t
pwrite(int fd, const void *p, size_t len, off_t at)
{
	NEXT(pwrite);
	if (fails("pwrite", WRITING) || (len > 0 && (len = fitting(fd, shortened(len))) == 0))
		return -1;
	return next(fd, p, len, at);
}

ssize_t
writev(int fd, const struct iovec *v, int count)
{
	NEXT(writev);
	return fails("writev", WRITING) ? -1 : next(fd, v, count);
}

int
ftruncate(int fd, off_t len)
{
	NEXT(ftruncate);
	return fails("ftruncate", ERRORS(ENOSPC, EINTR, EIO)) ? -1 : next(fd, len);
}

int
memfd_create(const char *name, unsigned flags)
{
	NEXT(memfd_create);
	return fails("memfd_create", ERRORS(EMFILE, ENFILE, ENOMEM)) ? -1 : next(name, flags);
}

int
fstat(int fd, struct stat *out)
{
	NEXT(fstat);
	return fails("fstat", ERRORS(ENOMEM, EIO)) ? -1 : next(fd, out);
}

/* Only what can fail of it in practice. */
int
fcntl(int fd, int command, ...)
{
	NEXT(fcntl);
	va_list rest;
	long argument;

	va_start(rest, command);
	argument = va_arg(rest, long);
	va_end(rest);
	if (command == F_ADD_SEALS && fails("fcntl", ERRORS(EBUSY, ENOMEM)))
		return -1;
	if (command == F_DUPFD_CLOEXEC && fails("fcntl", ERRORS(EMFILE)))
		return -1;
	return next(fd, command, argument);
}

/* The descriptor is gone whatever it says. */
int
close(int fd)
{
	NEXT(close);
	int failed = fails("close", ERRORS(EIO, EINTR)), error = errno, result = next(fd);

	if (!failed)
		return result;
	errno = error;
	return -1;
}

/* ---- sockets ------------------------------------------------------------------------------------- */

int
accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
	NEXT(accept4);
	return fails("accept4", ERRORS(ECONNABORTED, EMFILE, ENFILE, ENOBUFS, EINTR, EAGAIN, EPERM))
	           ? -1
	           : next(fd, from, len, flags);
}

int
socket(int family, int type, int protocol)
{
	NEXT(socket);
	return fails("socket", ERRORS(EMFILE, ENFILE, ENOBUFS, ENOMEM))
	           ? -1
	           : next(family, type, protocol);
}

int
socketpair(int family, int type, int protocol, int fds[2])
{
	NEXT(socketpair);
	return fails("socketpair", ERRORS(EMFILE, ENFILE, ENOMEM))
	           ? -1
	           : next(family, type, protocol, fds);
}

int
connect(int fd, const struct sockaddr *to, socklen_t len)
{
	NEXT(connect);
	const struct sockaddr_un *un = (const struct sockaddr_un *)to;
	struct sockaddr_un other = {.sun_family = AF_UNIX};

	if (syslog != NULL && to->sa_family == AF_UNIX && strcmp(un->sun_path, "/dev/log") == 0) {
		snprintf(other.sun_path, sizeof(other.sun_path), "%s", syslog);
		return next(fd, (const struct sockaddr *)&other, sizeof(other));
	}
	return fails("connect",
		   ERRORS(ECONNREFUSED, EADDRNOTAVAIL, ENETDOWN, EHOSTUNREACH, ETIMEDOUT, EAGAIN))
	           ? -1
	           : next(fd, to, len);
}

int
bind(int fd, const struct sockaddr *to, socklen_t len)
{
	NEXT(bind);
	return fails("bind", ERRORS(EADDRINUSE, ENOBUFS)) ? -1 : next(fd, to, len);
}

int
getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	NEXT(getsockopt);
	return fails("getsockopt", ERRORS(ENOBUFS, ENOMEM)) ? -1
	                                                    : next(fd, level, name, value, len);
}

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	NEXT(setsockopt);
	return fails("setsockopt", ERRORS(ENOBUFS, ENOMEM)) ? -1
	                                                    : next(fd, level, name, value, len);
}

int
getpeername(int fd, struct sockaddr *out, socklen_t *len)
{
	NEXT(getpeername);
	return fails("getpeername", ERRORS(ENOTCONN, ENOBUFS)) ? -1 : next(fd, out, len);
}

int
shutdown(int fd, int how)
{
	NEXT(shutdown);
	return fails("shutdown", ERRORS(ENOTCONN)) ? -1 : next(fd, how);
}

/* ---- waiting ------------------------------------------------------------------------------------- */

int
epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	NEXT(epoll_ctl);
	if (operation != EPOLL_CTL_DEL && fails("epoll_ctl", ERRORS(ENOMEM, ENOSPC)))
		return -1;
	return next(epoll, operation, fd, event);
}

int
epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
	NEXT(epoll_wait);
	return fails("epoll_wait", ERRORS(EINTR)) ? -1 : next(epoll, events, most, timeout);
}

int
poll(struct pollfd *fds, nfds_t count, int timeout)
{
	NEXT(poll);
	return fails("poll", ERRORS(EINTR, ENOMEM)) ? -1 : next(fds, count, timeout);
}

ssize_t
getrandom(void *room, size_t len, unsigned flags)
{
	NEXT(getrandom);
	return fails("getrandom", ERRORS(EINTR)) ? -1 : next(room, len, flags);
}

/* ---- processes and memory ---------------------------------------------------------------------------- */

pid_t
fork(void)
{
	NEXT(fork);
	if (is_for_us(NO_FORKS) && atomic_fetch_add(&control->seen, 1) < control->at) {
		atomic_fetch_add(&control->done, 1);
		errno = control->choice == 0 ? EAGAIN : ENOMEM;
		return -1;
	}
	return fails("fork", ERRORS(EAGAIN, ENOMEM)) ? -1 : next();
}

pid_t
waitpid(pid_t pid, int *status, int options)
{
	NEXT(waitpid);
	return fails("waitpid", ERRORS(EINTR)) ? -1 : next(pid, status, options);
}

void *
mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	NEXT(mmap);
	return fails("mmap", ERRORS(ENOMEM)) ? MAP_FAILED
	                                     : next(at, len, protection, flags, fd, offset);
}

/* ---- confinement -------------------------------------------------------------------------------------- */

static bool
lacking(const char *what)
{
	return lacks != NULL && strcmp(lacks, what) == 0;
}

int
prctl(int option, ...)
{
	NEXT(prctl);
	va_list rest;
	unsigned long a[4];

	va_start(rest, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(rest, unsigned long);
	va_end(rest);
	if (option == PR_SET_SECCOMP && lacking("seccomp")) {
		errno = EINVAL;
		return -1;
	}
	return next(option, a[0], a[1], a[2], a[3]);
}

long
syscall(long number, ...)
{
	NEXT(syscall);
	va_list rest;
	long a[6];

	va_start(rest, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(rest, long);
	va_end(rest);
	if ((number == SYS_seccomp && lacking("seccomp")) ||
	    (number == SYS_landlock_create_ruleset && lacking("landlock"))) {
		errno = ENOSYS;
		return -1;
	}
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- the environment ------------------------------------------------------------------------------------ */

/* Programs get an environment of the supervisor's making; this one goes with it. */
int
execve(const char *program, char *const argv[], char *const environment[])
{
	NEXT(execve);
	static char preload[4096 + 16], where[4096 + 16], without[64];
	char *more[16];
	size_t count = 0;

	if (path == NULL || self == NULL)
		return next(program, argv, environment);
	while (environment[count] != NULL && count < 12) {
		more[count] = environment[count];
		count++;
	}
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", self);
	snprintf(where, sizeof(where), "HOST_CONTROL=%s", path);
	more[count++] = preload;
	more[count++] = where;
	if (lacks != NULL) {
		snprintf(without, sizeof(without), "HOST_LACKS=%s", lacks);
		more[count++] = without;
	}
	more[count] = NULL;
	return next(program, argv, more);
}

static bool
memory_fails(const char *call)
{
	if (is_for_us(EXHAUSTED)) {
		atomic_fetch_add(&control->done, 1);
		errno = ENOMEM;
		return true;
	}
	if (!is_for_us(MEMORY) || atomic_fetch_add(&control->seen, 1) + 1 != control->at)
		return false;
	memccpy(control->where, call, 0, sizeof(control->where));
	atomic_fetch_add(&control->done, 1);
	errno = ENOMEM;
	return true;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *
malloc(size_t size)
{
	return memory_fails("malloc") ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return memory_fails("calloc") ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *p, size_t size)
{
	return memory_fails("realloc") ? NULL : __libc_realloc(p, size);
}

int
posix_memalign(void **out, size_t alignment, size_t size)
{
	void *p = memory_fails("posix_memalign") ? NULL : __libc_memalign(alignment, size);

	if (p == NULL)
		return ENOMEM;
	*out = p;
	return 0;
}

/* ---- time ------------------------------------------------------------------------------------------- */

static void
move(struct timespec *t, int64_t us)
{
	int64_t ns = t->tv_nsec + us % 1000000 * 1000;

	t->tv_sec += us / 1000000;
	if (ns < 0 || ns >= 1000000000) {
		t->tv_sec += ns < 0 ? -1 : 1;
		ns += ns < 0 ? 1000000000 : -1000000000;
	}
	t->tv_nsec = ns;
}

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	NEXT(clock_gettime);
	int result = next(clock, t);

	if (control != NULL && result == 0) {
		if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
			move(t, control->realtime_us);
		else if (clock == CLOCK_BOOTTIME)
			move(t, control->boottime_us);
	}
	return result;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	*out = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}

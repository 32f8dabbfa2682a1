#include "queue-handoff/queue_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/package.h"

#include "queue-handoff/queue_exit.h"

enum {
	MESSAGE_FD = 0,
	ENVELOPE_FD = 1,
	CUSTOM_FD = 6,
	FIRST_FREE_FD = 10,
	CUSTOM_MAX = 1000,
	EXEC_FAILED = 120,
	GRACE_MS = 2000, /* for a program that was given up to clean up behind itself */
	GRACE_STEP_MS = 10,
	ANSWER_MAX = 1000,
};

/* The program, as this process sees it. */
struct queue {
	int message, envelope; /* what it reads; -1 once closed */
	int custom;            /* what it writes */
};

/* For the handler of SIGALRM. */
static volatile sig_atomic_t running;

/* ---- the program --------------------------------------------------------------------------------- */

/* In the child, between fork and exec: only calls that are safe there. */
__attribute__((noreturn)) static void
become(const char *program, char *name, int message, int envelope, int custom)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char *const argv[] = {name, NULL};
	char *const environment[] = {path, NULL};
	int null = open("/dev/null", O_WRONLY);

	setpgid(0, 0);
	alarm(0);
	signal(SIGALRM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	/* Out of the way first, so that no dup2 tramples on the others. */
	message = fcntl(message, F_DUPFD, FIRST_FREE_FD);
	envelope = fcntl(envelope, F_DUPFD, FIRST_FREE_FD);
	custom = fcntl(custom, F_DUPFD, FIRST_FREE_FD);
	if (null < 0 || message < 0 || envelope < 0 || custom < 0 ||
	    dup2(message, MESSAGE_FD) < 0 || dup2(envelope, ENVELOPE_FD) < 0 ||
	    dup2(null, STDERR_FILENO) < 0 || dup2(custom, CUSTOM_FD) < 0)
		_exit(EXEC_FAILED);
	close_range(3, CUSTOM_FD - 1, 0);
	close_range(CUSTOM_FD + 1, ~0u, 0);
	execve(program, argv, environment);
	_exit(EXEC_FAILED);
}

static void
close_pair(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* Returns: its process; or -1. */
static pid_t
queue_start(struct queue *q, const char *program)
{
	static char name[] = "qmail-queue";
	int message[2], envelope[2], custom[2];
	pid_t pid;

	if (pipe2(message, O_CLOEXEC) != 0)
		return -1;
	if (pipe2(envelope, O_CLOEXEC) != 0) {
		close_pair(message);
		return -1;
	}
	if (pipe2(custom, O_CLOEXEC) != 0) {
		close_pair(message);
		close_pair(envelope);
		return -1;
	}
	pid = fork();
	if (pid == 0)
		become(program, name, message[0], envelope[0], custom[1]);
	close(message[0]);
	close(envelope[0]);
	close(custom[1]);
	*q = (struct queue){message[1], envelope[1], custom[0]};
	return pid;
}

static void
close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Writes all, or finds that the program reads no more: its exit status will say why. */
static void
put(int *fd, struct span s)
{
	while (*fd >= 0 && s.len > 0) {
		ssize_t n = write(*fd, s.p, s.len);

		if (n > 0)
			s = span_from(s, (size_t)n);
		else if (errno != EINTR)
			close_end(fd);
	}
}

/* A sender or a recipient, with the letter before it and the NUL behind it. */
static void
put_address(struct queue *q, const char *letter, struct span address)
{
	put(&q->envelope, span_of(letter, 1));
	put(&q->envelope, address);
	put(&q->envelope, span_of("", 1));
}

/* ---- the package ---------------------------------------------------------------------------------- */

static bool
on_package(struct queue *q, enum package_event event, struct span part)
{
	/* An address with a NUL would be two. */
	if (event != PACKAGE_CONTENT && span_find(part, '\0') != part.len)
		return false;
	switch (event) {
	case PACKAGE_CONTENT:
		put(&q->message, part);
		return true;
	case PACKAGE_SENDER:
		close_end(&q->message);
		put_address(q, "F", part);
		return true;
	case PACKAGE_RECIPIENT:
		put_address(q, "T", part);
		return true;
	default:
		return false;
	}
}

/* Reads the package and passes it on, but for the final NUL. Returns: whether it came whole. */
static bool
package_read(struct queue *q, int fd)
{
	static uint8_t octets[65536];
	struct package p;

	package_init(&p);
	for (;;) {
		ssize_t n = recv(fd, octets, sizeof(octets), 0);
		struct span in, part = {NULL, 0};

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		in = span_of(octets, (size_t)n);
		while (in.len > 0) {
			enum package_event event = package_next(&p, &in, &part);

			if (event == PACKAGE_DONE)
				return in.len == 0;
			if (event != PACKAGE_MORE && !on_package(q, event, part))
				return false;
		}
	}
}

/* ---- ends ------------------------------------------------------------------------------------------ */

/* Without the final NUL it queues nothing and cleans up; what does not end so, is ended. */
static void
queue_abort(struct queue *q, pid_t pid)
{
	const struct timespec step = {0, GRACE_STEP_MS * 1000000L};

	close_end(&q->message);
	close_end(&q->envelope);
	for (unsigned waited = 0; waited < GRACE_MS; waited += GRACE_STEP_MS) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		nanosleep(&step, NULL);
	}
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* What it wrote to descriptor 6, to the end; more than CUSTOM_MAX octets are dropped. */
static struct span
custom_read(const struct queue *q, uint8_t *room)
{
	uint8_t rest[256];
	size_t have = 0;

	for (;;) {
		bool full = have == CUSTOM_MAX;
		ssize_t n = read(
		    q->custom, full ? rest : room + have, full ? sizeof(rest) : CUSTOM_MAX - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return span_of(room, have);
		if (!full)
			have += (size_t)n;
	}
}

static int
answer(int fd, char letter, struct span text)
{
	uint8_t room[ANSWER_MAX];
	struct buf b = BUF_OVER(room);

	netstring_put_head(&b, text.len + 1);
	buf_put_u8(&b, (uint8_t)letter);
	buf_put_span(&b, text);
	buf_put_u8(&b, ',');
	return send(fd, b.p, b.len, MSG_NOSIGNAL) == (ssize_t)b.len ? 0 : -1;
}

/* In: status, as waitpid gave it. */
static int
answer_status(int fd, int status, struct span custom)
{
	const struct queue_exit *e =
	    queue_exit(WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 255);
	char letter = e->letter;
	struct span text = span_str(e->text);

	if (e->custom)
		queue_exit_custom(custom, &letter, &text);
	return answer(fd, letter, text);
}

/* Nobody waits any more. Before the commit token the program must not go on either. */
static void
on_alarm(int number)
{
	(void)number;
	if (running > 0)
		kill(-running, SIGKILL);
	_exit(1);
}

int
queue_run(int fd, const char *program)
{
	uint8_t room[CUSTOM_MAX];
	struct queue q;
	struct span custom;
	int status = 0;
	pid_t pid;

	signal(SIGALRM, on_alarm);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	alarm(QUEUE_PACKAGE_S);
	pid = queue_start(&q, program);
	if (pid < 0)
		return -1; /* closing is an answer: nothing was queued */
	running = pid;
	if (!package_read(&q, fd)) {
		queue_abort(&q, pid);
		return -1;
	}
	alarm(QUEUE_EXIT_S);
	put(&q.envelope, span_of("", 1));
	close_end(&q.envelope);
	custom = custom_read(&q, room);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return answer_status(fd, status, custom);
}

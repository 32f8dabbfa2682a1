#include "supervisor/log_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

enum {
	READS_PER_EVENT = 16,
	READ_SIZE = 16 * 1024,
	OUT_MAX = 256 * 1024,
	OUT_LINE_MAX = LOG_LINE_MAX + 160, /* time and label come before the line */
	FACILITY_MAIL = 2 << 3,
};

static struct {
	bool to_syslog;
	int fd; /* stderr or the syslog socket; -1: none yet */
	bool
	    is_socket; /* written with send: MSG_DONTWAIT needs no flag on the shared description */
	size_t len;
	uint64_t dropped;
	char octets[OUT_MAX];
} out = {.fd = -1};

static struct log_source own = {.fd = -1};

uint64_t
log_relay_dropped(void)
{
	return out.dropped;
}

/* ---- output ------------------------------------------------------------------------------------ */

static int
syslog_connect(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A description of our own where that is possible, so that others keep their blocking stderr. */
static int
stderr_nonblocking(void)
{
	int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_APPEND);

	return fd >= 0 ? fd : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}

void
log_relay_open(bool to_syslog)
{
	struct stat st;

	if (out.fd >= 0)
		close(out.fd);
	out.to_syslog = to_syslog;
	out.fd = to_syslog ? syslog_connect() : stderr_nonblocking();
	out.is_socket = out.fd >= 0 && fstat(out.fd, &st) == 0 && S_ISSOCK(st.st_mode);
	out.len = 0;
}

static void
stderr_flush(void)
{
	size_t done = 0;

	while (done < out.len) {
		ssize_t n = out.is_socket ? send(out.fd, out.octets + done, out.len - done,
						MSG_DONTWAIT | MSG_NOSIGNAL)
		                          : write(out.fd, out.octets + done, out.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	memmove(out.octets, out.octets + done, out.len - done);
	out.len -= done;
}

static void
stderr_line(const char *line, size_t len)
{
	if (out.len + len > sizeof(out.octets))
		stderr_flush();
	if (out.len + len > sizeof(out.octets)) {
		out.dropped++;
		return;
	}
	memcpy(out.octets + out.len, line, len);
	out.len += len;
}

/* One datagram each; a restarted syslog daemon is found again with the next line. */
static void
syslog_line(const char *line, size_t len)
{
	if (out.fd < 0)
		out.fd = syslog_connect();
	if (out.fd >= 0 && send(out.fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	out.dropped++;
	if (out.fd >= 0 && errno != EAGAIN && errno != ENOBUFS) {
		close(out.fd);
		out.fd = -1;
	}
}

static int
put_prefix(char *line, size_t cap, const char *label, unsigned severity)
{
	uint64_t us = clock_unix_us();
	time_t now = (time_t)(us / 1000000);
	struct tm tm;
	char when[32];

	gmtime_r(&now, &tm);
	if (out.to_syslog) {
		strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
		return snprintf(line, cap, "<%u>%s gatehouse: program=%s ",
		    FACILITY_MAIL | severity, when, label);
	}
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	return snprintf(line, cap, "%s.%03uZ %s ", when, (unsigned)(us / 1000 % 1000), label);
}

/* In: text, one line of a program as it wrote it, without the line feed. */
static void
emit(const struct log_source *s, const uint8_t *text, size_t len)
{
	char line[OUT_LINE_MAX];
	unsigned severity = LOG_SEV_ERROR; /* what a library prints in distress has no mark */
	size_t at;
	int n;

	if (len >= 3 && text[0] == '<' && text[1] >= '0' && text[1] <= '7' && text[2] == '>') {
		severity = (unsigned)(text[1] - '0');
		text += 3;
		len -= 3;
	}
	n = put_prefix(line, sizeof(line), s->label, severity);
	if (n < 0 || (size_t)n + len + 1 > sizeof(line))
		return;
	at = (size_t)n;
	for (size_t i = 0; i < len; i++)
		line[at++] = text[i] >= ' ' && text[i] < 0x7f ? (char)text[i] : '?';
	line[at++] = '\n';
	if (out.to_syslog)
		syslog_line(line, at - 1);
	else
		stderr_line(line, at);
}

/* ---- input ------------------------------------------------------------------------------------- */

static void
take(struct log_source *s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\n') {
			if (s->len > 0)
				emit(s, s->line, s->len);
			s->len = 0;
			s->skipping = false;
		} else if (s->len < LOG_LINE_MAX)
			s->line[s->len++] = p[i];
		else
			s->skipping = true;
	}
}

/* Returns: false when the pipe is empty or at its end. */
static bool
read_some(struct log_source *s)
{
	uint8_t room[READ_SIZE];
	ssize_t n = read(s->fd, room, sizeof(room));

	if (n > 0)
		take(s, room, (size_t)n);
	else if (n == 0)
		watch_stop(&s->watch); /* all writers are gone */
	return n > 0;
}

static void
relay_flush(void)
{
	if (!out.to_syslog && out.len > 0)
		stderr_flush();
}

static void
on_readable(void *arg, unsigned events)
{
	struct log_source *s = arg;

	(void)events;
	for (int i = 0; i < READS_PER_EVENT; i++)
		if (!read_some(s))
			break;
	relay_flush();
}

int
log_source_start(struct log_source *s, struct loop *loop, int fd, const char *label)
{
	s->loop = loop;
	s->fd = fd;
	s->len = 0;
	s->skipping = false;
	snprintf(s->label, sizeof(s->label), "%s", label);
	return watch_start(loop, &s->watch, fd, WATCH_READ, on_readable, s);
}

void
log_source_stop(struct log_source *s)
{
	if (s->fd < 0)
		return;
	watch_stop(&s->watch);
	while (read_some(s))
		continue;
	if (s->len > 0)
		emit(s, s->line, s->len);
	relay_flush();
	close(s->fd);
	s->fd = -1;
}

int
log_relay_own(struct loop *loop)
{
	int fds[2];
	char label[32];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	snprintf(label, sizeof(label), "gatehouse[%d]", (int)getpid());
	log_init(fds[1]);
	return log_source_start(&own, loop, fds[0], label);
}

void
log_relay_own_flush(void)
{
	log_flush();
	if (own.fd < 0)
		return;
	while (read_some(&own))
		continue;
	relay_flush();
}

/*
 * smtpload: many SMTP sessions from one process, for what smtp-source(1) does not do.
 *
 *   smtpload rcpt PORT SESSIONS RECIPIENTS PER_SESSION [BATCH]
 *       asks for unknown recipients, BATCH of them in a segment, and counts refusals
 *   smtpload idle PORT SESSIONS
 *       opens sessions, says EHLO, prints READY, holds them until its input ends, and prints
 *       how many the server has kept
 *
 * Only talks to 127.0.0.1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	OPENING_MAX = 200, /* sessions that have not yet got as far as their EHLO reply */
	EVENTS_MAX = 256,
	LINE_ROOM = 8192,
	BATCH_MAX = 100,
};

enum phase { GREETING, HELLO, MAIL, RCPT, QUIT, IDLE };

struct session {
	int fd;
	enum phase phase;
	unsigned to_ask;    /* recipients still to be asked for in this session */
	unsigned to_answer; /* questions that are out */
	size_t len;
	char line[LINE_ROOM];
};

struct load {
	bool idle;
	int epoll;
	struct sockaddr_in server;
	unsigned sessions, per_session, batch;
	unsigned long recipients;  /* in all */
	unsigned long begun, open; /* sessions */
	unsigned long opening;
	unsigned long asked, refused, others, lost;
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
say(struct session *s, const char *text, size_t len)
{
	/* Commands are far smaller than a socket buffer; a short write is a broken server. */
	if (send(s->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len && errno != EPIPE &&
	    errno != ECONNRESET)
		die("send");
}

static void
say_text(struct session *s, const char *text)
{
	say(s, text, strlen(text));
}

static void
ask_recipients(struct load *load, struct session *s)
{
	char text[BATCH_MAX * 64];
	size_t len = 0;

	for (unsigned i = 0; i < load->batch && s->to_ask > 0; i++, s->to_ask--, s->to_answer++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "RCPT TO:<nobody%lu@example.com>\r\n", load->asked++);
	say(s, text, len);
}

static void
close_session(struct load *load, struct session *s)
{
	if (s->phase < MAIL)
		load->opening--;
	load->open--;
	close(s->fd);
	free(s);
}

static void
on_hello(struct load *load, struct session *s)
{
	load->opening--;
	if (load->idle) {
		s->phase = IDLE;
		return;
	}
	s->phase = MAIL;
	say_text(s, "MAIL FROM:<sender@sender.example>\r\n");
}

static void
on_recipient(struct load *load, struct session *s, int code)
{
	if (code / 100 == 5)
		load->refused++;
	else
		load->others++;
	if (--s->to_answer > 0)
		return;
	if (s->to_ask > 0) {
		ask_recipients(load, s);
		return;
	}
	s->phase = QUIT;
	say_text(s, "QUIT\r\n");
}

/* Returns: false when the session is over. */
static bool
on_reply(struct load *load, struct session *s, int code)
{
	if (code == 421 || (s->phase < RCPT && code / 100 != 2)) {
		load->lost++;
		return false;
	}
	switch (s->phase) {
	case GREETING:
		s->phase = HELLO;
		say_text(s, "EHLO client.sender.example\r\n");
		return true;
	case HELLO:
		on_hello(load, s);
		return true;
	case MAIL:
		s->phase = RCPT;
		ask_recipients(load, s);
		return true;
	case RCPT:
		on_recipient(load, s, code);
		return true;
	case QUIT:
	case IDLE:
		return false;
	}
	return false;
}

/* Returns: false when the session is over. */
static bool
on_input(struct load *load, struct session *s)
{
	ssize_t got = recv(s->fd, s->line + s->len, sizeof(s->line) - s->len, 0);
	char *start = s->line, *end;

	if (got < 0 && errno == EAGAIN)
		return true;
	if (got <= 0) {
		load->lost += s->phase != QUIT;
		return false;
	}
	s->len += (size_t)got;
	while ((end = memchr(start, '\n', s->len - (size_t)(start - s->line))) != NULL) {
		char *reply = start;

		start = end + 1;
		if (end - reply > 3 && reply[3] == ' ' && !on_reply(load, s, atoi(reply)))
			return false;
	}
	s->len -= (size_t)(start - s->line);
	memmove(s->line, start, s->len);
	return true;
}

static void
open_session(struct load *load)
{
	struct session *s = calloc(1, sizeof(*s));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
	int one = 1;

	if (s == NULL || (s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		die("session");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(s->fd, (struct sockaddr *)&load->server, sizeof(load->server)) < 0)
		die("connect");
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	s->to_ask = load->per_session;
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, s->fd, &event) < 0)
		die("epoll_ctl");
	load->begun++;
	load->open++;
	load->opening++;
}

static bool
wants_session(const struct load *load)
{
	if (load->opening >= OPENING_MAX || load->open >= load->sessions)
		return false;
	if (load->idle)
		return load->begun < load->sessions;
	return load->begun * load->per_session < load->recipients;
}

static void
turn(struct load *load, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(load->epoll, events, EVENTS_MAX, timeout_ms);

	for (int i = 0; i < count; i++) {
		struct session *s = events[i].data.ptr;

		if (!on_input(load, s))
			close_session(load, s);
	}
}

static void
hold(struct load *load)
{
	struct pollfd fds[] = {{.fd = 0, .events = POLLIN}, {.fd = load->epoll, .events = POLLIN}};

	printf("READY open=%lu\n", load->open);
	fflush(stdout);
	while (poll(fds, 2, -1) >= 0 && fds[0].revents == 0)
		turn(load, 0);
	printf("open=%lu lost=%lu\n", load->open, load->lost);
}

static unsigned
number(const char *text, unsigned least, unsigned most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end != '\0' || value < least || value > most) {
		fprintf(stderr, "smtpload: %s is not a number from %u to %u\n", text, least, most);
		exit(64);
	}
	return (unsigned)value;
}

static int
usage(void)
{
	fprintf(stderr, "usage: smtpload rcpt PORT SESSIONS RECIPIENTS PER_SESSION [BATCH]\n"
			"       smtpload idle PORT SESSIONS\n");
	return 64;
}

int
main(int argc, char **argv)
{
	struct load load = {.per_session = 1, .batch = 1, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	struct rlimit files;
	double start;

	if (argc < 4 ||
	    (strcmp(argv[1], "idle") != 0 && (strcmp(argv[1], "rcpt") != 0 || argc < 6)))
		return usage();
	load.idle = strcmp(argv[1], "idle") == 0;
	load.server.sin_family = AF_INET;
	load.server.sin_port = htons((uint16_t)number(argv[2], 1, 65535));
	load.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	load.sessions = number(argv[3], 1, 200000);
	if (!load.idle) {
		load.recipients = number(argv[4], 1, 1000000000);
		load.per_session = number(argv[5], 1, 1000000);
		load.batch = argc > 6 ? number(argv[6], 1, BATCH_MAX) : 1;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);

	start = now();
	do {
		while (wants_session(&load))
			open_session(&load);
		turn(&load, 1000);
	} while (wants_session(&load) || (load.idle ? load.opening > 0 : load.open > 0));
	if (load.idle)
		hold(&load);
	else
		printf("refused=%lu others=%lu lost=%lu seconds=%.4f\n", load.refused, load.others,
		    load.lost, now() - start);
	return 0;
}

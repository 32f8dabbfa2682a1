/* gatehouse-maildir: a small QMQP server that delivers into one Maildir. */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/ip.h"
#include "lib/loop.h"

#include "backend/maildir.h"
#include "backend/server.h"

enum { IDLE_MS = 300 * 1000 };

struct options {
	const char *listen;
	const char *maildir;
	uint64_t limit;
	bool discard;
};

static int
usage(void)
{
	fputs("usage: gatehouse-maildir [--listen ADDRESS:PORT] [--limit OCTETS] MAILDIR\n"
	      "       gatehouse-maildir [--listen ADDRESS:PORT] [--limit OCTETS] --discard\n"
	      "Takes mail by QMQP on 127.0.0.1:628 and delivers it into MAILDIR, or forgets it.\n"
	      "Port 0: any free one. --limit: of a message, 104857600 octets if not given.\n",
	    stderr);
	return EX_USAGE;
}

static int
trouble(const char *what, int error)
{
	fprintf(stderr, "gatehouse-maildir: %s: %s\n", what, strerror(error));
	return EX_TEMPFAIL;
}

static bool
options_parse(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
	    {"listen", required_argument, NULL, 'l'},
	    {"limit", required_argument, NULL, 'm'},
	    {"discard", no_argument, NULL, 'd'},
	    {NULL, 0, NULL, 0},
	};
	bool good = true;
	int c;

	while (good && (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'l')
			o->listen = optarg;
		else if (c == 'd')
			o->discard = true;
		else
			good = c == 'm' &&
			       span_decimal(span_str(optarg), UINT64_C(1) << 40, &o->limit);
	}
	if (optind < argc)
		o->maildir = argv[optind++];
	/* One of the two, and nothing else. */
	return good && optind == argc && (o->maildir != NULL) != o->discard;
}

/* Returns: a listening socket, or -1 with errno. */
static int
listen_on(const char *where)
{
	struct sockaddr_storage to;
	socklen_t len;
	const int on = 1;
	struct ip ip;
	uint16_t port;
	int fd;

	if (!ip_parse_port(span_str(where), true, &ip, &port)) {
		errno = EINVAL;
		return -1;
	}
	len = (socklen_t)ip_to_sockaddr(&ip, port, &to);
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&to, len) != 0 || listen(fd, SOMAXCONN) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The line that scripts wait for. */
static void
announce(int listener)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	uint8_t text[IP_TEXT_MAX + 8];
	struct buf b = BUF_OVER(text);
	struct ip ip;
	uint16_t port;

	/* UNSAFE: sockaddr_storage is made to be looked at as a sockaddr. */
	if (getsockname(listener, (struct sockaddr *)&address, &len) != 0 ||
	    !ip_from_sockaddr((const struct sockaddr *)&address, &ip, &port))
		return;
	buf_put_str(&b, ip_is_v4(&ip) ? "" : "[");
	ip_put(&b, &ip);
	buf_put_str(&b, ip_is_v4(&ip) ? ":" : "]:");
	buf_put_decimal(&b, port);
	printf("listening on %.*s\n", (int)b.len, (const char *)b.p);
	fflush(stdout);
}

/* As many descriptors as this process may have. */
static void
descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
on_signal(void *arg, unsigned events)
{
	(void)events;
	loop_stop(arg);
}

/* Returns: a descriptor that is readable when the process is to end, or -1. */
static int
signals_open(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int
serve(struct loop *loop, int listener, const struct server_options *options)
{
	struct watch ending = {0};
	int signals = signals_open();
	struct server *server;

	if (signals < 0 || watch_start(loop, &ending, signals, WATCH_READ, on_signal, loop) != 0)
		return trouble("signals", errno);
	server = server_new(loop, listener, options);
	if (server == NULL)
		return trouble("starting", ENOMEM);
	announce(listener);
	loop_run(loop);
	server_free(&server);
	watch_stop(&ending);
	close(signals);
	return EX_OK;
}

int
main(int argc, char **argv)
{
	struct options o = {.listen = "127.0.0.1:628", .limit = 104857600};
	struct server_options server = {.idle_ms = IDLE_MS};
	struct loop *loop;
	int listener, status;

	if (!options_parse(argc, argv, &o))
		return usage();
	descriptors_raise();
	listener = listen_on(o.listen);
	if (listener < 0)
		return trouble(o.listen, errno);
	server.message_size = o.limit;
	if (!o.discard)
		server.maildir = maildir_open(o.maildir);
	if (!o.discard && server.maildir == NULL)
		return trouble(o.maildir, errno);
	loop = loop_new();
	if (loop == NULL)
		return trouble("starting", ENOMEM);
	status = serve(loop, listener, &server);
	maildir_close(&server.maildir);
	loop_free(&loop);
	return status;
}

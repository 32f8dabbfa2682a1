#include "lookupd/backend_probe.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- connection --------------------------------------------------------------------------------- */

/* Takes HOST:PORT apart. Returns: false when it is none. */
static bool
split(const char *server, char host[256], char port[16])
{
	const char *colon = strrchr(server, ':');
	size_t len = colon != NULL ? (size_t)(colon - server) : 0;

	if (len == 0 || len >= 256 || strlen(colon + 1) == 0 || strlen(colon + 1) >= 16)
		return false;
	if (server[0] == '[' && server[len - 1] == ']') {
		server++;
		len -= 2;
	}
	memcpy(host, server, len);
	host[len] = '\0';
	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	return len > 0;
}

static int
connect_one(const struct addrinfo *a)
{
	struct timeval most = {.tv_sec = PROBE_TIMEOUT_S};
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) < 0 ||
	    connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static const char *
connect_to(struct probe *p, const char *server)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	char host[256], port[16];
	int error;

	if (!split(server, host, port))
		return "a server is HOST:PORT";
	error = getaddrinfo(host, port, &hints, &list);
	if (error != 0)
		return gai_strerror(error);
	for (const struct addrinfo *a = list; a != NULL && p->fd < 0; a = a->ai_next)
		p->fd = connect_one(a);
	freeaddrinfo(list);
	return p->fd < 0 ? strerror(errno) : NULL;
}

static const char *
send_all(struct probe *p, struct span s)
{
	while (s.len > 0) {
		ssize_t n = send(p->fd, s.p, s.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return "the back end does not read";
		s = span_from(s, n > 0 ? (size_t)n : 0);
	}
	return NULL;
}

/* ---- replies --------------------------------------------------------------------------------------- */

/* Reads until there is a whole line. Out: *len_out, with its line feed. */
static const char *
need_line(struct probe *p, size_t *len_out)
{
	for (;;) {
		const char *end = memchr(p->octets, '\n', p->have);
		ssize_t n;

		if (end != NULL) {
			*len_out = (size_t)(end - p->octets) + 1;
			return NULL;
		}
		if (p->have == sizeof(p->octets))
			return "the back end sends a line without an end";
		n = recv(p->fd, p->octets + p->have, sizeof(p->octets) - p->have, 0);
		if (n == 0)
			return "the back end closed the connection";
		if (n < 0 && errno != EINTR)
			return "the back end does not answer";
		p->have += n > 0 ? (size_t)n : 0;
	}
}

/* The line for people: nothing in it reaches a terminal as a control character. */
static void
keep_reply(struct probe *p, size_t len)
{
	size_t n = 0;

	while (n < len && n < PROBE_REPLY_MAX && p->octets[n] != '\r' && p->octets[n] != '\n') {
		p->reply[n] = p->octets[n] >= ' ' && p->octets[n] <= '~' ? p->octets[n] : '?';
		n++;
	}
	p->reply[n] = '\0';
}

const char *
probe_answer(struct probe *p, unsigned *code_out)
{
	bool last = false;

	while (!last) {
		size_t len;
		const char *error = need_line(p, &len);
		uint64_t code;

		if (error != NULL)
			return error;
		keep_reply(p, len);
		last = len < 4 || p->octets[3] != '-';
		if (len < 4 || !span_decimal(span_of(p->octets, 3), 599, &code) || code < 200)
			return "the back end does not speak SMTP";
		*code_out = (unsigned)code;
		p->refused += code >= 400 && last;
		p->have -= len;
		memmove(p->octets, p->octets + len, p->have);
	}
	return NULL;
}

/* A command whose answer must be good. */
static const char *
command(struct probe *p, const char *text, const char *error)
{
	const char *wrong = send_all(p, span_str(text));
	unsigned code;

	if (wrong == NULL)
		wrong = probe_answer(p, &code);
	if (wrong != NULL)
		return wrong;
	return code < 300 ? NULL : error;
}

/* ---- the whole --------------------------------------------------------------------------------------- */

const char *
probe_open(struct probe *p, const char *server, bool lmtp, const char *from)
{
	char hello[300], name[256] = "localhost";
	const char *error;
	unsigned code;

	*p = (struct probe){.fd = -1, .lmtp = lmtp, .server = server, .from = from};
	error = connect_to(p, server);
	if (error == NULL)
		error = probe_answer(p, &code);
	if (error != NULL)
		return error;
	if (code >= 300)
		return p->reply;
	if (gethostname(name, sizeof(name) - 1) != 0 || !address_domain_ok(span_str(name)))
		snprintf(name, sizeof(name), "localhost");
	snprintf(hello, sizeof(hello), "%s %s\r\n", lmtp ? "LHLO" : "EHLO", name);
	return command(p, hello, p->reply);
}

static const char *
begin_transaction(struct probe *p)
{
	char mail[ADDRESS_MAX + 20];
	const char *error = NULL;

	if (p->refused >= PROBE_REFUSALS || p->fd < 0) {
		probe_close(p);
		error = probe_open(p, p->server, p->lmtp, p->from);
	}
	if (p->asked == PROBE_TRANSACTION && error == NULL) {
		p->asked = 0;
		error = command(p, "RSET\r\n", p->reply);
	}
	if (error != NULL || p->asked > 0)
		return error;
	snprintf(mail, sizeof(mail), "MAIL FROM:<%s>\r\n", p->from);
	return command(p, mail, p->reply);
}

const char *
probe_ask(struct probe *p, const struct address *a)
{
	uint8_t octets[2 * ADDRESS_MAX + 32];
	struct buf b = BUF_OVER(octets);
	const char *error = begin_transaction(p);

	if (error != NULL)
		return error;
	p->asked++;
	buf_put_str(&b, "RCPT TO:<");
	address_put_path(&b, address_span(a));
	buf_put_str(&b, ">\r\n");
	return b.full ? "the address is too long" : send_all(p, buf_span(&b));
}

void
probe_close(struct probe *p)
{
	if (p->fd < 0)
		return;
	(void)command(p, "QUIT\r\n", "");
	close(p->fd);
	p->fd = -1;
}

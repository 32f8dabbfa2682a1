/*
 * A server of QMTP, SMTP or LMTP on loopback that does what a script says, in the loop of the
 * hand-off under test. It can close, reset or fall silent after any octet that it reads, and after
 * any octet that it says.
 */
#ifndef TESTS_QUEUE_HANDOFF_FAKE_MAIL_H
#define TESTS_QUEUE_HANDOFF_FAKE_MAIL_H

#include "lib/loop.h"
#include "lib/netstring.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAIL_NEVER = -1, MAIL_ROOM = 1024 * 1024, MAIL_SAYS = 65536, MAIL_CONNECTIONS = 4096 };

enum mail_kind { MAIL_QMTP, MAIL_SMTP, MAIL_LMTP };

struct mail_script {
	enum mail_kind kind;
	long close_at;    /* octets read, after which it closes */
	long cut_at;      /* octets said, after which it closes */
	bool reset;       /* with RST */
	size_t step;      /* octets said per turn; 0: all at once */
	bool close_after; /* each message */
	const char *banner, *hello, *mail, *data, *final;
	const char *rcpt[4];   /* by its place; the last one that is set is for all that follow */
	const char *answer[4]; /* LMTP and QMTP, by the place of the recipient, likewise */
};

#define MAIL_GOOD(k) \
	((struct mail_script){.kind = (k), \
	    .close_at = MAIL_NEVER, \
	    .cut_at = MAIL_NEVER, \
	    .banner = "220 back end\r\n", \
	    .hello = "250-back end\r\n250-PIPELINING\r\n250-SIZE " \
		     "100000000\r\n250-SMTPUTF8\r\n250 8BITMIME\r\n", \
	    .mail = "250 2.1.0 ok\r\n", \
	    .data = "354 go\r\n", \
	    .final = "250 2.0.0 queued\r\n", \
	    .rcpt = {"250 2.1.5 ok\r\n"}, \
	    .answer = {(k) == MAIL_QMTP ? "Kok" : "250 2.0.0 queued\r\n"}})

struct mail;

struct mail_connection {
	struct mail *mail;
	int fd;
	struct watch watch;
	struct timer timer;
	uint8_t *in;
	size_t have, at, message_at; /* read, understood, where the message begins */
	uint8_t says[MAIL_SAYS];
	size_t say_len, said;
	unsigned recipients, accepted;
	bool in_content, greeted, ends;
};

struct mail {
	struct loop *loop;
	int fd;
	struct sockaddr_in address;
	struct watch watch;
	struct mail_script script;
	struct mail_connection *connections[MAIL_CONNECTIONS];
	unsigned accepted, open;
	unsigned complete;          /* messages that it took, whatever it answered */
	uint8_t message[MAIL_ROOM]; /* of the last one, as it came */
	size_t message_len;
	uint8_t stream[MAIL_ROOM]; /* all octets of the last connection */
	size_t stream_len;
};

static inline void
mail_close(struct mail_connection *c)
{
	const struct linger now = {1, 0};

	watch_stop(&c->watch);
	timer_stop(&c->timer);
	if (c->mail->script.reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c->fd);
	c->fd = -1;
	c->mail->open--;
}

static inline const char *
mail_pick(const char *const rows[4], unsigned n)
{
	while (n > 0 && (n >= 4 || rows[n] == NULL))
		n--;
	return rows[n];
}

static inline void
mail_drip(void *arg)
{
	struct mail_connection *c = arg;
	const struct mail_script *s = &c->mail->script;
	size_t most = s->step > 0 ? s->step : MAIL_SAYS;
	size_t left = c->say_len - c->said;
	bool cut = false;

	if (s->cut_at != MAIL_NEVER && c->said + left >= (size_t)s->cut_at) {
		left = (size_t)s->cut_at - c->said;
		cut = left <= most;
	}
	if (left > most)
		left = most;
	if (left > 0)
		c->said += (size_t)send(c->fd, c->says + c->said, left, MSG_NOSIGNAL);
	if (cut || (c->ends && c->said == c->say_len))
		mail_close(c);
	else if (c->said < c->say_len)
		timer_set(c->mail->loop, &c->timer, 0, mail_drip, c);
}

static inline void
mail_say(struct mail_connection *c, const char *text, size_t len)
{
	if (c->say_len + len > MAIL_SAYS)
		abort();
	memcpy(c->says + c->say_len, text, len);
	c->say_len += len;
}

static inline void
mail_says(struct mail_connection *c, const char *text)
{
	mail_say(c, text, strlen(text));
}

static inline void
mail_took(struct mail_connection *c, size_t end)
{
	struct mail *m = c->mail;

	m->complete++;
	m->message_len = end - c->message_at;
	memcpy(m->message, c->in + c->message_at, m->message_len);
	c->ends = m->script.close_after;
}

/* ---- SMTP and LMTP ---- */

static inline void
mail_command(struct mail_connection *c, const char *line)
{
	const struct mail_script *s = &c->mail->script;
	const char *reply;

	if (strncmp(line, "EHLO ", 5) == 0 || strncmp(line, "LHLO ", 5) == 0)
		mail_says(c, (line[0] == 'L') == (s->kind == MAIL_LMTP) ? s->hello : "500 no\r\n");
	else if (strncmp(line, "HELO ", 5) == 0)
		mail_says(c, "250 old\r\n");
	else if (strncmp(line, "MAIL FROM:<", 11) == 0) {
		c->recipients = c->accepted = 0;
		mail_says(c, s->mail);
	} else if (strncmp(line, "RCPT TO:<", 9) == 0) {
		reply = mail_pick(s->rcpt, c->recipients++);
		c->accepted += reply[0] == '2';
		mail_says(c, reply);
	} else if (strcmp(line, "DATA\r\n") == 0) {
		mail_says(c, s->data);
		c->in_content = s->data[0] == '3';
		c->message_at = c->at;
	} else
		mail_says(c, "500 what\r\n");
}

/* Returns: whether something was understood. */
static inline bool
mail_content(struct mail_connection *c)
{
	struct span in = span_of(c->in + c->message_at, c->have - c->message_at);

	for (size_t i = 0; i + 3 <= in.len; i++) {
		if (memcmp(in.p + i, ".\r\n", 3) != 0 ||
		    (i > 0 && (i < 2 || memcmp(in.p + i - 2, "\r\n", 2) != 0)))
			continue;
		c->in_content = false;
		c->at = c->message_at + i + 3;
		mail_took(c, c->message_at + i);
		if (c->mail->script.kind == MAIL_LMTP)
			for (unsigned n = 0; n < c->accepted; n++)
				mail_says(c, mail_pick(c->mail->script.answer, n));
		else
			mail_says(c, c->mail->script.final);
		return true;
	}
	return false;
}

static inline bool
mail_line(struct mail_connection *c)
{
	struct span in = span_of(c->in + c->at, c->have - c->at);
	size_t end = span_find(in, '\n');
	char line[2048];

	if (end == in.len)
		return false;
	if (end + 2 > sizeof(line))
		abort();
	memcpy(line, in.p, end + 1);
	line[end + 1] = '\0';
	c->at += end + 1;
	mail_command(c, line);
	return true;
}

/* ---- QMTP ---- */

/* A netstring at c->in + *at. Returns: whether it is whole. */
static inline bool
mail_netstring(const struct mail_connection *c, size_t *at, struct span *out)
{
	struct span in = span_of(c->in + *at, c->have - *at);
	size_t colon = span_find(in, ':');
	uint64_t len;

	if (colon == in.len || !span_decimal(span_head(in, colon), UINT32_MAX, &len) ||
	    in.len < colon + 1 + len + 1)
		return false;
	if (in.p[colon + 1 + len] != ',')
		abort();
	*out = span_of(in.p + colon + 1, (size_t)len);
	*at += colon + 1 + (size_t)len + 1;
	return true;
}

static inline bool
mail_package(struct mail_connection *c)
{
	struct span message, sender, recipients;
	size_t at = c->at;

	if (!mail_netstring(c, &at, &message) || !mail_netstring(c, &at, &sender) ||
	    !mail_netstring(c, &at, &recipients))
		return false;
	c->message_at = (size_t)(message.p - c->in);
	mail_took(c, c->message_at + message.len);
	for (unsigned n = 0; recipients.len > 0; n++) {
		const char *answer = mail_pick(c->mail->script.answer, n);
		size_t skip = span_find(recipients, ':');
		char said[200];
		uint64_t len;

		if (!span_decimal(span_head(recipients, skip), 1000, &len))
			abort();
		recipients = span_from(recipients, skip + 1 + (size_t)len + 1);
		mail_say(c, said,
		    (size_t)snprintf(said, sizeof(said), "%zu:%s,", strlen(answer), answer));
	}
	c->at = at;
	return true;
}

/* ---- octets ---- */

static inline void
mail_understand(struct mail_connection *c)
{
	bool more;

	do {
		if (c->mail->script.kind == MAIL_QMTP)
			more = mail_package(c);
		else
			more = c->in_content ? mail_content(c) : mail_line(c);
	} while (more);
	if (c->said < c->say_len && !c->timer.active)
		mail_drip(c);
}

static inline void
mail_read(void *arg, unsigned events)
{
	struct mail_connection *c = arg;
	const struct mail_script *s = &c->mail->script;
	size_t most = MAIL_ROOM - c->have;
	ssize_t n;

	(void)events;
	if (s->close_at != MAIL_NEVER && (size_t)s->close_at - c->have < most)
		most = (size_t)s->close_at - c->have;
	n = most > 0 ? recv(c->fd, c->in + c->have, most, MSG_DONTWAIT) : 0;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		c->have += (size_t)n;
		memcpy(c->mail->stream, c->in, c->have);
		c->mail->stream_len = c->have;
	}
	if (n <= 0 || (long)c->have == s->close_at)
		mail_close(c);
	else
		mail_understand(c);
}

static inline void
mail_accept(void *arg, unsigned events)
{
	struct mail *m = arg;
	int fd = accept4(m->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct mail_connection *c;

	(void)events;
	if (fd < 0)
		return;
	if (m->accepted >= MAIL_CONNECTIONS)
		abort();
	c = m->connections[m->accepted++] = calloc(1, sizeof(*c));
	c->mail = m;
	c->fd = fd;
	c->in = malloc(MAIL_ROOM);
	m->open++;
	if (m->script.close_at == 0) {
		mail_close(c);
		return;
	}
	watch_start(m->loop, &c->watch, fd, WATCH_READ, mail_read, c);
	if (m->script.kind != MAIL_QMTP) {
		mail_says(c, m->script.banner);
		mail_drip(c);
	}
}

static inline struct mail *
mail_new(struct loop *loop, enum mail_kind kind)
{
	struct mail *m = calloc(1, sizeof(*m));
	socklen_t len = sizeof(m->address);

	m->loop = loop;
	m->script = MAIL_GOOD(kind);
	m->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	m->address.sin_family = AF_INET;
	m->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(m->fd, (struct sockaddr *)&m->address, len) != 0 || listen(m->fd, 1024) != 0 ||
	    getsockname(m->fd, (struct sockaddr *)&m->address, &len) != 0)
		abort();
	watch_start(loop, &m->watch, m->fd, WATCH_READ, mail_accept, m);
	return m;
}

/* Closes every open connection, as a server does that is tired of them. */
static inline void
mail_hang_up(struct mail *m)
{
	for (unsigned i = 0; i < m->accepted; i++)
		if (m->connections[i]->fd >= 0)
			mail_close(m->connections[i]);
}

static inline void
mail_free(struct mail *m)
{
	watch_stop(&m->watch);
	close(m->fd);
	mail_hang_up(m);
	for (unsigned i = 0; i < m->accepted; i++) {
		free(m->connections[i]->in);
		free(m->connections[i]);
	}
	free(m);
}

#endif

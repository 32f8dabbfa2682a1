/*
 * A stage for sessions: a worker with a clock that stands still until it is moved, a client at
 * the other end of a socket pair, and the other programs played here. For tests and fuzzers.
 *
 * The played lookupd serves the domain ours.example:
 *   unknown...@   550 5.1.1        disabled@  refused, 5.2.1      full@  deferred, 4.2.2
 *   trouble@      cannot tell      second@    another back end    small@ 2000 octets at most
 *   postmaster    goes to admin@ours.example, exempt as exempt...@
 *   loops...@     Delivered-To: box-loops...@store
 *   anything else is accepted; local parts with % ! | / are unknown; other domains are not ours.
 * From generation 2 on:
 *   leaves...@   550 5.1.1         closes@    refused, 5.2.1      moves@    another back end
 *   shrinks@     30 octets at most   fails@   cannot tell         postmaster   to chief@ours.example
 */
#ifndef TESTS_SMTPD_STAGE_H
#define TESTS_SMTPD_STAGE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "smtpd/arrival.h"
#include "smtpd/partners.h"
#include "smtpd/worker.h"

enum { STAGE_QUEUE = 2048, STAGE_HEARD = 256 * 1024 };

enum stage_partner { STAGE_ANSWERS, STAGE_HOLDS, STAGE_IS_DOWN };

struct stage_message {
	uint8_t *content;
	size_t len;
	unsigned recipients;
	char to[2048]; /* space after each */
	bool with_file, eight_bit, smtputf8, tls;
	uint64_t generation; /* that granted all recipients; 0: not the same for all */
};

struct stage {
	struct loop *loop;
	struct conf *conf;
	struct worker worker;
	struct session *session;
	uint64_t now_ms;
	int client;     /* the client's end, -1 when closed */
	bool closed;    /* the server closed it */
	uint8_t *heard; /* what the client read and nobody looked at yet */
	size_t heard_len;

	enum stage_partner lookupd, validators, handoff, tlsd;
	int refusal; /* enum refusal that validators answer with; -1: they hand on */
	enum { STAGE_ENVELOPE_SILENT, STAGE_ENVELOPE_GOOD, STAGE_ENVELOPE_REFUSED } envelope;
	unsigned envelope_reason; /* enum refusal */
	int outcome;              /* enum handoff_outcome */
	unsigned undelivered, recalls_used; /* messages to queue-handoff */
	struct {
		enum msg_type type;
		uint64_t session, transaction;
		char address[600];
		size_t len;
	} queue[STAGE_QUEUE];
	size_t queue_len, done;

	char granted[STAGE_HEARD]; /* "transaction generation address\n" of all grants */
	size_t granted_len;
	bool
	    cheated; /* a submit with a recipient that was not granted, or a file that is not sealed */
	unsigned envelopes, drops, submits, commits, go;
	struct stage_message last;
	uint64_t session_handle, last_transaction; /* of it */
	/* Told of each submit, with `last`; of each refused, outcome and commit_answer, with its value. */
	void (*observe)(
	    void *arg, struct stage *g, enum msg_type type, uint64_t transaction, unsigned value);
	void *observer;
	uint64_t generation; /* of the played database; 0: lookupd tells none */
	unsigned asks;
	char delivered_to[300];
	int tls_fd;
	uint64_t tls_session;
	bool tls_first; /* clients come on an address of listen_tls */
};

static inline uint64_t
stage_now(void *arg)
{
	return ((struct stage *)arg)->now_ms;
}

static inline enum stage_partner *
stage_partner(struct stage *g, enum program_id who)
{
	switch (who) {
	case PROGRAM_LOOKUPD:
		return &g->lookupd;
	case PROGRAM_VALIDATORS:
		return &g->validators;
	case PROGRAM_QUEUE_HANDOFF:
		return &g->handoff;
	default:
		return &g->tlsd;
	}
}

static inline bool
stage_reachable(void *arg, enum program_id who)
{
	return *stage_partner(arg, who) != STAGE_IS_DOWN;
}

static inline void
stage_queue(struct stage *g, enum msg_type type, uint64_t session, uint64_t transaction,
    struct span address)
{
	if (g->queue_len == STAGE_QUEUE || address.len > sizeof(g->queue[0].address))
		abort();
	g->queue[g->queue_len].type = type;
	g->queue[g->queue_len].session = session;
	g->queue[g->queue_len].transaction = transaction;
	if (address.len > 0)
		memcpy(g->queue[g->queue_len].address, address.p, address.len);
	g->queue[g->queue_len++].len = address.len;
}

static inline bool
stage_was_granted(const struct stage *g, uint64_t transaction, const struct msg_granted *m)
{
	char line[700];
	int n = snprintf(line, sizeof(line), "%llu %llu %.*s\n", (unsigned long long)transaction,
	    (unsigned long long)m->generation, (int)m->recipient.len, (const char *)m->recipient.p);

	return n > 0 && memmem(g->granted, g->granted_len, line, (size_t)n) != NULL;
}

static inline void
stage_observe(struct stage *g, enum msg_type type, uint64_t transaction, unsigned value)
{
	if (g->observe != NULL)
		g->observe(g->observer, g, type, transaction, value);
}

static inline void
stage_take_submit(struct stage *g, const struct msg_submit *m, int fd)
{
	struct stage_message *last = &g->last;
	struct span rest = m->recipients.encoded;
	struct msg_granted granted;
	size_t at = 0;

	free(last->content);
	*last = (struct stage_message){
	    .len = m->size, .with_file = fd >= 0, .eight_bit = m->eight_bit == 1};
	last->smtputf8 = m->smtputf8 == 1;
	last->tls = m->tls_version.len > 0;
	last->content = malloc(m->size + 1);
	if (fd < 0) {
		g->cheated = g->cheated || m->content.len != m->size;
		memcpy(last->content, m->content.p, m->content.len);
	} else {
		int seals = fcntl(fd, F_GET_SEALS);

		g->cheated = g->cheated || m->content.len != 0 ||
		             seals != (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) ||
		             lseek(fd, 0, SEEK_END) != (off_t)m->size ||
		             pread(fd, last->content, m->size, 0) != (ssize_t)m->size;
	}
	while (msg_list_next(&rest, RECORD_granted, &granted)) {
		g->cheated = g->cheated || !stage_was_granted(g, m->transaction, &granted) ||
		             granted.grant[0] != (uint8_t)granted.generation;
		if (last->recipients++ == 0)
			last->generation = granted.generation;
		else if (last->generation != granted.generation)
			last->generation = 0;
		if (at + granted.recipient.len + 2 < sizeof(last->to)) {
			memcpy(last->to + at, granted.recipient.p, granted.recipient.len);
			at += granted.recipient.len;
			last->to[at++] = ' ';
			last->to[at] = '\0';
		}
	}
	g->cheated = g->cheated || last->recipients == 0 || last->recipients != m->recipients.count;
	g->submits++;
	g->session_handle = m->session;
	g->last_transaction = m->transaction;
	stage_observe(g, MSG_submit, m->transaction, 0);
	stage_queue(g, MSG_submit, m->session, m->transaction, span_of(NULL, 0));
}

/* Every message goes through the real encoder, so that bounds hold. */
static inline bool
stage_send(void *arg, enum program_id to, enum msg_type type, const void *fields, int fd)
{
	struct stage *g = arg;
	static uint8_t room[LINK_PACKET_MAX];
	struct buf b = BUF_OVER(room);
	union msg m;
	bool ok = stage_reachable(g, to) && msg_encode(type, fields, &b) &&
	          msg_decode(type, buf_span(&b), &m);

	if (stage_reachable(g, to) && !ok)
		abort();
	g->asks += ok && type == MSG_rcpt_ask;
	g->undelivered += ok && type == MSG_undelivered;
	g->recalls_used += ok && type == MSG_recall_used;
	if (ok && type == MSG_rcpt_ask)
		stage_queue(
		    g, type, m.rcpt_ask.session, m.rcpt_ask.transaction, m.rcpt_ask.address);
	else if (ok && type == MSG_envelope) {
		g->envelopes++;
		if (g->envelope != STAGE_ENVELOPE_SILENT)
			stage_queue(
			    g, type, m.envelope.session, m.envelope.transaction, span_of(NULL, 0));
	} else if (ok && type == MSG_envelope_drop)
		g->drops++;
	else if (ok && type == MSG_submit)
		stage_take_submit(g, &m.submit, fd);
	else if (ok && type == MSG_commit_answer && m.commit_answer.go)
		stage_queue(g, MSG_outcome, m.commit_answer.session, m.commit_answer.transaction,
		    span_of(NULL, 0));
	if (ok && type == MSG_commit_answer) {
		g->go += m.commit_answer.go;
		stage_observe(g, type, m.commit_answer.transaction, m.commit_answer.go);
	}
	if (ok && type == MSG_tls_start) {
		g->tls_fd = dup(fd);
		g->tls_session = m.tls_start.session;
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

static inline void
stage_dispatch(struct stage *g, enum msg_type type, const union msg *m)
{
	int fd = -1;

	partners_dispatch(&g->worker, type, m, &fd);
}

static inline bool
stage_begins(struct span s, const char *what)
{
	return span_eq_nocase(span_head(s, strlen(what)), span_str(what));
}

/* Loads another database. */
static inline void
stage_announce(struct stage *g, uint64_t generation)
{
	union msg m = {.generation = {generation}};

	g->generation = generation;
	stage_dispatch(g, MSG_generation, &m);
}

static inline bool
stage_changed(const struct stage *g, struct span local, const char *what)
{
	return g->generation >= 2 && stage_begins(local, what);
}

static inline enum rcpt_verdict
stage_verdict(
    const struct stage *g, struct span local, struct span domain, struct msg_rcpt_answer *a)
{
	if (domain.len > 0 && !span_eq_nocase(domain, SPAN("ours.example")))
		return RCPT_UNKNOWN_DOMAIN;
	for (size_t i = 0; i < local.len; i++)
		if (strchr("%!|/@~", local.p[i]) != NULL)
			return RCPT_UNKNOWN_USER;
	if (stage_begins(local, "unknown") || stage_begins(local, "-") ||
	    stage_begins(local, ".") || stage_changed(g, local, "leaves"))
		return RCPT_UNKNOWN_USER;
	if (stage_begins(local, "trouble") || stage_changed(g, local, "fails"))
		return RCPT_TROUBLE;
	if (stage_begins(local, "disabled") || stage_changed(g, local, "closes")) {
		a->status = SPAN("5.2.1");
		a->text = SPAN("Mailbox disabled");
		return RCPT_REFUSED;
	}
	if (stage_begins(local, "full")) {
		a->status = SPAN("4.2.2");
		a->text = SPAN("Mailbox full");
		return RCPT_DEFERRED;
	}
	return RCPT_ACCEPTED;
}

static inline void
stage_grant(struct stage *g, struct span local, struct span asked, struct msg_rcpt_answer *a)
{
	struct span postmaster =
	    g->generation >= 2 ? SPAN("chief@ours.example") : SPAN("admin@ours.example");
	bool second = stage_begins(local, "second") || stage_changed(g, local, "moves");

	if (stage_begins(local, "loops")) {
		snprintf(g->delivered_to, sizeof(g->delivered_to), "box-%.*s@store", (int)local.len,
		    (const char *)local.p);
		a->delivered_to = span_str(g->delivered_to);
	}
	a->recipient = local.len == asked.len ? postmaster : asked;
	a->exempt = stage_begins(local, "postmaster") || stage_begins(local, "exempt");
	a->route = second ? SPAN("second") : SPAN("first");
	a->size_limit = stage_begins(local, "small") ? 2000 : 0;
	if (stage_changed(g, local, "shrinks"))
		a->size_limit = 30;
	memset(a->grant, (int)(a->generation & 255), sizeof(a->grant));
	g->granted_len += (size_t)snprintf(g->granted + g->granted_len,
	    sizeof(g->granted) - g->granted_len, "%llu %llu %.*s\n",
	    (unsigned long long)a->transaction, (unsigned long long)a->generation,
	    (int)a->recipient.len, (const char *)a->recipient.p);
	if (g->granted_len >= sizeof(g->granted))
		abort();
}

static inline void
stage_answer_rcpt(struct stage *g, size_t i)
{
	struct span address = span_of(g->queue[i].address, g->queue[i].len);
	size_t at = span_find_last(address, '@');
	struct span local = span_head(address, at);
	union msg m = {.rcpt_answer = {
			   .session = g->queue[i].session, .transaction = g->queue[i].transaction}};
	struct msg_rcpt_answer *a = &m.rcpt_answer;

	a->verdict = (uint8_t)stage_verdict(g, local, span_from(address, at + 1), a);
	a->generation = g->generation;
	if (a->verdict == RCPT_ACCEPTED)
		stage_grant(g, local, address, a);
	stage_dispatch(g, MSG_rcpt_answer, &m);
}

/* Plays the answer to entry i of the queue. Returns: false when that program holds it. */
static inline bool
stage_play(struct stage *g, size_t i)
{
	union msg m = {0};
	uint64_t session = g->queue[i].session, transaction = g->queue[i].transaction;

	if (g->queue[i].type == MSG_rcpt_ask) {
		if (g->lookupd != STAGE_ANSWERS)
			return false;
		stage_answer_rcpt(g, i);
	} else if (g->queue[i].type == MSG_envelope) {
		if (g->validators != STAGE_ANSWERS)
			return false;
		m.envelope_answer = (struct msg_envelope_answer){.session = session,
		    .transaction = transaction,
		    .refuse = g->envelope == STAGE_ENVELOPE_REFUSED,
		    .reason = (uint8_t)g->envelope_reason,
		    .detail = SPAN("list.example"),
		    .client_name = SPAN("client.example")};
		stage_dispatch(g, MSG_envelope_answer, &m);
	} else if (g->queue[i].type == MSG_submit &&
		   (g->refusal >= 0 || g->handoff == STAGE_IS_DOWN)) {
		int refusal = g->refusal >= 0 ? g->refusal : REFUSAL_INTERNAL;

		if (g->validators != STAGE_ANSWERS)
			return false;
		m.refused = (struct msg_refused){
		    .session = session, .transaction = transaction, .reason = (uint8_t)refusal};
		stage_observe(g, MSG_refused, transaction, (unsigned)refusal);
		stage_dispatch(g, MSG_refused, &m);
	} else if (g->queue[i].type == MSG_submit) {
		if (g->validators != STAGE_ANSWERS)
			return false;
		g->commits++;
		m.commit_ask = (struct msg_commit_ask){session, transaction};
		stage_dispatch(g, MSG_commit_ask, &m);
	} else {
		if (g->handoff != STAGE_ANSWERS)
			return false;
		m.outcome = (struct msg_outcome){session, transaction, (uint8_t)g->outcome};
		stage_observe(g, MSG_outcome, transaction, (unsigned)g->outcome);
		stage_dispatch(g, MSG_outcome, &m);
	}
	return true;
}

static inline bool
stage_play_queue(struct stage *g)
{
	size_t i = g->done, kept = 0;
	bool any = false;

	while (i < g->queue_len) {
		size_t now = i++;

		if (stage_play(g, now))
			any = true;
		else
			g->queue[kept++] = g->queue[now];
	}
	memmove(g->queue + kept, g->queue + i, (g->queue_len - i) * sizeof(g->queue[0]));
	g->queue_len = kept + (g->queue_len - i);
	return any;
}

static inline bool
stage_listen(struct stage *g)
{
	ssize_t n;

	if (g->client < 0 || g->closed)
		return false;
	n = recv(g->client, g->heard + g->heard_len, STAGE_HEARD - g->heard_len, MSG_DONTWAIT);
	if (n > 0)
		g->heard_len += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		g->closed = true;
	return n > 0;
}

/* Until nobody has anything to say. */
static inline void
stage_run(struct stage *g)
{
	bool more = true;

	while (more) {
		loop_turn(g->loop, false);
		more = stage_play_queue(g);
		if (more || g->worker.resume != NULL)
			loop_turn(g->loop, false);
		more = stage_listen(g) || more || g->worker.resume != NULL;
	}
	log_flush();
}

/* Returns: octets that the connection took; fewer than all when it is closed, or nobody reads. */
static inline size_t
stage_say(struct stage *g, const void *octets, size_t len)
{
	const uint8_t *p = octets;
	size_t done = 0;
	bool stuck = false;

	while (done < len && g->client >= 0 && !g->closed) {
		ssize_t n = send(g->client, p + done, len - done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			done += (size_t)n;
		else if (errno != EAGAIN || stuck)
			break;
		stuck = n <= 0;
		if (done < len)
			stage_run(g);
	}
	stage_run(g);
	return done;
}

/* Time passes at once, as after a suspension of the machine. */
static inline void
stage_jump(struct stage *g, uint64_t ms)
{
	g->now_ms += ms;
	worker_wake(&g->worker);
	worker_sweep(&g->worker);
	stage_run(g);
}

static inline void
stage_wait(struct stage *g, uint64_t ms)
{
	uint64_t until = g->now_ms + ms;

	while (g->now_ms < until)
		stage_jump(g, until - g->now_ms < 1000 ? until - g->now_ms : 1000);
}

/* A program dies. */
static inline void
stage_lose(struct stage *g, enum program_id who)
{
	*stage_partner(g, who) = STAGE_IS_DOWN;
	g->queue_len = 0;
	partners_lost(&g->worker, who);
	stage_run(g);
}

static inline void
stage_set(struct stage *g, const char *path, const char *value)
{
	char error[200];

	if (!conf_set(g->conf, path, value, error, sizeof(error))) {
		fprintf(stderr, "%s = %s: %s\n", path, value, error);
		abort();
	}
}

static inline struct stage *
stage_new(void)
{
	struct stage *g = calloc(1, sizeof(*g));
	struct surroundings around = {
	    .arg = g, .now_ms = stage_now, .reachable = stage_reachable, .send = stage_send};
	char error[200];

	g->loop = loop_new();
	g->conf = conf_new();
	g->heard = malloc(STAGE_HEARD);
	g->now_ms = 1000000;
	g->refusal = -1;
	g->client = g->tls_fd = -1;
	if (g->loop == NULL || g->conf == NULL || g->heard == NULL ||
	    !conf_set(g->conf, "hostname", "mx.ours.example", error, sizeof(error)) ||
	    worker_init(&g->worker, g->loop, &around) != 0)
		abort();
	g->worker.tls_offered = true;
	stage_set(g, "limits.delay", "0");
	id_maker_init(&g->worker.ids, 1700000000000, 7, 12345);
	return g;
}

/* A client connects, and what it says is there before anybody looks. */
static inline void
stage_connect_saying(struct stage *g, const void *early, size_t len)
{
	struct ip client;
	int pair[2];

	if (g->worker.conf == NULL && worker_configure(&g->worker, g->conf) != 0)
		abort();
	if (!ip_parse(SPAN("192.0.2.1"), &client) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
	g->client = pair[0];
	g->closed = false;
	g->heard_len = 0;
	if (len > 0 && send(g->client, early, len, MSG_NOSIGNAL) != (ssize_t)len)
		abort();
	worker_wake(&g->worker);
	g->session = arrival_take(&g->worker, pair[1], &client, 4242, g->tls_first);
}

static inline void
stage_connect(struct stage *g)
{
	stage_connect_saying(g, NULL, 0);
}

static inline void
stage_free(struct stage *g)
{
	worker_clear(&g->worker);
	loop_free(&g->loop);
	conf_free(&g->conf);
	if (g->client >= 0)
		close(g->client);
	if (g->tls_fd >= 0)
		close(g->tls_fd);
	free(g->last.content);
	free(g->heard);
	free(g);
}

#endif

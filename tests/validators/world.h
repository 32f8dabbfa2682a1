/*
 * A dispatcher with somebody at the other end of each of its links: smtpd, queue-handoff,
 * resolverd, and a zygote whose children are played by the test.
 */
#ifndef TESTS_VALIDATORS_WORLD_H
#define TESTS_VALIDATORS_WORLD_H

#include "validators/counters.h"
#include "validators/dispatcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fcntl.h>

#include <cmocka.h>

enum { WORLD_CHILDREN = 100, WORKER = 3, INSTANCE = 77 };

/* A child as the test plays it. */
struct world_child {
	struct world *world;
	struct link *link;
	uint32_t serial;
	bool envelope, message; /* the job that it was given */
	bool stay;              /* as the job said */
	bool has_fd;
	uint64_t size;
	uint8_t reverse_path[64];
	size_t reverse_path_len;
	unsigned dns_answers, foretold;
	uint32_t dns_query;
	uint8_t dns_status;
};

struct world {
	struct loop *loop;
	struct conf *conf;
	struct dispatcher *d;
	struct link *smtpd, *handoff, *zygote, *resolver;
	struct world_child children[WORLD_CHILDREN];
	unsigned forked, kills, probes;
	bool zygote_hangs; /* it answers no probe; stays too */
	unsigned delivered, refused, envelope_answers, questions;
	struct msg_deliver deliver; /* the last one; its spans are gone */
	uint8_t spf_domain[256];
	size_t spf_domain_len, signature_count, content_len;
	struct msg_dkim_result signatures[8];
	bool deliver_has_fd;
	uint8_t refusal, spf;
	bool refuse; /* the envelope_answer */
	uint8_t reason, detail[100], client_name[253];
	size_t detail_len, client_name_len; /* name: of deliver */
	char listed[256];                   /* of deliver */
	uint64_t refused_transaction;
	struct msg_dns_ask question;
	void (*on_question)(
	    struct world *w, const struct msg_dns_ask *ask); /* may be NULL; stays too */
	bool drained;
	uint8_t exempt;                  /* the recipient of what is submitted */
	void (*set_up)(struct world *w); /* sets options; stays from one world to the next */
	/* What to do with a job at once; NULL: nothing. */
	void (*on_job)(struct world_child *child);
};

static inline void
world_turn(struct world *w)
{
	for (int i = 0; i < 12; i++)
		loop_turn(w->loop, false);
}

/* Turns until the condition holds, some seconds at most. */
#define WORLD_UNTIL(w, condition) \
	do { \
		for (int tries = 0; tries < 3000 && !(condition); tries++) { \
			world_turn(w); \
			usleep(1000); \
		} \
		assert_true(condition); \
	} while (0)

/* ---- smtpd ----------------------------------------------------------------------------------- */

static inline void
world_refused(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world *w = ctx;

	(void)link;
	(void)fd;
	w->refused++;
	w->refusal = m->refused.reason;
	w->refused_transaction = m->refused.transaction;
}

static inline void
world_envelope_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world *w = ctx;

	(void)link;
	(void)fd;
	w->envelope_answers++;
	w->spf = m->envelope_answer.spf;
	w->refuse = m->envelope_answer.refuse;
	w->reason = m->envelope_answer.reason;
	w->detail_len = m->envelope_answer.detail.len;
	if (w->detail_len > 0)
		memcpy(w->detail, m->envelope_answer.detail.p, w->detail_len);
}

static const struct link_handler world_smtpd_handlers[] = {
    {MSG_refused, world_refused},
    {MSG_envelope_answer, world_envelope_answer},
};

static const struct link_role world_smtpd = {
    PROGRAM_SMTPD, PROGRAM_VALIDATORS, world_smtpd_handlers, 2, NULL, false};

/* ---- queue-handoff --------------------------------------------------------------------------- */

static inline void
world_deliver(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world *w = ctx;
	struct span rest = m->deliver.signatures.encoded;

	(void)link;
	w->delivered++;
	w->deliver = m->deliver;
	w->deliver_has_fd = *fd >= 0;
	w->content_len = m->deliver.content.len;
	w->client_name_len = m->deliver.client_name.len;
	snprintf(w->listed, sizeof(w->listed), "%.*s", (int)m->deliver.listed.len,
	    (const char *)m->deliver.listed.p);
	if (w->client_name_len > 0)
		memcpy(w->client_name, m->deliver.client_name.p, w->client_name_len);
	w->spf_domain_len = m->deliver.spf_domain.len;
	if (w->spf_domain_len > 0)
		memcpy(w->spf_domain, m->deliver.spf_domain.p, w->spf_domain_len);
	w->signature_count = 0;
	while (msg_list_next(&rest, RECORD_dkim_result, &w->signatures[w->signature_count]))
		w->signature_count++;
}

static const struct link_handler world_handoff_handlers[] = {{MSG_deliver, world_deliver}};

static const struct link_role world_handoff = {
    PROGRAM_QUEUE_HANDOFF, PROGRAM_VALIDATORS, world_handoff_handlers, 1, NULL, false};

/* ---- resolverd ------------------------------------------------------------------------------- */

static inline void
world_dns_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world *w = ctx;

	(void)link;
	(void)fd;
	w->questions++;
	w->question = m->dns_ask;
	if (w->on_question != NULL)
		w->on_question(w, &m->dns_ask);
}

static const struct link_handler world_resolver_handlers[] = {{MSG_dns_ask, world_dns_ask}};

static const struct link_role world_resolver = {
    PROGRAM_RESOLVERD, PROGRAM_VALIDATORS, world_resolver_handlers, 1, NULL, false};

/* ---- children -------------------------------------------------------------------------------- */

static inline void
world_job_envelope(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world_child *c = ctx;

	(void)link;
	(void)fd;
	c->envelope = true;
	c->stay = m->job_envelope.stay;
	c->reverse_path_len = m->job_envelope.reverse_path.len;
	if (c->reverse_path_len > 0)
		memcpy(c->reverse_path, m->job_envelope.reverse_path.p, c->reverse_path_len);
	if (c->world->on_job != NULL)
		c->world->on_job(c);
}

static inline void
world_job_message(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world_child *c = ctx;

	(void)link;
	c->message = true;
	c->stay = m->job_message.stay;
	c->has_fd = *fd >= 0;
	c->size = m->job_message.size;
	if (c->world->on_job != NULL)
		c->world->on_job(c);
}

static inline void
world_dns_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world_child *c = ctx;

	(void)link;
	(void)fd;
	c->dns_answers++;
	c->dns_query = m->dns_answer.query;
	c->dns_status = m->dns_answer.status;
}

static inline void
world_dns_foretold(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world_child *c = ctx;

	(void)link;
	(void)m;
	(void)fd;
	c->foretold++;
}

static const struct link_handler world_child_handlers[] = {
    {MSG_dns_foretold, world_dns_foretold},
    {MSG_job_envelope, world_job_envelope},
    {MSG_job_message, world_job_message},
    {MSG_dns_answer, world_dns_answer},
};

static const struct link_role world_child_role = {
    PROGRAM_VALIDATOR, PROGRAM_VALIDATORS, world_child_handlers, 4, NULL, true};

static inline void
world_fork_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world *w = ctx;
	struct world_child *c = &w->children[w->forked++];

	(void)link;
	assert_true(w->forked <= WORLD_CHILDREN);
	c->world = w;
	c->serial = m->fork_ask.serial;
	c->link = link_new(w->loop, *fd, &world_child_role, c);
	*fd = -1;
}

static inline void
world_child_kill(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world *w = ctx;

	(void)link;
	(void)m;
	(void)fd;
	w->kills++;
}

static inline void
world_probe(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct world *w = ctx;
	struct msg_zygote_alive alive;

	(void)m;
	(void)fd;
	w->probes++;
	if (!w->zygote_hangs)
		link_send(link, MSG_zygote_alive, &alive, -1);
}

static const struct link_handler world_zygote_handlers[] = {
    {MSG_zygote_probe, world_probe},
    {MSG_fork_ask, world_fork_ask},
    {MSG_child_kill, world_child_kill},
};

static const struct link_role world_zygote = {
    PROGRAM_VALIDATOR, PROGRAM_VALIDATORS, world_zygote_handlers, 3, NULL, false};

static inline void
child_gone(struct world_child *c, uint32_t status)
{
	struct msg_child_gone gone = {c->serial, status};

	link_free(&c->link);
	link_send(c->world->zygote, MSG_child_gone, &gone, -1);
	world_turn(c->world);
}

static inline void
child_exit(struct world_child *c)
{
	link_flush(c->link);
	child_gone(c, 0);
}

static inline void
child_say_spf(struct world_child *c, enum auth_result spf, const char *domain)
{
	struct msg_job_envelope_answer a = {
	    .spf = (uint8_t)spf, .spf_domain = span_str(domain), .reason = SPAN("a reason")};

	assert_true(link_send(c->link, MSG_job_envelope_answer, &a, -1));
}

static inline void
child_say_dkim(struct world_child *c, enum auth_result result, const char *domain)
{
	uint8_t room[500];
	struct buf b = BUF_OVER(room);
	struct msg_job_message_answer a = {0};
	struct msg_dkim_verdict v = {.domain = span_str(domain),
	    .selector = SPAN("sel"),
	    .result = (uint8_t)result,
	    .reason = SPAN("")};

	assert_true(msg_list_put(&b, RECORD_dkim_verdict, &v));
	a.signatures.count = 1;
	a.signatures.encoded = buf_span(&b);
	assert_true(link_send(c->link, MSG_job_message_answer, &a, -1));
}

/* ---- set-up ------------------------------------------------------------------------------------ */

static inline struct link *
world_connect(struct world *w, enum program_id peer, unsigned index, const struct link_role *role)
{
	int fds[2];

	assert_int_equal(link_pair(fds), 0);
	assert_int_equal(dispatcher_take_peer(w->d, peer, index, INSTANCE, fds[0]), 0);
	return link_new(w->loop, fds[1], role, w);
}

static inline void
world_set(struct world *w, const char *path, const char *value)
{
	char error[200];

	assert_true(conf_set(w->conf, path, value, error, sizeof(error)));
}

/* Everybody but the zygote. */
static inline void
world_begin(struct world *w, const char *spf, const char *fail, const char *dkim)
{
	void (*set_up)(struct world * w) = w->set_up;
	void (*on_question)(struct world * w, const struct msg_dns_ask *ask) = w->on_question;

	memset(w, 0, sizeof(*w));
	w->set_up = set_up;
	w->on_question = on_question;
	w->loop = loop_new();
	w->conf = conf_new();
	assert_non_null(w->loop);
	world_set(w, "spf.check", spf);
	world_set(w, "spf.fail", fail);
	world_set(w, "dkim.check", dkim);
	world_set(w, "dmarc.check", "false");
	world_set(w, "limits.message_checks", "2");
	if (w->set_up != NULL)
		w->set_up(w);
	else
		world_set(w, "reverse_dns.check", "false");
	w->d = dispatcher_new(w->loop, w->conf);
	w->d->foresight_ms = 0; /* every question is a child's */
	w->smtpd = world_connect(w, PROGRAM_SMTPD, WORKER, &world_smtpd);
	w->handoff = world_connect(w, PROGRAM_QUEUE_HANDOFF, 0, &world_handoff);
	w->resolver = world_connect(w, PROGRAM_RESOLVERD, 0, &world_resolver);
	world_turn(w);
}

/* In: per_process, limits.messages_per_process. */
static inline void
world_begin_with(
    struct world *w, const char *spf, const char *fail, const char *dkim, unsigned per_process)
{
	world_begin(w, spf, fail, dkim);
	w->d->jobs.per_process = per_process;
	w->zygote = world_connect(w, PROGRAM_VALIDATOR, 0, &world_zygote);
	world_turn(w);
}

static inline void
world_begin_played(struct world *w, const char *spf, const char *fail, const char *dkim)
{
	world_begin(w, spf, fail, dkim);
	w->zygote = world_connect(w, PROGRAM_VALIDATOR, 0, &world_zygote);
	world_turn(w);
}

static inline void
world_end(struct world *w)
{
	for (size_t i = 0; i < WORLD_CHILDREN; i++)
		link_free(&w->children[i].link);
	link_free(&w->smtpd);
	link_free(&w->handoff);
	link_free(&w->zygote);
	link_free(&w->resolver);
	dispatcher_free(&w->d);
	conf_free(&w->conf);
	loop_free(&w->loop);
}

/* ---- what smtpd says ----------------------------------------------------------------------------- */

static inline void
say_envelope_from(
    struct world *w, uint64_t transaction, const char *client, const char *reverse_path)
{
	struct msg_envelope m = {1, transaction, {0}, SPAN("helo.example"), span_str(reverse_path)};
	struct ip ip;

	assert_true(ip_parse(span_str(client), &ip));
	memcpy(m.client, ip.octets, sizeof(m.client));
	assert_true(link_send(w->smtpd, MSG_envelope, &m, -1));
	world_turn(w);
}

static inline void
say_envelope(struct world *w, uint64_t transaction, const char *reverse_path)
{
	say_envelope_from(w, transaction, "192.0.2.1", reverse_path);
}

static inline void
say_submit_as(struct world *w, uint64_t transaction, const char *client, const char *reverse_path,
    const char *content, uint64_t size, int fd, uint32_t budget_ms)
{
	uint8_t room[700];
	struct buf b = BUF_OVER(room);
	struct msg_granted granted = {.recipient = SPAN("alice@example.com"), .exempt = w->exempt};
	struct msg_submit m = {
	    .session = 1,
	    .transaction = transaction,
	    .id = SPAN("ID345678"),
	    .received = 1000000,
	    .budget_ms = budget_ms,
	    .helo = SPAN("helo.example"),
	    .esmtp = 1,
	    .reverse_path = span_str(reverse_path),
	    .recipients = {.count = 1},
	    .size = size,
	    .content = span_str(content),
	};
	struct ip ip;

	assert_true(ip_parse(span_str(client), &ip));
	memcpy(m.client, ip.octets, sizeof(m.client));
	assert_true(msg_list_put(&b, RECORD_granted, &granted));
	m.recipients.encoded = buf_span(&b);
	assert_true(link_send(w->smtpd, MSG_submit, &m, fd));
	world_turn(w);
}

static inline void
say_submit_with(struct world *w, uint64_t transaction, const char *reverse_path,
    const char *content, uint64_t size, int fd, uint32_t budget_ms)
{
	say_submit_as(w, transaction, "192.0.2.1", reverse_path, content, size, fd, budget_ms);
}

static inline void
say_submit_from(struct world *w, uint64_t transaction, const char *client, const char *reverse_path)
{
	say_submit_as(w, transaction, client, reverse_path, "Subject: x\n\nhi\n", 15, -1, 60000);
}

static inline void
say_submit(struct world *w, uint64_t transaction, const char *reverse_path)
{
	say_submit_with(w, transaction, reverse_path, "Subject: x\n\nhi\n", 15, -1, 60000);
}

#endif

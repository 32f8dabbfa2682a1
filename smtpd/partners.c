#include "smtpd/partners.h"

#include <unistd.h>

#include "smtpd/envelope.h"
#include "smtpd/recipients.h"
#include "smtpd/submission.h"
#include "smtpd/tls.h"

/* ---- what comes ---------------------------------------------------------------------------- */

static void
on_rcpt_answer(struct worker *w, const union msg *m, int *fd)
{
	(void)fd;
	recipients_on_answer(w, &m->rcpt_answer);
}

static void
on_generation(struct worker *w, const union msg *m, int *fd)
{
	(void)fd;
	w->generation = m->generation.generation;
}

static void
on_envelope_answer(struct worker *w, const union msg *m, int *fd)
{
	(void)fd;
	envelope_on_answer(w, &m->envelope_answer);
}

static void
on_refused(struct worker *w, const union msg *m, int *fd)
{
	(void)fd;
	submission_on_refused(w, &m->refused);
}

static void
on_commit_ask(struct worker *w, const union msg *m, int *fd)
{
	(void)fd;
	submission_on_commit_ask(w, &m->commit_ask);
}

static void
on_outcome(struct worker *w, const union msg *m, int *fd)
{
	(void)fd;
	submission_on_outcome(w, &m->outcome);
}

static void
on_group_state(struct worker *w, const union msg *m, int *fd)
{
	(void)fd;
	groups_on_state(&w->groups, w->conf, &m->group_state);
}

static void
on_recall(struct worker *w, const union msg *m, int *fd)
{
	(void)fd;
	worker_wake(w);
	recall_on_refusal(w, &m->recall);
}

static void
on_recall_used(struct worker *w, const union msg *m, int *fd)
{
	(void)fd;
	worker_wake(w);
	recall_on_used(w, &m->recall_used);
}

static void
on_tls_up(struct worker *w, const union msg *m, int *fd)
{
	int plain = *fd;

	*fd = -1;
	tls_on_up(w, &m->tls_up, plain);
}

static void
on_tls_failed(struct worker *w, const union msg *m, int *fd)
{
	(void)fd;
	tls_on_failed(w, &m->tls_failed);
}

static void (*const handlers[MSG_LIMIT])(struct worker *w, const union msg *m, int *fd) = {
    [MSG_rcpt_answer] = on_rcpt_answer,
    [MSG_generation] = on_generation,
    [MSG_envelope_answer] = on_envelope_answer,
    [MSG_refused] = on_refused,
    [MSG_commit_ask] = on_commit_ask,
    [MSG_outcome] = on_outcome,
    [MSG_group_state] = on_group_state,
    [MSG_recall] = on_recall,
    [MSG_recall_used] = on_recall_used,
    [MSG_tls_up] = on_tls_up,
    [MSG_tls_failed] = on_tls_failed,
};

void
partners_dispatch(struct worker *w, enum msg_type type, const union msg *m, int *fd)
{
	if ((unsigned)type < MSG_LIMIT && handlers[type] != NULL)
		handlers[type](w, m, fd);
}

#define HANDLE(message) \
	static void take_##message(void *ctx, struct link *link, const union msg *m, int *fd) \
	{ \
		const struct partners *p = ctx; \
\
		(void)link; \
		partners_dispatch(p->worker, MSG_##message, m, fd); \
	}

HANDLE(rcpt_answer)
HANDLE(generation)
HANDLE(envelope_answer)
HANDLE(refused)
HANDLE(commit_ask)
HANDLE(outcome)
HANDLE(group_state)
HANDLE(recall)
HANDLE(recall_used)
HANDLE(tls_up)
HANDLE(tls_failed)

static const struct link_handler lookupd_handlers[] = {
    {MSG_rcpt_answer, take_rcpt_answer},
    {MSG_generation, take_generation},
};
static const struct link_handler validators_handlers[] = {
    {MSG_envelope_answer, take_envelope_answer},
    {MSG_refused, take_refused},
};
static const struct link_handler handoff_handlers[] = {
    {MSG_commit_ask, take_commit_ask},
    {MSG_outcome, take_outcome},
    {MSG_group_state, take_group_state},
    {MSG_recall, take_recall},
    {MSG_recall_used, take_recall_used},
};
static const struct link_handler tlsd_handlers[] = {
    {MSG_tls_up, take_tls_up},
    {MSG_tls_failed, take_tls_failed},
};

/* ---- what ends ----------------------------------------------------------------------------- */

static void (*const on_loss[PROGRAM_COUNT])(struct session *s) = {
    [PROGRAM_LOOKUPD] = recipients_on_lookupd_lost,
    [PROGRAM_VALIDATORS] = submission_on_validators_lost,
    [PROGRAM_QUEUE_HANDOFF] = submission_on_handoff_lost,
    [PROGRAM_TLSD] = tls_on_tlsd_lost,
};

void
partners_lost(struct worker *w, enum program_id who)
{
	worker_wake(w);
	if (who == PROGRAM_QUEUE_HANDOFF)
		groups_forget(&w->groups);
	worker_each(w, on_loss[who]);
}

static void
on_lost(void *ctx, struct link *link)
{
	struct partners *p = ctx;

	for (unsigned who = 0; who < PROGRAM_COUNT; who++) {
		if (p->links[who] != link)
			continue;
		link_free(&p->links[who]);
		partners_lost(p->worker, (enum program_id)who);
		return;
	}
}

/* ---- links --------------------------------------------------------------------------------- */

#define ROLE(program, table) \
	[program] = { \
	    .self = PROGRAM_SMTPD, \
	    .peer = program, \
	    .handlers = table, \
	    .handler_count = sizeof(table) / sizeof(table[0]), \
	    .on_lost = on_lost, \
	}

static const struct link_role roles[PROGRAM_COUNT] = {
    ROLE(PROGRAM_LOOKUPD, lookupd_handlers),
    ROLE(PROGRAM_VALIDATORS, validators_handlers),
    ROLE(PROGRAM_QUEUE_HANDOFF, handoff_handlers),
    ROLE(PROGRAM_TLSD, tlsd_handlers),
};

void
partners_init(struct partners *p, struct loop *loop, struct worker *worker)
{
	*p = (struct partners){.loop = loop, .worker = worker};
}

int
partners_take(struct partners *p, enum program_id who, int fd)
{
	if ((unsigned)who >= PROGRAM_COUNT || roles[who].handlers == NULL) {
		close(fd);
		return -1;
	}
	if (p->links[who] != NULL) {
		link_free(&p->links[who]);
		partners_lost(p->worker, who);
	}
	if (who == PROGRAM_TLSD)
		p->worker->tls_offered = true;
	p->links[who] = link_new(p->loop, fd, &roles[who], p);
	return p->links[who] != NULL ? 0 : -1;
}

void
partners_clear(struct partners *p)
{
	for (unsigned who = 0; who < PROGRAM_COUNT; who++)
		link_free(&p->links[who]);
}

/* ---- what the worker sees ------------------------------------------------------------------ */

static uint64_t
now_ms(void *arg)
{
	const struct partners *p = arg;

	return loop_now(p->loop);
}

static bool
reachable(void *arg, enum program_id who)
{
	const struct partners *p = arg;

	return link_alive(p->links[who]);
}

static bool
send_message(void *arg, enum program_id to, enum msg_type type, const void *fields, int fd)
{
	struct partners *p = arg;

	if (p->links[to] == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	return link_send(p->links[to], type, fields, fd);
}

struct surroundings
partners_surroundings(struct partners *p)
{
	return (struct surroundings){
	    .arg = p, .now_ms = now_ms, .reachable = reachable, .send = send_message};
}

#include "queue-handoff/links.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/link.h"
#include "lib/log.h"
#include "lib/loop.h"

#include "queue-handoff/counters.h"
#include "queue-handoff/health.h"
#include "queue-handoff/recent.h"

/* One smtpd worker. */
struct worker {
	struct links *links;
	unsigned index;
	uint32_t instance;
	struct link *link; /* NULL: down */
	struct grants_window *window;
};

struct links {
	struct loop *loop;
	struct handoff *handoff;
	struct deliver *deliver;
	const struct backends *backends; /* these may be NULL */
	struct recent *recent;
	struct handoff_port port;
	struct link *validators, *helper;
	struct worker *workers[LINKS_WORKERS]; /* made when first seen */
	bool draining;
};

/* ---- to smtpd ---------------------------------------------------------------------------------- */

static struct link *
owner_link(struct links *l, const struct handoff_owner *owner)
{
	struct worker *w = l->workers[owner->worker];

	return w != NULL ? w->link : NULL;
}

static bool
port_ask(void *ctx, const struct handoff_owner *owner)
{
	struct msg_commit_ask ask = {owner->session, owner->transaction};

	return link_send(owner_link(ctx, owner), MSG_commit_ask, &ask, -1);
}

static void
port_tell(void *ctx, const struct handoff_owner *owner, enum handoff_outcome outcome)
{
	struct msg_outcome m = {owner->session, owner->transaction, (uint8_t)outcome};

	/* When it does not go, the link is dead and smtpd has answered 4xx by itself. */
	link_send(owner_link(ctx, owner), MSG_outcome, &m, -1);
}

static void
port_recall(
    void *ctx, struct span sender, struct span recipient, uint64_t declared_size, bool for_good)
{
	struct links *l = ctx;
	struct msg_recall m = {sender, recipient, declared_size, for_good};

	for (size_t i = 0; i < LINKS_WORKERS; i++)
		if (l->workers[i] != NULL && l->workers[i]->link != NULL)
			link_send(l->workers[i]->link, MSG_recall, &m, -1);
}

static void
group_state_send(struct link *link, const struct group *g)
{
	struct msg_group_state m = {span_str(g->title), health_group_is_down(g)};

	link_send(link, MSG_group_state, &m, -1);
}

void
links_group_state(void *ctx, const struct group *g)
{
	struct links *l = ctx;

	for (size_t i = 0; i < LINKS_WORKERS; i++)
		if (l->workers[i] != NULL && l->workers[i]->link != NULL)
			group_state_send(l->workers[i]->link, g);
}

/* ---- to qmail-queue-helper ------------------------------------------------------------------------ */

static bool
port_run(void *ctx, int fd)
{
	struct links *l = ctx;
	struct msg_queue_ask ask;

	if (!link_alive(l->helper)) {
		close(fd);
		return false;
	}
	return link_send(l->helper, MSG_queue_ask, &ask, fd);
}

static void
on_helper_lost(void *ctx, struct link *link)
{
	struct links *l = ctx;

	if (l->helper == link)
		link_free(&l->helper);
}

static const struct link_role helper_role = {
    .self = PROGRAM_QUEUE_HANDOFF,
    .peer = PROGRAM_QMAIL_QUEUE,
    .on_lost = on_helper_lost,
};

/* ---- from smtpd -------------------------------------------------------------------------------- */

static void
on_commit_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct worker *w = ctx;
	struct handoff_owner owner = {
	    w->index, m->commit_answer.session, m->commit_answer.transaction};

	(void)link;
	(void)fd;
	handoff_commit(w->links->handoff, &owner, m->commit_answer.go != 0);
}

/* The client never heard: what was taken for it is remembered. */
static void
on_undelivered(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct worker *w = ctx;
	struct handoff_owner owner = {w->index, m->undelivered.session, m->undelivered.transaction};
	struct recent *recent = w->links->recent;

	(void)link;
	(void)fd;
	if (recent != NULL && recent_undelivered(recent, &owner, loop_now(w->links->loop)))
		count(COUNT_remembered);
}

static void
on_recall_used(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct worker *w = ctx;
	struct links *l = w->links;

	(void)link;
	(void)fd;
	for (size_t i = 0; i < LINKS_WORKERS; i++)
		if (l->workers[i] != NULL && l->workers[i] != w && l->workers[i]->link != NULL)
			link_send(l->workers[i]->link, MSG_recall_used, &m->recall_used, -1);
}

static void
worker_down(struct worker *w)
{
	handoff_worker_lost(w->links->handoff, w->index);
	if (w->links->recent != NULL)
		recent_worker_lost(w->links->recent, w->index, loop_now(w->links->loop));
	link_free(&w->link);
}

static void
on_smtpd_lost(void *ctx, struct link *link)
{
	struct worker *w = ctx;

	/* An older one that was replaced is freed already. */
	if (w->link == link)
		worker_down(w);
}

static const struct link_handler smtpd_handlers[] = {
    {MSG_commit_answer, on_commit_answer},
    {MSG_undelivered, on_undelivered},
    {MSG_recall_used, on_recall_used},
};

static const struct link_role smtpd_role = {
    .self = PROGRAM_QUEUE_HANDOFF,
    .peer = PROGRAM_SMTPD,
    .handlers = smtpd_handlers,
    .handler_count = sizeof(smtpd_handlers) / sizeof(smtpd_handlers[0]),
    .on_lost = on_smtpd_lost,
};

/* ---- from validators --------------------------------------------------------------------------- */

/* Nobody is there to be told: the worker that took this message from its client has ended, and
 * its client knows. */
static void
deliver_orphan(const struct msg_deliver *m)
{
	struct log_line l;

	log_begin(&l, EVENT_owner_gone);
	log_span(&l, "id", m->id);
	log_u64(&l, "worker", m->worker);
	log_end(&l);
}

static void
deliver_end(struct links *l, const struct msg_deliver *m, enum handoff_outcome outcome)
{
	static const enum handoff_counter counters[] = {
	    [HANDOFF_BUSY] = COUNT_busy,
	    [HANDOFF_GRANT] = COUNT_bad_grant,
	    [HANDOFF_INTERNAL] = COUNT_internal,
	    [HANDOFF_TAKEN_BEFORE] = COUNT_taken_before,
	};
	struct handoff_owner owner = {m->worker, m->session, m->transaction};

	count(counters[outcome]);
	port_tell(l, &owner, outcome);
}

static void
on_deliver(void *ctx, struct link *link, const union msg *msg, int *fd)
{
	struct links *l = ctx;
	const struct msg_deliver *m = &msg->deliver;
	struct worker *w = l->workers[m->worker];
	enum handoff_outcome outcome = HANDOFF_BUSY;

	(void)link;
	count(COUNT_handoffs);
	if (w == NULL || !link_alive(w->link) || w->instance != m->instance) {
		deliver_orphan(m);
		return;
	}
	if (l->draining ||
	    !deliver_start(l->deliver, m, w->window, fd, loop_now(l->loop), &outcome))
		deliver_end(l, m, outcome);
}

/* Hand-offs that run go on: they have all that they need. */
static void
on_validators_lost(void *ctx, struct link *link)
{
	struct links *l = ctx;

	if (l->validators == link)
		link_free(&l->validators);
}

static const struct link_handler validators_handlers[] = {
    {MSG_deliver, on_deliver},
};

static const struct link_role validators_role = {
    .self = PROGRAM_QUEUE_HANDOFF,
    .peer = PROGRAM_VALIDATORS,
    .handlers = validators_handlers,
    .handler_count = sizeof(validators_handlers) / sizeof(validators_handlers[0]),
    .on_lost = on_validators_lost,
};

/* ---- life -------------------------------------------------------------------------------------- */

struct links *
links_new(struct loop *loop)
{
	struct links *l = calloc(1, sizeof(*l));

	if (l != NULL) {
		l->loop = loop;
		l->port = (struct handoff_port){l, port_ask, port_run, port_recall, port_tell};
	}
	return l;
}

void
links_free(struct links **links)
{
	struct links *l = *links;

	*links = NULL;
	if (l == NULL)
		return;
	link_free(&l->validators);
	link_free(&l->helper);
	for (size_t i = 0; i < LINKS_WORKERS; i++) {
		if (l->workers[i] == NULL)
			continue;
		link_free(&l->workers[i]->link);
		grants_window_free(&l->workers[i]->window);
		free(l->workers[i]);
	}
	free(l);
}

void
links_connect(struct links *l, struct handoff *h, struct deliver *d)
{
	l->handoff = h;
	l->deliver = d;
}

void
links_use(struct links *l, const struct backends *backends, struct recent *recent)
{
	l->backends = backends;
	l->recent = recent;
}

const struct handoff_port *
links_port(struct links *l)
{
	return &l->port;
}

static struct worker *
worker_new(struct links *l, unsigned index)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->links = l;
	w->index = index;
	w->window = grants_window_new();
	if (w->window == NULL) {
		free(w);
		return NULL;
	}
	l->workers[index] = w;
	return w;
}

int
links_add_smtpd(struct links *l, unsigned index, uint32_t instance, int fd)
{
	struct worker *w = index < LINKS_WORKERS ? l->workers[index] : NULL;

	if (w == NULL && index < LINKS_WORKERS)
		w = worker_new(l, index);
	if (w == NULL) {
		close(fd);
		return -1;
	}
	if (w->link != NULL)
		worker_down(w);
	if (instance != w->instance)
		grants_window_reset(w->window);
	w->instance = instance;
	w->link = link_new(l->loop, fd, &smtpd_role, w);
	if (w->link == NULL)
		return -1;
	for (size_t i = 0; l->backends != NULL && i < l->backends->count; i++)
		if (health_group_is_down(&l->backends->groups[i]))
			group_state_send(w->link, &l->backends->groups[i]);
	return 0;
}

int
links_add_validators(struct links *l, int fd)
{
	link_free(&l->validators);
	l->validators = link_new(l->loop, fd, &validators_role, l);
	return l->validators != NULL ? 0 : -1;
}

int
links_add_helper(struct links *l, int fd)
{
	link_free(&l->helper);
	l->helper = link_new(l->loop, fd, &helper_role, l);
	return l->helper != NULL ? 0 : -1;
}

void
links_drain(struct links *l)
{
	l->draining = true;
}

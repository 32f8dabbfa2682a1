#include "validators/dispatcher.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"

#include "validators/counters.h"
#include "validators/judge.h"

/* ---- smtpd ----------------------------------------------------------------------------------- */

static void
on_envelope(void *ctx, struct link *link, const union msg *m, int *fd)
{
	(void)link;
	(void)fd;
	judge_envelope(ctx, &m->envelope);
}

static void
on_envelope_drop(void *ctx, struct link *link, const union msg *m, int *fd)
{
	(void)link;
	(void)fd;
	judge_drop(ctx, &m->envelope_drop);
}

static void
on_arrival(void *ctx, struct link *link, const union msg *m, int *fd)
{
	(void)link;
	(void)fd;
	judge_arrival(ctx, &m->arrival);
}

static void
on_submit(void *ctx, struct link *link, const union msg *m, int *fd)
{
	(void)link;
	judge_submit(ctx, &m->submit, fd);
}

static void
drain_check(struct dispatcher *d)
{
	if (!d->draining)
		return;
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (d->workers[i].link != NULL)
			return;
	d->draining = false;
	d->drained(d->arg);
}

static void
on_worker_lost(void *ctx, struct link *link)
{
	struct worker *worker = ctx;

	(void)link;
	judge_worker_lost(worker);
	link_free(&worker->link);
	drain_check(worker->dispatcher);
}

static const struct link_handler worker_handlers[] = {
    {MSG_submit, on_submit},
    {MSG_envelope, on_envelope},
    {MSG_envelope_drop, on_envelope_drop},
    {MSG_arrival, on_arrival},
};

static const struct link_role worker_role = {
    .self = PROGRAM_VALIDATORS,
    .peer = PROGRAM_SMTPD,
    .handlers = worker_handlers,
    .handler_count = sizeof(worker_handlers) / sizeof(worker_handlers[0]),
    .on_lost = on_worker_lost,
};

/* ---- queue-handoff --------------------------------------------------------------------------- */

static void
on_handoff_lost(void *ctx, struct link *link)
{
	struct dispatcher *d = ctx;

	(void)link;
	link_free(&d->handoff);
}

static const struct link_role handoff_role = {
    .self = PROGRAM_VALIDATORS,
    .peer = PROGRAM_QUEUE_HANDOFF,
    .on_lost = on_handoff_lost,
};

/* ---- resolverd ------------------------------------------------------------------------------- */

static void
resolver_drop(struct dispatcher *d)
{
	link_free(&d->resolver);
	d->questions.resolver = NULL;
	questions_resolver_lost(&d->questions);
}

static void
on_dns_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct dispatcher *d = ctx;

	(void)link;
	(void)fd;
	questions_answer(&d->questions, &m->dns_answer);
}

static void
on_resolver_lost(void *ctx, struct link *link)
{
	(void)link;
	resolver_drop(ctx);
}

static const struct link_handler resolver_handlers[] = {
    {MSG_dns_answer, on_dns_answer},
};

static const struct link_role resolver_role = {
    .self = PROGRAM_VALIDATORS,
    .peer = PROGRAM_RESOLVERD,
    .handlers = resolver_handlers,
    .handler_count = sizeof(resolver_handlers) / sizeof(resolver_handlers[0]),
    .on_lost = on_resolver_lost,
};

/* ---- the zygote ------------------------------------------------------------------------------ */

static void
zygote_drop(struct dispatcher *d)
{
	link_free(&d->zygote);
	d->jobs.processes.zygote = NULL;
	processes_zygote_lost(&d->jobs.processes);
}

static void
on_child_gone(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct dispatcher *d = ctx;

	(void)link;
	(void)fd;
	processes_child_gone(&d->jobs.processes, m->child_gone.serial, m->child_gone.status);
}

static void
on_zygote_alive(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct dispatcher *d = ctx;

	(void)link;
	(void)m;
	(void)fd;
	processes_zygote_alive(&d->jobs.processes);
}

static void
on_zygote_lost(void *ctx, struct link *link)
{
	(void)link;
	zygote_drop(ctx);
}

/* One that lives ends itself without a link; the supervisor ends one that does not even notice. */
static void
on_zygote_hangs(void *arg)
{
	struct jobs *jobs = arg;
	struct dispatcher *d =
	    (struct dispatcher *)(void *)((char *)jobs - offsetof(struct dispatcher, jobs));

	log_event1(EVENT_zygote_hangs, "peer", program_name(PROGRAM_VALIDATOR));
	zygote_drop(d);
	if (d->zygote_hangs != NULL)
		d->zygote_hangs(d->hangs_arg);
}

static const struct link_handler zygote_handlers[] = {
    {MSG_child_gone, on_child_gone},
    {MSG_zygote_alive, on_zygote_alive},
};

static const struct link_role zygote_role = {
    .self = PROGRAM_VALIDATORS,
    .peer = PROGRAM_VALIDATOR,
    .handlers = zygote_handlers,
    .handler_count = sizeof(zygote_handlers) / sizeof(zygote_handlers[0]),
    .on_lost = on_zygote_lost,
};

/* ---- new links ------------------------------------------------------------------------------- */

static int
take_worker(struct dispatcher *d, unsigned index, uint32_t instance, int fd)
{
	struct worker *worker;

	if (index >= WORKERS_MAX) {
		close(fd);
		return -1;
	}
	worker = &d->workers[index];
	judge_worker_lost(worker);
	link_free(&worker->link);
	worker->instance = instance;
	worker->link = link_new(d->loop, fd, &worker_role, worker);
	return worker->link != NULL ? 0 : -1;
}

static int
take_handoff(struct dispatcher *d, int fd)
{
	link_free(&d->handoff);
	d->handoff = link_new(d->loop, fd, &handoff_role, d);
	return d->handoff != NULL ? 0 : -1;
}

static int
take_resolver(struct dispatcher *d, int fd)
{
	resolver_drop(d);
	d->resolver = link_new(d->loop, fd, &resolver_role, d);
	d->questions.resolver = d->resolver;
	if (d->resolver != NULL)
		clients_resolver_up(&d->clients);
	return d->resolver != NULL ? 0 : -1;
}

static int
take_zygote(struct dispatcher *d, int fd)
{
	zygote_drop(d);
	d->zygote = link_new(d->loop, fd, &zygote_role, d);
	d->jobs.processes.zygote = d->zygote;
	return d->zygote != NULL ? 0 : -1;
}

int
dispatcher_take_peer(
    struct dispatcher *d, enum program_id peer, unsigned index, uint32_t instance, int fd)
{
	if (peer == PROGRAM_SMTPD)
		return take_worker(d, index, instance, fd);
	if (peer == PROGRAM_QUEUE_HANDOFF)
		return take_handoff(d, fd);
	if (peer == PROGRAM_RESOLVERD)
		return take_resolver(d, fd);
	if (peer == PROGRAM_VALIDATOR)
		return take_zygote(d, fd);
	close(fd);
	return -1;
}

/* ---- life ------------------------------------------------------------------------------------ */

static size_t
message_checks(const struct conf *conf)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->limits.message_checks > 0)
		return (size_t)conf->limits.message_checks;
	return processors > 0 ? 2 * (size_t)processors : 2;
}

struct dispatcher *
dispatcher_new(struct loop *loop, const struct conf *conf)
{
	struct dispatcher *d = calloc(1, sizeof(*d));
	size_t bad;

	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->conf = conf;
	network_list_parse(&conf->dmarc.trusted_forwarders, &d->forwarders, &bad);
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		d->workers[i].dispatcher = d;
		d->workers[i].index = i;
	}
	d->foresight_ms = FORESIGHT_MS;
	questions_init(&d->questions, loop, conf->dns.timeout * 1000);
	fingerprints_init(&d->fingerprints, loop);
	clients_init(&d->clients, loop, conf, &d->questions);
	network_list_parse(
	    &conf->top.trusted_relays, &d->trusted_relays, &bad); /* checked before */
	jobs_init(&d->jobs, loop, &d->questions, &judge_hooks, message_checks(conf),
	    conf->limits.messages_per_process);
	d->jobs.notes = conf->top.log_checks;
	d->jobs.processes.zygote_hangs = on_zygote_hangs;
	return d;
}

void
dispatcher_free(struct dispatcher **d_at)
{
	struct dispatcher *d = *d_at;

	*d_at = NULL;
	if (d == NULL)
		return;
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		judge_worker_lost(&d->workers[i]);
		link_free(&d->workers[i].link);
	}
	link_free(&d->handoff);
	resolver_drop(d);
	zygote_drop(d);
	clients_clear(&d->clients);
	fingerprints_clear(&d->fingerprints);
	jobs_clear(&d->jobs);
	free(d);
}

void
dispatcher_drain(struct dispatcher *d, void (*drained)(void *arg), void *arg)
{
	d->draining = true;
	d->drained = drained;
	d->arg = arg;
	drain_check(d);
}

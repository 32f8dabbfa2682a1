#include "tlsd/tlsd.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/bug.h"

static void
on_tls_start(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct tlsd_worker *w = ctx;
	int client = *fd;

	(void)link;
	*fd = -1;
	if (w->tlsd->draining)
		session_refuse(&w->list, m->tls_start.session, client, "draining");
	else
		session_start(&w->tlsd->pool, &w->list, m->tls_start.session, client);
}

/* Who would read the plain side is gone. */
static void
on_worker_lost(void *ctx, struct link *link)
{
	struct tlsd_worker *w = ctx;

	if (link != w->list.link)
		return;
	link_free(&w->list.link);
	session_end_all(&w->list);
}

static const struct link_handler handlers[] = {{MSG_tls_start, on_tls_start}};

static const struct link_role role = {
    .self = PROGRAM_TLSD,
    .peer = PROGRAM_SMTPD,
    .handlers = handlers,
    .handler_count = sizeof(handlers) / sizeof(handlers[0]),
    .on_lost = on_worker_lost,
};

int
tlsd_worker_peer(struct tlsd *t, unsigned index, int fd)
{
	struct tlsd_worker *w;

	BUG_ON(index >= TLSD_WORKERS_MAX);
	w = t->workers[index];
	if (w == NULL)
		w = t->workers[index] = calloc(1, sizeof(*w));
	if (w == NULL) {
		close(fd);
		return -1;
	}
	w->tlsd = t;
	session_end_all(&w->list);
	link_free(&w->list.link);
	w->list.link = link_new(t->loop, fd, &role, w);
	return w->list.link != NULL ? 0 : -1;
}

void
tlsd_drain(struct tlsd *t, void (*on_empty)(void *arg), void *arg)
{
	t->draining = true;
	t->pool.on_empty = on_empty;
	t->pool.arg = arg;
	if (t->pool.count == 0)
		on_empty(arg);
}

/* A session over the limit of descriptors would fail half-way. */
static size_t
sessions_that_fit(size_t sessions)
{
	struct rlimit limit;
	size_t fit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return sessions;
	if (limit.rlim_cur < TLSD_OTHER_DESCRIPTORS + TLSD_SESSION_DESCRIPTORS)
		return 1;
	fit = (size_t)(limit.rlim_cur - TLSD_OTHER_DESCRIPTORS) / TLSD_SESSION_DESCRIPTORS;
	return sessions < fit ? sessions : fit;
}

int
tlsd_init(struct tlsd *t, struct loop *loop, uint64_t handshake_timeout_ms, size_t sessions)
{
	t->loop = loop;
	signer_init(&t->signer, loop);
	certificate_init(&t->certificates, loop, &t->signer);
	t->pool.loop = loop;
	t->pool.certificates = &t->certificates;
	t->pool.handshake_timeout_ms = handshake_timeout_ms;
	t->pool.most = sessions_that_fit(sessions);
	return tls_engine_init(signer_sign, &t->signer);
}

void
tlsd_clear(struct tlsd *t)
{
	for (size_t i = 0; i < TLSD_WORKERS_MAX; i++) {
		if (t->workers[i] == NULL)
			continue;
		session_end_all(&t->workers[i]->list);
		link_free(&t->workers[i]->list.link);
		free(t->workers[i]);
		t->workers[i] = NULL;
	}
	certificate_clear(&t->certificates);
	signer_clear(&t->signer);
}

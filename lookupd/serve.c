#include "lookupd/serve.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/bug.h"

#include "lookupd/counters.h"
#include "lookupd/fault.h"
#include "lookupd/serve_parts.h"

/* ---- questions ---------------------------------------------------------------------------------- */

static void
count_verdict(enum rcpt_verdict verdict)
{
	static const enum lookupd_counter counter_of[] = {
	    [RCPT_ACCEPTED] = LOOKUPD_COUNT_accepted,
	    [RCPT_UNKNOWN_USER] = LOOKUPD_COUNT_unknown_user,
	    [RCPT_UNKNOWN_DOMAIN] = LOOKUPD_COUNT_unknown_domain,
	    [RCPT_REFUSED] = LOOKUPD_COUNT_refused,
	    [RCPT_DEFERRED] = LOOKUPD_COUNT_deferred,
	    [RCPT_TROUBLE] = LOOKUPD_COUNT_trouble,
	};

	lookupd_counters[counter_of[verdict]].value++;
}

static void worker_free(struct worker *w);

static void
on_rcpt_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct worker *w = ctx;
	BUF_ROOM struct address asked;
	BUF_ROOM struct finding f;
	struct msg_rcpt_answer answer = {
	    .session = m->rcpt_ask.session,
	    .transaction = m->rcpt_ask.transaction,
	    .verdict = RCPT_TROUBLE,
	};

	(void)fd;
	f.s = w->serve;
	f.asked = &asked;
	LOOKUPD_COUNT(questions)++;
	/* Row 271: smtpd has parsed it; what is none here is no question. */
	if (address_from_inside(m->rcpt_ask.address, &asked) != ADDRESS_OK)
		LOOKUPD_COUNT(malformed)++;
	else
		serve_decide(w, &f, &answer);
	count_verdict((enum rcpt_verdict)answer.verdict);
	/* Answers are matched by their order: one that cannot be sent ends the link. */
	if (!link_send(link, MSG_rcpt_answer, &answer, -1))
		worker_free(w);
}

/* ---- workers ------------------------------------------------------------------------------------ */

/*
 * Row 269: what the worker was granted by another database it asks for again. When it cannot be
 * sent, nor can an answer, which ends the link.
 */
static void
tell_generation(const struct worker *w)
{
	struct msg_generation m;

	if (w->serve->db == NULL)
		return;
	m.generation = serve_generation(w->serve);
	link_send(w->link, MSG_generation, &m, -1);
}

static void
worker_free(struct worker *w)
{
	struct serve *s = w->serve;

	link_free(&w->link);
	s->workers[w->index] = NULL;
	s->worker_count--;
	free(w);
	if (s->draining && s->worker_count == 0)
		s->on_idle(s->arg);
}

static void
on_lost(void *ctx, struct link *link)
{
	(void)link;
	worker_free(ctx);
}

static const struct link_handler handlers[] = {
    {MSG_rcpt_ask, on_rcpt_ask},
};

static const struct link_role role = {
    .self = PROGRAM_LOOKUPD,
    .peer = PROGRAM_SMTPD,
    .handlers = handlers,
    .handler_count = sizeof(handlers) / sizeof(handlers[0]),
    .on_lost = on_lost,
};

int
serve_peer(struct serve *s, unsigned index, uint32_t instance, int fd)
{
	struct worker *w = calloc(1, sizeof(*w));

	BUG_ON(index >= SERVE_WORKERS);
	if (w == NULL) {
		close(fd);
		return -1;
	}
	w->link = link_new(s->loop, fd, &role, w);
	if (w->link == NULL) {
		free(w);
		return -1;
	}
	w->serve = s;
	w->index = index;
	w->instance = instance;
	bucket_init(&w->misses, s->conf->limits.unknown_rate,
	    s->conf->limits.unknown_rate * SERVE_BURST_S, loop_now(s->loop));
	s->worker_count++;
	if (s->workers[index] != NULL)
		worker_free(s->workers[index]);
	s->workers[index] = w;
	tell_generation(w);
	return 0;
}

void
serve_tell_all(const struct serve *s)
{
	for (size_t i = 0; i < SERVE_WORKERS; i++)
		if (s->workers[i] != NULL)
			tell_generation(s->workers[i]);
}

/* ---- life --------------------------------------------------------------------------------------- */

int
serve_init(struct serve *s, struct loop *loop, const struct conf *conf)
{
	const char *postmaster = conf->top.postmaster;

	s->loop = loop;
	s->conf = conf;
	s->previous_fd = -1;
	if (fault_init() < 0)
		return -1;
	s->has_postmaster = postmaster != NULL;
	if (postmaster == NULL)
		return 0;
	if (address_parse_forward(span_str(postmaster), &s->postmaster) != ADDRESS_OK ||
	    address_domain(&s->postmaster).len == 0)
		return -1;
	return 0;
}

int
serve_set_key(struct serve *s, const uint8_t key[GRANT_KEY_LEN])
{
	s->key = grant_key_new(key);
	return s->key != NULL ? 0 : -1;
}

void
serve_drain(struct serve *s)
{
	s->draining = true;
	if (s->worker_count == 0)
		s->on_idle(s->arg);
}

void
serve_gauges(const struct serve *s)
{
	if (s->db == NULL)
		return;
	LOOKUPD_COUNT(generation) = s->db->header.generation;
	LOOKUPD_COUNT(recipients) = s->db->header.recipients;
	LOOKUPD_COUNT(domains) = s->db->header.domains;
	LOOKUPD_COUNT(database_octets) = s->db->len;
	LOOKUPD_COUNT(database_built) = s->db->header.built;
	LOOKUPD_COUNT(overlay_entries) = s->overlay != NULL ? s->overlay->count : 0;
}

void
serve_clear(struct serve *s)
{
	s->draining = false;
	for (size_t i = 0; i < SERVE_WORKERS; i++)
		if (s->workers[i] != NULL)
			worker_free(s->workers[i]);
	serve_files_clear(s);
	grant_key_free(&s->key);
}

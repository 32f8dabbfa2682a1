#include "resolverd/service.h"

#include <stdlib.h>

#include "resolverd/counters.h"

/* ---- places ---------------------------------------------------------------------------------- */

static struct service_question *
place_take(struct service *s)
{
	struct service_question *q = s->first_free;

	if (q == NULL)
		return NULL;
	s->first_free = q->next_free;
	q->used = true;
	gauge(COUNT_running, ++s->running);
	return q;
}

static void
place_give(struct service_question *q)
{
	struct service *s = q->service;

	timer_stop(&q->deadline);
	q->used = false;
	q->next_free = s->first_free;
	s->first_free = q;
	gauge(COUNT_running, --s->running);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void
tell_trouble(struct service *s, uint32_t query, enum dns_security security)
{
	struct msg_dns_answer out = {
	    .query = query, .status = DNS_TROUBLE, .security = (uint8_t)security, .asked = 1};

	link_send(s->asker, MSG_dns_answer, &out, -1);
}

static void
tell(const struct service_question *q, const struct packet_answer *a, enum dns_security security)
{
	struct service *s = q->service;
	struct msg_dns_answer out = {.query = q->query,
	    .status = (uint8_t)a->status,
	    .security = (uint8_t)security,
	    .ttl = a->ttl,
	    .asked = q->left};

	if (a->status != DNS_TROUBLE)
		traffic_note(&s->traffic, &q->name, q->type, a->ttl, loop_now(s->loop));

	out.records.count = a->count;
	out.records.encoded = buf_span(&a->encoded);
	link_send(s->asker, MSG_dns_answer, &out, -1);
}

static void
on_done(void *arg, struct span packet, enum dns_security security)
{
	static const enum count counts[] = {
	    [DNS_OK] = COUNT_answers_ok,
	    [DNS_NO_DATA] = COUNT_answers_no_data,
	    [DNS_NO_NAME] = COUNT_answers_no_name,
	    [DNS_TROUBLE] = COUNT_answers_trouble,
	    [DNS_UNUSABLE] = COUNT_answers_unusable,
	};
	struct service_question *q = arg;
	struct packet_answer answer;

	if (security == DNS_BOGUS) {
		/* It comes with its data, which nobody must see. */
		count(COUNT_bogus);
		tell_trouble(q->service, q->query, security);
	} else {
		packet_read(packet, &q->name, q->type, &answer);
		count(counts[answer.status]);
		tell(q, &answer, security);
	}
	if (q->charged && !q->left)
		traffic_return(&q->service->traffic, &q->name);
	place_give(q);
}

static void
on_late(void *arg)
{
	struct service_question *q = arg;

	count(COUNT_late);
	recursor_cancel(q->service->recursor, &q->asked);
	tell_trouble(q->service, q->query, DNS_INSECURE);
	place_give(q);
}

/* ---- questions ------------------------------------------------------------------------------- */

void
service_put_presentation(struct buf *b, struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_' || c == '.')
			buf_put_u8(b, c);
		else
			buf_printf(b, "\\%03u", c);
	}
	buf_put(b, ".", sizeof("."));
}

static bool
begin(struct service *s, struct service_question *q, const struct msg_dns_ask *ask)
{
	enum { ESCAPED = 4 };
	uint8_t room[ESCAPED * NAME_WIRE_MAX + 2];
	struct buf b = BUF_OVER(room);

	q->query = ask->query;
	q->type = ask->type;
	q->left = false;
	q->asked = (struct recursor_question){.done = on_done, .arg = q};
	service_put_presentation(&b, ask->name);
	if (b.full || timer_set(s->loop, &q->deadline, ask->timeout_ms, on_late, q) != 0)
		return false;
	if (!recursor_ask(s->recursor, (const char *)room, ask->type, &q->asked))
		return false;
	q->left = true;
	return true;
}

/* Out: *charged_out, to the budget of the zone. */
static bool
may_ask(struct service *s, const struct msg_dns_ask *ask, const struct packet_name *name,
    bool *charged_out)
{
	uint64_t now = loop_now(s->loop);

	*charged_out = !ask->own && !ask->known_only && traffic_spend(&s->traffic, name, now);
	if (*charged_out || ask->own || traffic_is_known(&s->traffic, name, ask->type, now))
		return true;
	count(ask->known_only ? COUNT_not_known : COUNT_zone_over_budget);
	return false;
}

static void
on_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	const struct msg_dns_ask *ask = &m->dns_ask;
	struct service *s = ctx;
	struct service_question *q = NULL;
	struct packet_name name;
	bool charged = false;

	(void)link;
	(void)fd;
	count(COUNT_questions);
	if (packet_type_ok(ask->type) && packet_name_parse(ask->name, &name) &&
	    may_ask(s, ask, &name, &charged))
		q = place_take(s);
	if (q == NULL) {
		count(COUNT_refused);
		tell_trouble(s, ask->query, DNS_INSECURE);
		return;
	}
	q->name = name;
	q->charged = charged;
	if (!begin(s, q, ask)) {
		count(COUNT_refused);
		tell_trouble(s, ask->query, DNS_INSECURE);
		place_give(q);
	}
}

/* ---- the asker ------------------------------------------------------------------------------- */

static void
asker_drop(struct service *s)
{
	link_free(&s->asker);
	for (size_t i = 0; i < SERVICE_QUESTIONS_MAX && s->running > 0; i++) {
		struct service_question *q = &s->questions[i];

		if (!q->used)
			continue;
		recursor_cancel(s->recursor, &q->asked);
		place_give(q);
	}
}

static void
on_asker_lost(void *ctx, struct link *link)
{
	struct service *s = ctx;

	(void)link;
	asker_drop(s);
	if (s->asker_gone != NULL)
		s->asker_gone(s->arg);
}

static const struct link_handler handlers[] = {
    {MSG_dns_ask, on_ask},
};

static const struct link_role role = {
    .self = PROGRAM_RESOLVERD,
    .peer = PROGRAM_VALIDATORS,
    .handlers = handlers,
    .handler_count = sizeof(handlers) / sizeof(handlers[0]),
    .on_lost = on_asker_lost,
};

int
service_take_asker(struct service *s, int fd)
{
	asker_drop(s);
	s->asker = link_new(s->loop, fd, &role, s);
	return s->asker != NULL ? 0 : -1;
}

struct service *
service_new(struct loop *loop, struct recursor *recursor)
{
	struct service *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->recursor = recursor;
	for (size_t i = SERVICE_QUESTIONS_MAX; i-- > 0;) {
		s->questions[i].service = s;
		s->questions[i].next_free = s->first_free;
		s->first_free = &s->questions[i];
	}
	return s;
}

void
service_free(struct service **s_at)
{
	struct service *s = *s_at;

	*s_at = NULL;
	if (s == NULL)
		return;
	asker_drop(s);
	free(s);
}

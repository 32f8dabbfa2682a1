#include "smtpd/intake.h"

#include "smtpd/counters.h"
#include "smtpd/recheck.h"
#include "smtpd/submission.h"
#include "smtpd/worker.h"

static bool
is_loop(const void *arg, uint64_t digest)
{
	return transaction_is_loop(arg, digest);
}

/*
 * The announced size was only looked at in MAIL: memory is charged when content comes, so that who
 * announces much and sends nothing takes nothing from anybody (row 309).
 */
bool
intake_begin(struct session *s)
{
	struct transaction *t = s->transaction;

	if (!budget_has(t->message.budget, t->declared_size) ||
	    !message_reserve(&t->message, MESSAGE_INLINE))
		return false;
	header_init(&t->header, (unsigned)s->worker->conf->limits.hops);
	if (t->knows_loops) {
		t->header.is_loop = is_loop;
		t->header.arg = t;
	}
	t->data_ms = s->worker->now_ms;
	return true;
}

void
intake_expect_more(struct session *s, uint64_t since_ms, uint64_t octets)
{
	const struct conf_limits *limits = &s->worker->conf->limits;
	uint64_t now = s->worker->now_ms;
	uint64_t began = s->transaction != NULL && s->transaction->data_ms > 0
	                     ? s->transaction->data_ms
	                     : since_ms;
	uint64_t at = now + worker_data_ms(s->worker);
	uint64_t rate = since_ms + SESSION_RATE_GRACE_MS + octets;
	uint64_t total = began + limits->data_total * 1000;

	if (rate < at)
		at = rate;
	if (total < at)
		at = total;
	session_expect_within(s, at > now ? at - now : 0);
}

/* ---- content ------------------------------------------------------------------------------ */

/* A message that will be refused is read to its end, but not kept. */
static bool
worth_keeping(const struct transaction *t)
{
	return !t->storage_failed && t->content.size <= t->size_limit && !t->content.bare_cr &&
	       !t->content.nul && !t->content.long_line && t->header.status <= HEADER_BODY;
}

static void
keep(struct session *s, struct span content)
{
	struct transaction *t = s->transaction;

	count_add(COUNT_octets, content.len);
	t->stored += content.len;
	header_feed(&t->header, content);
	if (worth_keeping(t) && message_put(&t->message, content))
		return;
	if (worth_keeping(t))
		t->storage_failed = true;
	message_clear(&t->message);
}

size_t
intake_feed(struct session *s, struct span in, bool *end_out)
{
	struct span part = span_head(in, INPUT_LARGE);
	struct buf out = buf_over(s->worker->outbox, WORKER_OUTBOX);
	size_t used;

	*end_out = content_feed(&s->transaction->content, part, &out, &used) == CONTENT_END;
	keep(s, buf_span(&out));
	return used;
}

/* ---- judgement ---------------------------------------------------------------------------- */

static bool
rejects_bare_lf(const struct session *s)
{
	const struct worker *w = s->worker;

	if (network_list_contains(&w->bare_lf_reject, &s->client))
		return true;
	return w->conf->top.bare_lf == CONF_BARE_LF_REJECT &&
	       !network_list_contains(&w->bare_lf_normalize, &s->client);
}

/*
 * What is wrong, in an order that does not depend on how the content was cut into segments. What
 * the sender must change comes before what is our trouble.
 */
enum reply_id
intake_complaint(const struct session *s)
{
	const struct transaction *t = s->transaction;
	const enum content_fault fault = content_fault(&t->content, rejects_bare_lf(s));
	const struct {
		bool wrong;
		enum reply_id reply;
	} checks[] = {
	    {t->content.size > t->size_limit, REPLY_too_large},
	    {fault == CONTENT_BARE_CR, REPLY_content_bare_cr},
	    {fault == CONTENT_BARE_LF, REPLY_content_bare_lf},
	    {fault == CONTENT_UNENDED, REPLY_content_unended},
	    {t->ended && t->stored == 0, REPLY_content_empty},
	    {t->header.status == HEADER_MALFORMED, REPLY_header_malformed},
	    {t->header.status == HEADER_LOOP, REPLY_loop},
	    {t->header.status == HEADER_TOO_LARGE, REPLY_header_too_large},
	    {t->content.long_line, REPLY_content_long_line},
	    {t->storage_failed, REPLY_content_no_storage},
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i].wrong)
			return checks[i].reply;
	return REPLY_NONE;
}

/* Only chunks leave anything to finish. */
static void
finish_content(struct session *s)
{
	struct transaction *t = s->transaction;
	uint8_t room[2];
	struct buf out = BUF_OVER(room);

	content_finish(&t->content, &out);
	keep(s, buf_span(&out));
	header_finish(&t->header);
}

void
intake_end(struct session *s)
{
	struct transaction *t = s->transaction;
	enum reply_id complaint;

	t->end_ms = s->worker->now_ms;
	t->ended = true;
	s->messages++;
	finish_content(s);
	gauge(COUNT_message_memory, s->worker->budget.used);
	complaint = intake_complaint(s);
	if (complaint != REPLY_NONE)
		submission_refuse(s, complaint);
	else if (recheck_needed(s))
		recheck_begin(s);
	else
		submission_begin(s);
}

#include "smtpd/data.h"

#include "smtpd/counters.h"
#include "smtpd/recheck.h"
#include "smtpd/submission.h"
#include "smtpd/worker.h"

void
data_begin(struct session *s)
{
	struct transaction *t = s->transaction;
	const struct conf_limits *limits = &s->worker->conf->limits;

	if (!message_reserve(&t->message, MESSAGE_INLINE)) {
		session_reply(s, REPLY_no_storage);
		return;
	}
	content_init(&t->content, DATA_LINE_MAX);
	header_init(&t->header, (unsigned)limits->hops);
	t->data_ms = s->worker->now_ms;
	state_set(s, STATE_CONTENT);
	session_expect_within(s, limits->data_timeout * 1000);
	session_reply(s, REPLY_go_ahead);
}

/* The nearest of: silence, the minimum rate of one octet in a millisecond, the total. */
static void
expect_more(struct session *s)
{
	const struct transaction *t = s->transaction;
	const struct conf_limits *limits = &s->worker->conf->limits;
	uint64_t now = s->worker->now_ms;
	uint64_t at = now + limits->data_timeout * 1000;
	uint64_t rate = t->data_ms + SESSION_RATE_GRACE_MS + t->content.size;
	uint64_t total = t->data_ms + limits->data_total * 1000;

	if (rate < at)
		at = rate;
	if (total < at)
		at = total;
	session_expect_within(s, at > now ? at - now : 0);
}

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

/*
 * What is wrong with the whole content, in an order that does not depend on how it was cut
 * into segments. What the sender must change comes before what is our trouble.
 */
static enum reply_id
judge(const struct transaction *t, bool reject_bare_lf)
{
	const struct {
		bool wrong;
		enum reply_id reply;
	} checks[] = {
	    {t->content.size > t->size_limit, REPLY_too_large},
	    {t->content.bare_cr || t->content.nul, REPLY_content_bare_cr},
	    {t->content.bare_lf && reject_bare_lf, REPLY_content_bare_lf},
	    {t->stored == 0, REPLY_content_empty},
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

static void
on_end_of_data(struct session *s)
{
	struct transaction *t = s->transaction;
	bool reject_bare_lf = s->worker->conf->top.bare_lf == CONF_BARE_LF_REJECT;
	enum reply_id complaint;

	t->end_ms = s->worker->now_ms;
	s->messages++;
	gauge(COUNT_message_memory, s->worker->budget.used);
	header_finish(&t->header);
	complaint = judge(t, reject_bare_lf);
	if (complaint != REPLY_NONE)
		submission_refuse(s, complaint);
	else if (recheck_needed(s))
		recheck_begin(s);
	else
		submission_begin(s);
}

size_t
data_take(struct session *s, struct span in)
{
	struct transaction *t = s->transaction;
	struct span chunk = span_head(in, INPUT_LARGE);
	struct buf out = buf_over(s->worker->outbox, WORKER_OUTBOX);
	enum content_status status;
	size_t used;

	status = content_feed(&t->content, chunk, &out, &used);
	keep(s, buf_span(&out));
	if (status == CONTENT_END) {
		on_end_of_data(s);
	} else if (t->content.size > 2 * t->size_limit) {
		/* It would go on for ever (row 163). */
		submission_refuse(s, REPLY_far_too_large);
	} else {
		expect_more(s);
	}
	return used;
}

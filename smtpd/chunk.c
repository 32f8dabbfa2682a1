#include "smtpd/chunk.h"

#include "smtpd/intake.h"
#include "smtpd/submission.h"
#include "smtpd/worker.h"

/* ---- the end of a chunk ------------------------------------------------------------------------ */

/* The reply to a chunk that is not taken. The message, if there is one, ends with it. */
static void
refuse(struct session *s, enum reply_id id)
{
	if (s->transaction != NULL) {
		s->messages++;
		s->transaction->end_ms = s->worker->now_ms;
		submission_refuse(s, id);
		return;
	}
	if (s->state == STATE_CHUNK)
		state_set(s, s->chunk.back);
	session_expect_within(s, worker_command_ms(s->worker));
	session_reply(s, id);
}

/* More chunks are to come. */
static void
expect_next(struct session *s)
{
	uint8_t digits[20];
	struct buf b = BUF_OVER(digits);

	buf_put_decimal(&b, s->chunk.size);
	state_set(s, STATE_PARTIAL);
	session_expect_within(s, worker_command_ms(s->worker));
	session_reply_with(s, REPLY_chunk_ok, &(struct reply_details){.argument = buf_span(&b)});
}

static void
on_end_of_chunk(struct session *s)
{
	enum reply_id complaint = s->chunk.refusal;

	if (complaint == REPLY_NONE && s->chunk.last) {
		intake_end(s);
		return;
	}
	if (complaint == REPLY_NONE)
		complaint = intake_complaint(s);
	if (complaint != REPLY_NONE)
		refuse(s, complaint);
	else
		expect_next(s);
}

/* ---- octets --------------------------------------------------------------------------------------- */

size_t
chunk_take(struct session *s, struct span in)
{
	struct chunk *c = &s->chunk;
	size_t n = in.len < c->left ? in.len : (size_t)c->left;
	bool end;

	if (c->refusal == REPLY_NONE)
		n = intake_feed(s, span_head(in, n), &end);
	c->left -= n;
	if (c->left == 0)
		on_end_of_chunk(s);
	else
		intake_expect_more(s, c->begun_ms, c->size - c->left);
	return n;
}

/* ---- BDAT ---------------------------------------------------------------------------------------- */

/* Whether the octets can be taken. Returns: REPLY_NONE, or what is said after they have been thrown away. */
static enum reply_id
check(struct session *s, uint64_t size)
{
	struct transaction *t = s->transaction;

	if (t == NULL || !s->esmtp)
		return REPLY_bad_sequence;
	if (s->state == STATE_MAIL)
		return t->tried > 0 ? REPLY_no_recipients : REPLY_bad_sequence;
	if (t->content.size > t->size_limit || size > t->size_limit - t->content.size)
		return REPLY_too_large;
	if (s->state == STATE_PARTIAL)
		return REPLY_NONE;
	if (!intake_begin(s))
		return REPLY_no_storage;
	content_init_chunks(&t->content, INTAKE_LINE_MAX);
	return REPLY_NONE;
}

/* What nobody waits for the end of (row 178). */
static bool
is_far_too_large(const struct session *s, uint64_t size)
{
	uint64_t most = 2 * s->worker->conf->limits.message_size;
	uint64_t taken = s->transaction != NULL ? s->transaction->content.size : 0;

	return size > most || taken > most - size;
}

void
chunk_begin(struct session *s, uint64_t size, bool last)
{
	struct chunk chunk = {.size = size,
	    .left = size,
	    .last = last,
	    .begun_ms = s->worker->now_ms,
	    .back = s->state};

	if (is_far_too_large(s, size)) {
		s->unread = true;
		s->chunk = chunk;
		refuse(s, REPLY_far_too_large);
		return;
	}
	chunk.refusal = check(s, size);
	s->chunk = chunk;
	state_set(s, STATE_CHUNK);
	if (size == 0)
		on_end_of_chunk(s);
	else
		intake_expect_more(s, chunk.begun_ms, 0);
}

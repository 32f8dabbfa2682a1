#include "queue-handoff/smtp.h"

#include "lib/address.h"

#include "queue-handoff/parts.h"

/* ---- what the server offers -------------------------------------------------------------------- */

/* RFC 5321 4.1.1.1: ehlo-line = ehlo-keyword *( SP ehlo-param ) */
static void
offer_take(struct smtp_offer *o, struct span line)
{
	struct span keyword = span_head(line, span_find(line, ' '));
	struct span param = span_from(line, keyword.len + 1);

	if (span_eq_nocase(keyword, SPAN("PIPELINING")))
		o->pipelining = true;
	else if (span_eq_nocase(keyword, SPAN("8BITMIME")))
		o->eight_bit = true;
	else if (span_eq_nocase(keyword, SPAN("SMTPUTF8")))
		o->smtputf8 = true;
	else if (span_eq_nocase(keyword, SPAN("SIZE"))) {
		o->has_size = true;
		if (!span_decimal(param, UINT64_MAX, &o->size))
			o->size = 0;
	}
}

const char *
smtp_unable(const struct smtp_offer *o, const struct smtp_task *t)
{
	if (o->has_size && o->size > 0 && t->size > o->size)
		return "size-offered";
	if (t->smtputf8 && !o->smtputf8)
		return "no-smtputf8";
	if (t->eight_bit && !o->eight_bit)
		return "no-8bitmime";
	return NULL;
}

/* ---- what we say --------------------------------------------------------------------------------- */

static enum smtp_step
say_hello(struct smtp *s, const struct smtp_task *t, struct buf *say, const char *verb)
{
	buf_put_str(say, verb);
	buf_put_u8(say, ' ');
	buf_put_span(say, t->hostname);
	buf_put_str(say, "\r\n");
	s->offer = (struct smtp_offer){0};
	return SMTP_SAY;
}

static void
put_mail(const struct smtp *s, const struct smtp_task *t, struct span sender, struct buf *say)
{
	buf_put_str(say, "MAIL FROM:<");
	address_put_path(say, sender);
	buf_put_str(say, ">");
	if (s->offer.has_size) {
		buf_put_str(say, " SIZE=");
		buf_put_decimal(say, t->size);
	}
	if (t->eight_bit)
		buf_put_str(say, " BODY=8BITMIME");
	if (t->smtputf8)
		buf_put_str(say, " SMTPUTF8");
	buf_put_str(say, "\r\n");
}

static bool
put_rcpt(struct span recipient, struct buf *say)
{
	size_t before = say->len;

	buf_put_str(say, "RCPT TO:<");
	address_put_path(say, recipient);
	buf_put_str(say, ">\r\n");
	if (!say->full)
		return true;
	say->len = before;
	say->full = false;
	return false;
}

/* As many RCPTs as may go now. */
static enum smtp_step
say_recipients(struct smtp *s, struct buf *say)
{
	struct span rest = s->rest, recipient;

	while (envelope_next(&rest, &recipient) && put_rcpt(recipient, say)) {
		s->rest = rest;
		s->said++;
		if (!s->offer.pipelining)
			break;
	}
	return SMTP_SAY;
}

static enum smtp_step
say_envelope(struct smtp *s, const struct smtp_task *t, struct buf *say)
{
	struct span sender;

	s->stage = SMTP_ENVELOPE;
	if (smtp_unable(&s->offer, t) != NULL)
		return SMTP_UNABLE;
	s->rest = t->envelope;
	if (!envelope_next(&s->rest, &sender))
		return SMTP_BAD;
	put_mail(s, t, sender, say);
	s->said = 1;
	return s->offer.pipelining ? say_recipients(s, say) : SMTP_SAY;
}

static enum smtp_step
say_data(struct smtp *s, struct buf *say)
{
	s->stage = SMTP_DATA;
	buf_put_str(say, "DATA\r\n");
	return SMTP_SAY;
}

/* ---- what we hear, stage by stage -------------------------------------------------------------- */

/* One feed, passed around. */
struct hearing {
	struct smtp *s;
	const struct smtp_task *t;
	struct buf *say;
	smtp_on_answer *on_answer;
	void *ctx;
	enum answer_kind kind; /* of the reply; valid when it is 2xx, 4xx or 5xx */
};

static void
give(const struct hearing *h, unsigned first, unsigned end)
{
	struct answer a = {
	    .kind = h->kind,
	    .code = h->s->reply.code,
	    .status = smtp_reply_enhanced(&h->s->reply),
	    .text = smtp_reply_text(&h->s->reply),
	};

	h->on_answer(h->ctx, first, end, &a);
}

/* The end of a transaction that never came to its content. */
static enum smtp_step
stop(const struct hearing *h)
{
	h->s->stage = SMTP_OVER;
	h->s->refused = true;
	return SMTP_ANSWERED;
}

static enum smtp_step
stop_all(const struct hearing *h)
{
	give(h, 0, h->t->recipients);
	return stop(h);
}

/* A server that will not talk to us at all: another one may. */
static enum smtp_step
on_banner(const struct hearing *h)
{
	if (h->kind != ANSWER_TAKEN)
		return SMTP_LEAVING;
	h->s->stage = SMTP_HELLO;
	return say_hello(h->s, h->t, h->say, h->t->lmtp ? "LHLO" : "EHLO");
}

static enum smtp_step
on_hello(const struct hearing *h)
{
	if (h->kind == ANSWER_TAKEN)
		return say_envelope(h->s, h->t, h->say);
	if (h->kind == ANSWER_DEFERRED || h->t->lmtp)
		return SMTP_LEAVING;
	h->s->stage = SMTP_OLD_HELLO; /* RFC 5321 3.2 */
	return say_hello(h->s, h->t, h->say, "HELO");
}

static enum smtp_step
on_old_hello(const struct hearing *h)
{
	if (h->kind != ANSWER_TAKEN)
		return SMTP_LEAVING;
	return say_envelope(h->s, h->t, h->say);
}

static enum smtp_step
on_envelope(const struct hearing *h)
{
	struct smtp *s = h->s;

	if (s->heard++ == 0) {
		if (h->kind != ANSWER_TAKEN)
			return stop_all(h);
	} else if (h->kind != ANSWER_TAKEN) {
		give(h, s->heard - 2, s->heard - 1);
		s->refused = true;
	}
	if (s->heard < s->said)
		return SMTP_MORE;
	if (s->rest.len > 0)
		return say_recipients(s, h->say);
	return s->refused ? stop(h) : say_data(s, h->say);
}

static enum smtp_step
on_data(const struct hearing *h)
{
	if (h->s->reply.code == 354) {
		h->s->stage = SMTP_CONTENT;
		h->s->heard = 0;
		return SMTP_SEND;
	}
	return h->kind == ANSWER_TAKEN ? SMTP_BAD : stop_all(h);
}

/* RFC 2033 4.2: one reply for each recipient that was accepted, in their order. */
static enum smtp_step
on_content(const struct hearing *h)
{
	struct smtp *s = h->s;

	if (h->t->lmtp) {
		give(h, s->heard, s->heard + 1);
		if (++s->heard < h->t->recipients)
			return SMTP_MORE;
	} else
		give(h, 0, h->t->recipients);
	s->stage = SMTP_OVER;
	return SMTP_ANSWERED;
}

static enum smtp_step
on_over(const struct hearing *h)
{
	(void)h;
	return SMTP_BAD;
}

static enum smtp_step (*const on_reply[])(const struct hearing *h) = {
    [SMTP_BANNER] = on_banner,
    [SMTP_HELLO] = on_hello,
    [SMTP_OLD_HELLO] = on_old_hello,
    [SMTP_ENVELOPE] = on_envelope,
    [SMTP_DATA] = on_data,
    [SMTP_CONTENT] = on_content,
    [SMTP_OVER] = on_over,
};

/* A reply is complete. */
static enum smtp_step
reply_take(struct hearing *h)
{
	static const enum answer_kind kinds[6] = {
	    [2] = ANSWER_TAKEN, [4] = ANSWER_DEFERRED, [5] = ANSWER_REFUSED};
	unsigned code = h->s->reply.code;

	if (code == 421)
		return SMTP_LEAVING;
	if (code / 100 == 3 && !(h->s->stage == SMTP_DATA && code == 354))
		return SMTP_BAD;
	h->kind = kinds[code / 100];
	return on_reply[h->s->stage](h);
}

void
smtp_begin(struct smtp *s)
{
	s->stage = SMTP_BANNER;
	s->offer = (struct smtp_offer){0};
	s->refused = false;
	s->said = s->heard = 0;
	smtp_reply_init(&s->reply);
}

enum smtp_step
smtp_begin_again(
    struct smtp *s, const struct smtp_offer *offer, const struct smtp_task *t, struct buf *say)
{
	smtp_begin(s);
	s->offer = *offer;
	return say_envelope(s, t, say);
}

enum smtp_step
smtp_feed(struct smtp *s, const struct smtp_task *t, struct span in, size_t *used_out,
    struct buf *say, smtp_on_answer *on_answer, void *ctx)
{
	struct hearing h = {s, t, say, on_answer, ctx, ANSWER_TAKEN};
	enum smtp_step step = SMTP_MORE;
	size_t used;

	*used_out = 0;
	while (step == SMTP_MORE && *used_out < in.len) {
		enum smtp_reply_status status =
		    smtp_reply_feed(&s->reply, span_from(in, *used_out), &used);

		*used_out += used;
		if (status == SMTP_REPLY_BAD)
			return SMTP_BAD;
		/* The first line of the answer to EHLO is a name and a greeting. */
		if (status != SMTP_REPLY_MORE && s->stage == SMTP_HELLO && s->reply.code == 250 &&
		    s->reply.lines > 1)
			offer_take(&s->offer, smtp_reply_text(&s->reply));
		if (status == SMTP_REPLY_ENDS)
			step = reply_take(&h);
	}
	return step;
}

bool
smtp_may_serve_again(const struct smtp *s)
{
	return s->stage == SMTP_OVER && !s->refused;
}

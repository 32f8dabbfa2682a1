/*
 * A server of SMTP or LMTP that says anything: in pieces as in one, commands of bounded length and
 * of our making, and no positive answer to a recipient that it did not take.
 */
#include "queue-handoff/smtp.h"

#include <stdlib.h>

#include "queue-handoff/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { RECIPIENTS = 3 };

struct trace {
	uint8_t octets[65536];
	struct buf said;
	unsigned answers[RECIPIENTS];
	enum smtp_step last;
	bool content;
};

static void
on_answer(void *ctx, unsigned first, unsigned end, const struct answer *answer)
{
	struct trace *t = ctx;

	if (first > end || end > RECIPIENTS)
		abort();
	if (answer->kind == ANSWER_TAKEN && !t->content)
		abort();
	while (first < end)
		t->answers[first++]++;
}

static void
check_said(struct span said)
{
	if (said.len == 0 || said.len > SMTP_COMMANDS_MAX || said.p[said.len - 1] != '\n')
		abort();
}

/* Each octet once in its turn; commands are taken to be sent at once. */
static void
play(struct trace *t, const struct smtp_task *task, struct span in, size_t step)
{
	struct smtp s;
	size_t at = 0, used;

	memset(t->answers, 0, sizeof(t->answers));
	t->said = (struct buf){t->octets, 0, sizeof(t->octets), false};
	t->last = SMTP_MORE;
	t->content = false;
	smtp_begin(&s);
	while (at < in.len) {
		uint8_t room[SMTP_COMMANDS_MAX];
		struct buf say = BUF_OVER(room);

		t->last = smtp_feed(
		    &s, task, span_head(span_from(in, at), step), &used, &say, on_answer, t);
		at += used;
		if (t->last == SMTP_SAY)
			check_said(buf_span(&say));
		buf_put_span(&t->said, buf_span(&say));
		t->content = t->content || t->last == SMTP_SEND;
		if (t->last != SMTP_MORE && t->last != SMTP_SAY && t->last != SMTP_SEND)
			break;
	}
	if (t->last == SMTP_ANSWERED && smtp_may_serve_again(&s) != t->content)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct trace whole, parts;
	static const uint8_t envelope[] = "\3\0s@t\3\0a@b\3\0c@d\3\0e@f";
	struct smtp_task task = {
	    .hostname = SPAN("mx.our.example"),
	    .envelope = span_of(envelope, sizeof(envelope) - 1),
	    .recipients = RECIPIENTS,
	};

	if (len < 2 || len > 20000)
		return 0;
	task.lmtp = (data[0] & 1) != 0;
	task.eight_bit = (data[0] & 2) != 0;
	play(&whole, &task, span_of(data + 2, len - 2), len);
	play(&parts, &task, span_of(data + 2, len - 2), (size_t)data[1] + 1);
	if (whole.last != parts.last || !span_eq(buf_span(&whole.said), buf_span(&parts.said)) ||
	    memcmp(whole.answers, parts.answers, sizeof(whole.answers)) != 0)
		abort();
	if (whole.last == SMTP_ANSWERED && whole.content)
		for (size_t i = 0; i < RECIPIENTS; i++)
			if (whole.answers[i] != 1)
				abort();
	return 0;
}

#include "queue-handoff/protocol.h"

#include "lib/bug.h"
#include "lib/conf.h"

#include "queue-handoff/job.h"
#include "queue-handoff/qmtp.h"
#include "queue-handoff/report.h"

/* ---- QMQP and QMTP: answers are netstrings --------------------------------------------------------- */

static enum said
netstring_begin(struct job *j, bool again)
{
	(void)again;
	qmqp_reply_init(&j->talk.netstring.reply);
	j->talk.netstring.expected = j->protocol->each ? j->recipients : 1;
	j->talk.netstring.got = 0;
	return SAID_SEND;
}

static struct span
netstring_heard(const struct job *j)
{
	return qmqp_reply_text(&j->talk.netstring.reply);
}

static void
netstring_answer(struct job *j, enum qmqp_answer said)
{
	static const enum answer_kind kinds[] = {
	    [QMQP_TAKEN] = ANSWER_TAKEN,
	    [QMQP_DEFERRED] = ANSWER_DEFERRED,
	    [QMQP_REFUSED] = ANSWER_REFUSED,
	};
	struct answer answer = {.kind = kinds[said], .text = netstring_heard(j)};
	unsigned n = j->talk.netstring.got++;

	if (j->protocol->each)
		job_answer(j, n, n + 1, &answer);
	else
		job_answer(j, 0, j->recipients, &answer);
}

static enum said
netstring_hear(struct job *j, struct span in, size_t *used_out)
{
	size_t used;

	*used_out = 0;
	while (*used_out < in.len) {
		enum qmqp_answer said =
		    qmqp_reply_feed(&j->talk.netstring.reply, span_from(in, *used_out), &used);

		*used_out += used;
		if (said == QMQP_MORE)
			break;
		if (said == QMQP_BAD)
			return SAID_NONSENSE;
		netstring_answer(j, said);
		if (j->talk.netstring.got == j->talk.netstring.expected)
			return SAID_ALL;
		qmqp_reply_init(&j->talk.netstring.reply);
	}
	return SAID_MORE;
}

static bool
netstring_is_reusable(const struct job *j)
{
	(void)j;
	return true;
}

static const struct talk by_netstrings = {
    .held_len = QMQP_HELD_BACK,
    .begin = netstring_begin,
    .hear = netstring_hear,
    .heard = netstring_heard,
    .is_reusable = netstring_is_reusable,
};

/* ---- SMTP and LMTP ---------------------------------------------------------------------------------- */

/* The package is the message; the envelope goes as commands. */
static size_t
message_memory(const struct parts *parts)
{
	return parts->ours.len + parts->content.len;
}

static size_t
message_compose(const struct parts *parts, struct buf *b)
{
	buf_put_span(b, parts->ours);
	buf_put_span(b, parts->content);
	return b->len;
}

static struct smtp_task
task_of(const struct job *j)
{
	return (struct smtp_task){
	    .lmtp = j->protocol->each,
	    .hostname = j->h->hostname,
	    .envelope = j->envelope,
	    .recipients = j->recipients,
	    .eight_bit = j->eight_bit,
	    .smtputf8 = j->smtputf8,
	    .size = job_package_len(j),
	};
}

static void
on_smtp_answer(void *ctx, unsigned first, unsigned end, const struct answer *answer)
{
	job_answer(ctx, first, end, answer);
}

static enum said
smtp_said(struct job *j, const struct smtp_task *task, enum smtp_step step, const struct buf *say)
{
	static const enum said saids[] = {
	    [SMTP_MORE] = SAID_MORE,
	    [SMTP_SAY] = SAID_GO_ON,
	    [SMTP_SEND] = SAID_SEND,
	    [SMTP_ANSWERED] = SAID_ALL,
	    [SMTP_LEAVING] = SAID_FAREWELL,
	    [SMTP_UNABLE] = SAID_UNABLE,
	    [SMTP_BAD] = SAID_NONSENSE,
	};

	if (say->full)
		return SAID_NONSENSE;
	if (step == SMTP_UNABLE)
		report_doubt(j, smtp_unable(&j->talk.smtp.offer, task), span_of(NULL, 0));
	j->out_at = 0;
	j->out_len = say->len;
	return saids[step];
}

static enum said
mail_begin(struct job *j, bool again)
{
	struct smtp_task task = task_of(j);
	struct smtp_offer offer = j->talk.smtp.offer;
	struct buf say = buf_over(j->out, SMTP_COMMANDS_MAX);

	if (again)
		return smtp_said(
		    j, &task, smtp_begin_again(&j->talk.smtp, &offer, &task, &say), &say);
	smtp_begin(&j->talk.smtp);
	j->out_at = j->out_len = 0;
	return SAID_MORE;
}

static enum said
mail_hear(struct job *j, struct span in, size_t *used_out)
{
	struct smtp_task task = task_of(j);
	struct buf say = buf_over(j->out, SMTP_COMMANDS_MAX);

	return smtp_said(
	    j, &task, smtp_feed(&j->talk.smtp, &task, in, used_out, &say, on_smtp_answer, j), &say);
}

static struct span
mail_heard(const struct job *j)
{
	return smtp_reply_text(&j->talk.smtp.reply);
}

static bool
mail_is_reusable(const struct job *j)
{
	return smtp_may_serve_again(&j->talk.smtp);
}

static const struct talk by_replies = {
    .greets = true,
    .in_lines = true,
    .held = {(const uint8_t *)".\r\n", 3},
    .begin = mail_begin,
    .hear = mail_hear,
    .heard = mail_heard,
    .is_reusable = mail_is_reusable,
};

/* ---- the table ---------------------------------------------------------------------------------------- */

static const struct protocol protocols[] = {
    [CONF_PROTOCOL_QMQP] = {"qmqp", &by_netstrings, qmqp_memory, qmqp_compose},
    [CONF_PROTOCOL_QMAIL_QUEUE] = {"qmail-queue", &by_netstrings, qmqp_memory, qmqp_compose,
	.local = true},
    [CONF_PROTOCOL_QMTP] = {"qmtp", &by_netstrings, qmtp_memory, qmtp_compose, .keeps = true,
	.each = true},
    [CONF_PROTOCOL_LMTP] = {"lmtp", &by_replies, message_memory, message_compose, .keeps = true,
	.each = true},
    [CONF_PROTOCOL_SMTP] = {"smtp", &by_replies, message_memory, message_compose, .keeps = true},
};

const struct protocol *
protocol_get(unsigned choice)
{
	BUG_ON(choice >= sizeof(protocols) / sizeof(protocols[0]));
	return &protocols[choice];
}

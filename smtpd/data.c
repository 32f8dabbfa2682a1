#include "smtpd/data.h"

#include "smtpd/intake.h"
#include "smtpd/submission.h"
#include "smtpd/worker.h"

void
data_begin(struct session *s)
{
	if (!intake_begin(s)) {
		session_reply(s, REPLY_no_storage);
		return;
	}
	content_init(&s->transaction->content, INTAKE_LINE_MAX);
	state_set(s, STATE_CONTENT);
	session_expect_within(s, worker_data_ms(s->worker));
	session_reply(s, REPLY_go_ahead);
}

size_t
data_take(struct session *s, struct span in)
{
	struct transaction *t = s->transaction;
	bool end;
	size_t used = intake_feed(s, in, &end);

	if (end) {
		intake_end(s);
	} else if (t->content.size > 2 * t->size_limit) {
		/* It would go on for ever (row 163). */
		submission_refuse(s, REPLY_far_too_large);
	} else {
		intake_expect_more(s, t->data_ms, t->content.size);
	}
	return used;
}

/* DATA: RFC 5321 4.1.1.4. What follows 354 is taken by data.c. */
#include "smtpd/command.h"
#include "smtpd/data.h"

enum reply_id
data_check(const struct session *s, struct span argument, union command_args *args_out)
{
	(void)args_out;
	if (argument.len > 0)
		return REPLY_bad_argument;
	if (s->state == STATE_RCPT)
		return REPLY_NONE;
	return s->transaction->tried > 0 ? REPLY_no_recipients : REPLY_bad_sequence;
}

void
data_apply(struct session *s, const union command_args *args)
{
	(void)args;
	data_begin(s);
}

/* VRFY: RFC 5321 4.1.1.6. Tells nobody anything (row 54): every name gets the same answer at once. */
#include "smtpd/command.h"

enum reply_id
vrfy_check(const struct session *s, struct span argument, union command_args *args_out)
{
	(void)s;
	(void)args_out;
	return argument.len > 0 ? REPLY_NONE : REPLY_bad_argument;
}

void
vrfy_apply(struct session *s, const union command_args *args)
{
	(void)args;
	session_reply(s, REPLY_vrfy);
}

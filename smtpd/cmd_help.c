/* HELP: RFC 5321 4.1.1.8. */
#include "smtpd/command.h"

enum reply_id
help_check(const struct session *s, struct span argument, union command_args *args_out)
{
	(void)s;
	(void)argument; /* one answer to all questions (row 56) */
	(void)args_out;
	return REPLY_NONE;
}

void
help_apply(struct session *s, const union command_args *args)
{
	(void)args;
	session_reply(s, REPLY_help);
}

/* NOOP: RFC 5321 4.1.1.9. */
#include "smtpd/command.h"

enum reply_id
noop_check(const struct session *s, struct span argument, union command_args *args_out)
{
	(void)s;
	(void)argument; /* "If a parameter string is specified, servers SHOULD ignore it." */
	(void)args_out;
	return REPLY_NONE;
}

void
noop_apply(struct session *s, const union command_args *args)
{
	(void)args;
	session_reply(s, REPLY_ok);
}

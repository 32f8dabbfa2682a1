/* QUIT: RFC 5321 4.1.1.10. */
#include "smtpd/command.h"

void
quit_apply(struct session *s, const union command_args *args)
{
	(void)args;
	session_reply(s, REPLY_bye);
}

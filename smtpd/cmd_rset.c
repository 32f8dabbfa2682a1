/* RSET: RFC 5321 4.1.1.5. */
#include "smtpd/command.h"

void
rset_apply(struct session *s, const union command_args *args)
{
	(void)args;
	session_end_transaction(s);
	if (s->state != STATE_GREETED)
		state_set(s, STATE_READY);
	session_reply(s, REPLY_ok);
}

/* RCPT: RFC 5321 4.1.1.3. What lookupd says to it comes back in recipients.c. */
#include "smtpd/command.h"
#include "smtpd/parameters.h"
#include "smtpd/recipients.h"

/* What is wrong with a forward-path. */
static const enum reply_id address_replies[] = {
    [ADDRESS_OK] = REPLY_NONE,
    [ADDRESS_SYNTAX] = REPLY_recipient_syntax,
    [ADDRESS_ROUTE] = REPLY_recipient_route,
    [ADDRESS_NON_ASCII] = REPLY_non_ascii,
    [ADDRESS_LENGTH] = REPLY_recipient_syntax,
};

/* No parameter of RCPT is offered. */
static enum reply_id
check_parameters(struct span rest)
{
	struct parameter p;

	switch (parameter_next(&rest, &p)) {
	case PARAMETER_END:
		return REPLY_NONE;
	case PARAMETER_MALFORMED:
		return REPLY_bad_argument;
	case PARAMETER_OK:
		break;
	}
	return REPLY_bad_parameter;
}

enum reply_id
rcpt_check(const struct session *s, struct span argument, union command_args *args_out)
{
	struct span path, rest;
	enum reply_id complaint;

	switch (path_split(argument, SPAN("TO:"), &path, &rest)) {
	case PATH_NO_PATH:
		return REPLY_bad_argument;
	case PATH_MALFORMED:
		return REPLY_recipient_syntax;
	case PATH_OK:
		break;
	}
	complaint = address_replies[address_parse_forward(path, &args_out->rcpt.to)];
	if (complaint == REPLY_NONE && args_out->rcpt.to.utf8 && !s->transaction->smtputf8)
		complaint = REPLY_non_ascii;
	return complaint != REPLY_NONE ? complaint : check_parameters(rest);
}

void
rcpt_apply(struct session *s, const union command_args *args)
{
	recipients_ask(s, address_span(&args->rcpt.to));
}

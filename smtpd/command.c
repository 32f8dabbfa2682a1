#include "smtpd/command.h"

#include "smtpd/counters.h"
#include "smtpd/envelope.h"
#include "smtpd/penalty.h"
#include "smtpd/recipients.h"
#include "smtpd/worker.h"

#define OFFERED(verb, check, apply, states, flags, source) \
	{ \
		verb, check, apply, states, flags, REPLY_NONE, source \
	}
#define REFUSED(verb, refusal, source) \
	{ \
		verb, NULL, NULL, IN_COMMANDS, 0, refusal, source \
	}

/* clang-format off: one line for each */
static const struct command commands[] = {
    OFFERED("HELO", helo_check, helo_apply, IN_COMMANDS, COMMAND_LAST | COMMAND_JUNK,
	"RFC 5321 4.1.1.1"),
    OFFERED("EHLO", helo_check, ehlo_apply, IN_COMMANDS, COMMAND_LAST | COMMAND_JUNK,
	"RFC 5321 4.1.1.1"),
    OFFERED("STARTTLS", starttls_check, starttls_apply, IN(READY), COMMAND_LAST, "RFC 3207 4"),
    OFFERED("MAIL", mail_check, mail_apply, IN(READY), 0, "RFC 5321 4.1.1.2"),
    OFFERED(
	"RCPT", rcpt_check, rcpt_apply, IN(MAIL) | IN(RCPT), COMMAND_OVERLAPS, "RFC 5321 4.1.1.3"),
    OFFERED("DATA", data_check, data_apply, IN(MAIL) | IN(RCPT), COMMAND_LAST, "RFC 5321 4.1.1.4"),
    OFFERED("BDAT", bdat_check, bdat_apply, IN_COMMANDS, 0, "RFC 3030 2"),
    OFFERED("RSET", NULL, rset_apply, IN_COMMANDS, COMMAND_JUNK, "RFC 5321 4.1.1.5"),
    OFFERED("NOOP", noop_check, noop_apply, IN_COMMANDS, COMMAND_JUNK, "RFC 5321 4.1.1.9"),
    OFFERED("VRFY", vrfy_check, vrfy_apply, IN_COMMANDS, COMMAND_JUNK, "RFC 5321 4.1.1.6"),
    OFFERED("HELP", help_check, help_apply, IN_COMMANDS, COMMAND_JUNK, "RFC 5321 4.1.1.8"),
    OFFERED("QUIT", NULL, quit_apply, IN_COMMANDS, 0, "RFC 5321 4.1.1.10"),

    /* Known, but not offered here. */
    REFUSED("ATRN", REPLY_not_offered, "RFC 2645"),
    REFUSED("AUTH", REPLY_not_offered, "RFC 4954"),
    REFUSED("BURL", REPLY_not_offered, "RFC 4468"),
    REFUSED("ETRN", REPLY_not_offered, "RFC 1985"),
    REFUSED("EXPN", REPLY_not_offered, "RFC 5321 4.1.1.7"),
    REFUSED("SAML", REPLY_not_offered, "RFC 821"),
    REFUSED("SEND", REPLY_not_offered, "RFC 821"),
    REFUSED("SOML", REPLY_not_offered, "RFC 821"),
    REFUSED("TURN", REPLY_not_offered, "RFC 821"),
    REFUSED("XCLIENT", REPLY_not_offered, "Postfix XCLIENT_README"),
    REFUSED("XFORWARD", REPLY_not_offered, "Postfix XFORWARD_README"),

    /* What follows would be taken for commands. */
    REFUSED("CONNECT", REPLY_not_smtp, "RFC 9110 9.3"),
    REFUSED("DELETE", REPLY_not_smtp, "RFC 9110 9.3"),
    REFUSED("GET", REPLY_not_smtp, "RFC 9110 9.3"),
    REFUSED("HEAD", REPLY_not_smtp, "RFC 9110 9.3"),
    REFUSED("OPTIONS", REPLY_not_smtp, "RFC 9110 9.3"),
    REFUSED("PATCH", REPLY_not_smtp, "RFC 5789"),
    REFUSED("POST", REPLY_not_smtp, "RFC 9110 9.3"),
    REFUSED("PUT", REPLY_not_smtp, "RFC 9110 9.3"),
    REFUSED("TRACE", REPLY_not_smtp, "RFC 9110 9.3"),
};
/* clang-format on */

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

/* The first octet of a TLS record with a handshake; no command begins with it. */
static const uint8_t tls_handshake = 0x16;

const struct command *
command_table(size_t *count_out)
{
	*count_out = COMMAND_COUNT;
	return commands;
}

const struct command *
command_find(struct span verb)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (span_eq_nocase(verb, span_str(commands[i].verb)))
			return &commands[i];
	return NULL;
}

/* What may follow a verb that takes nothing: spaces (row 40). */
static enum reply_id
check_no_argument(struct span argument)
{
	return argument.len == 0 ? REPLY_NONE : REPLY_bad_argument;
}

static struct span
trim(struct span s)
{
	while (s.len > 0 && s.p[0] == ' ')
		s = span_from(s, 1);
	while (s.len > 0 && s.p[s.len - 1] == ' ')
		s.len--;
	return s;
}

static enum reply_id
check(const struct session *s, const struct command *c, struct span argument,
    union command_args *args_out)
{
	if (c == NULL)
		return REPLY_unknown_command;
	if (c->apply == NULL)
		return c->refusal;
	if ((c->states & 1u << s->state) == 0)
		return REPLY_bad_sequence;
	return c->check != NULL ? c->check(s, argument, args_out) : check_no_argument(argument);
}

bool
command_count_junk(struct session *s)
{
	if (!penalty_for(s, ++s->junk, s->worker->conf->limits.junk))
		return true;
	session_reply(s, REPLY_too_much_junk);
	return false;
}

/*
 * A client that sends on without waiting for an answer that it must wait for is no mail client,
 * or its stream was tampered with (rows 60, 61, 116). A refused DATA needs no second complaint
 * (row 64): but what follows it must not be taken for commands.
 */
static enum reply_id
check_synchronized(
    struct session *s, const struct command *c, enum reply_id refusal, struct span rest)
{
	if (c == NULL || (c->flags & COMMAND_LAST) == 0 || !session_has_more(s, rest))
		return refusal;
	s->unread = true;
	return refusal != REPLY_NONE && c->apply == data_apply ? refusal : REPLY_not_synchronized;
}

static void
execute(struct session *s, const struct command *c, enum reply_id refusal,
    const union command_args *args, struct span rest)
{
	s->commands++;
	count(COUNT_commands);
	if (!recipients_pending(s))
		session_expect_within(s, worker_command_ms(s->worker));
	refusal = check_synchronized(s, c, refusal, rest);
	if (!admission_command(s->worker, &s->admission))
		refusal = REPLY_too_many_commands;
	if (refusal == REPLY_NONE && (c->flags & COMMAND_JUNK) != 0 && !command_count_junk(s))
		return;
	if (refusal == REPLY_NONE)
		c->apply(s, args);
	else
		session_reply(s, refusal);
	if (s->unread)
		session_close(s, "not_synchronized");
}

/* A whole line. Returns: false when it must wait for answers that are outstanding. */
static bool
run_line(struct session *s, struct span line, struct span rest)
{
	size_t end = span_find(line, ' ');
	const struct command *c = command_find(span_head(line, end));
	union command_args args;
	enum reply_id refusal = check(s, c, trim(span_from(line, end)), &args);
	bool overlaps = refusal == REPLY_NONE && (c->flags & COMMAND_OVERLAPS) != 0;

	if (overlaps && envelope_awaited(s)) {
		envelope_wait(s);
		return false;
	}
	if (recipients_pending(s) && !(overlaps && recipients_can_ask(s, &args)))
		return false;
	execute(s, c, refusal, &args, rest);
	return true;
}

/* Lines that hold no command, and what is said to each. */
static const enum reply_id line_replies[] = {
    [LINE_BAD] = REPLY_bad_line,
    [LINE_TOO_LONG] = REPLY_long_line,
    [LINE_BARE_LF] = REPLY_bare_lf_line,
    [LINE_FLOOD] = REPLY_endless_line,
};

/* What follows a BDAT that cannot be read must not be taken for commands. */
static enum reply_id
complain_about_line(const struct session *s, enum line_status status, struct span in)
{
	return line_began_with(&s->line, in, SPAN("BDAT")) ? REPLY_chunk_syntax
	                                                   : line_replies[status];
}

static bool
run_bad_line(struct session *s, enum reply_id complaint, struct span rest)
{
	union command_args none;

	if (recipients_pending(s))
		return false;
	execute(s, NULL, complaint, &none, rest);
	return true;
}

/* An empty line carries no mail either (row 37). */
static bool
run_empty_line(struct session *s, struct span rest)
{
	if (recipients_pending(s))
		return false;
	return !command_count_junk(s) || run_bad_line(s, REPLY_empty_line, rest);
}

size_t
command_take(struct session *s, struct span in)
{
	struct span line, rest;
	enum line_status status;
	bool done;
	size_t used;

	if (in.p[0] == tls_handshake && s->commands == 0 && s->line.discarded == 0) {
		session_reply(s, REPLY_not_smtp);
		return 0;
	}
	status = line_find(&s->line, in, &line, &used);
	/* Whoever goes on has heard the last reply. */
	if (status != LINE_MORE && !s->hangup)
		s->promised = 0;
	rest = span_from(in, used);
	if (status == LINE_MORE)
		done = true;
	else if (status != LINE_GOOD)
		done = run_bad_line(s, complain_about_line(s, status, in), rest);
	else
		done = line.len > 0 ? run_line(s, line, rest) : run_empty_line(s, rest);
	s->waiting = !done;
	if (!done)
		return 0;
	line_take(&s->line, status, in, used);
	return used;
}

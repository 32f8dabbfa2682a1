/*
 * The commands: one table, and the only dispatcher.
 *
 * `check` looks at the argument and changes nothing, so that a command that must wait can be
 * looked at again; `apply` does it and replies.
 */
#ifndef SMTPD_COMMAND_H
#define SMTPD_COMMAND_H

#include "smtpd/session.h"

/* What check found, for apply. */
union command_args {
	struct {
		struct span name; /* borrowed from the line */
	} helo;
	struct {
		struct address from;
		uint64_t size; /* 0: not said */
		bool eight_bit, smtputf8;
	} mail;
	struct {
		struct address to;
	} rcpt;
	struct {
		uint64_t size;
		bool last;
	} bdat;
};

enum {
	COMMAND_LAST = 1,     /* nothing may follow before its reply, RFC 2920 3.1 */
	COMMAND_OVERLAPS = 2, /* need not wait for the answers to commands before it */
	COMMAND_JUNK = 4,     /* carries no mail; limits.junk */
};

struct command {
	const char *verb;
	/* Returns: REPLY_NONE when all is well. NULL: no argument is allowed. */
	enum reply_id (*check)(
	    const struct session *s, struct span argument, union command_args *args_out);
	/* NULL: the command is only known in order to be refused. */
	void (*apply)(struct session *s, const union command_args *args);
	unsigned states; /* where it is allowed; elsewhere 503 */
	unsigned flags;
	enum reply_id refusal; /* when apply is NULL */
	const char *source;    /* where it is specified */
};

/* All commands. */
const struct command *command_table(size_t *count_out);

/* Returns: the row, or NULL. */
const struct command *command_find(struct span verb);

/*
 * Takes one command line from `in` and executes it.
 * Returns: octets used; 0 when the line is not complete, or when it must wait, which
 * s->waiting then says.
 */
size_t command_take(struct session *s, struct span in);

/* Counts what carries no mail (row 38). Returns: false when it was too much, and the client was told. */
bool command_count_junk(struct session *s);

/* ---- cmd_VERB.c ---- */

#define COMMAND_CHECK(verb) \
	enum reply_id verb##_check( \
	    const struct session *s, struct span argument, union command_args *args_out)
#define COMMAND_APPLY(verb) void verb##_apply(struct session *s, const union command_args *args)

COMMAND_CHECK(helo);
COMMAND_APPLY(helo);
COMMAND_APPLY(ehlo);
COMMAND_CHECK(mail);
bool mail_utf8_offered(const struct session *s); /* RFC 6531 */
COMMAND_APPLY(mail);
COMMAND_CHECK(rcpt);
COMMAND_APPLY(rcpt);
COMMAND_CHECK(data);
COMMAND_APPLY(data);
COMMAND_CHECK(bdat);
COMMAND_APPLY(bdat);
COMMAND_APPLY(rset);
COMMAND_CHECK(noop);
COMMAND_APPLY(noop);
COMMAND_CHECK(vrfy);
COMMAND_APPLY(vrfy);
COMMAND_CHECK(help);
COMMAND_APPLY(help);
COMMAND_APPLY(quit);
COMMAND_CHECK(starttls);
COMMAND_APPLY(starttls);

#endif

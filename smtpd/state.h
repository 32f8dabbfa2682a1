/* The states of a session; docs/smtp-states.md shows what each command does in each. */
#ifndef SMTPD_STATE_H
#define SMTPD_STATE_H

#include <stdbool.h>

enum session_state {
	STATE_CONNECTED, /* accepted; the greeting is not written yet */
	STATE_GREETED,   /* no HELO or EHLO yet, or none since TLS began */
	STATE_READY,     /* HELO or EHLO was said; no transaction */
	STATE_MAIL,      /* MAIL was accepted; no recipient was */
	STATE_RCPT,      /* at least one recipient was accepted */
	STATE_CONTENT,   /* 354 was said; content comes in */
	STATE_CHUNK,     /* the octets of a chunk come in, RFC 3030 */
	STATE_PARTIAL,   /* chunks were taken, the last one was not among them */
	STATE_RECHECK,   /* the content is good; lookupd is asked about the recipients again */
	STATE_SUBMITTED, /* the message is with the validators or queue-handoff */
	STATE_TLS,       /* the socket is with tlsd */
	STATE_CLOSING,   /* the last reply is queued; nothing is executed any more */
	STATE_CLOSED,    /* the socket is closed; the slot is free at the end of this turn */
	STATE_COUNT,
};

#define IN(state) (1u << STATE_##state)
#define IN_COMMANDS (IN(GREETED) | IN(READY) | IN(MAIL) | IN(RCPT) | IN(PARTIAL))
#define IN_CONTENT (IN(CONTENT) | IN(CHUNK)) /* what comes is no command */

struct session;

/* "READY" and so on. */
const char *state_name(enum session_state state);

/* Whether `to` may follow `from`. */
bool state_may_follow(enum session_state from, enum session_state to);

/* The only place where the state of a session changes. */
void state_set(struct session *s, enum session_state to);

#endif

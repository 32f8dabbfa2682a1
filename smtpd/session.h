/*
 * One client connection: its socket, what it said, and when it must say the next thing.
 *
 * Input is read when the socket has it and the session can use it; commands wait while an
 * answer that decides about them is outstanding. Replies gather and leave in one write at the
 * end of the turn. There is no timer for a session: the worker looks at all deadlines once a
 * second.
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "lib/catalogue.h"
#include "lib/ip.h"
#include "lib/loop.h"
#include "smtpd/admission.h"
#include "smtpd/input.h"
#include "smtpd/line.h"
#include "smtpd/output.h"
#include "smtpd/reply.h"
#include "smtpd/state.h"
#include "smtpd/transaction.h"

enum {
	SESSION_WRITE_MS = 60 * 1000,       /* for a reply that is not read (rows 15, 16) */
	SESSION_PROXY_MS = 10 * 1000,       /* for a balancer's header */
	SESSION_RATE_GRACE_MS = 60 * 1000,  /* before the minimum rate holds (row 164) */
	SESSION_LINGER_MS = 2 * 1000,       /* after our last reply, for the client to read it */
	SESSION_LINGER_OCTETS = 256 * 1024, /* of what the client still sends then */
	SESSION_COMMIT_MS = 310 * 1000,     /* for the outcome; queue-handoff has deadlines too */
	SESSION_TLS_MS = 310 * 1000,        /* for the handshake; tlsd has a deadline too */
	SESSION_HELO_MAX = 255,
};

struct worker;

/* What tlsd told about the session. */
struct tls_facts {
	uint8_t version[32], cipher[64], server_name[255];
	uint8_t version_len, cipher_len, server_name_len;
};

/* The chunk of a BDAT that comes in, RFC 3030. */
struct chunk {
	uint64_t size, left; /* octets */
	uint64_t begun_ms;
	bool last;
	enum reply_id refusal;   /* what is said at its end, when it is thrown away */
	enum session_state back; /* the state after it, when there is no transaction */
};

struct session {
	struct worker *worker;
	uint64_t handle; /* number of the session, then the slot; how other programs name it */
	uint32_t slot;
	enum session_state state;
	int fd; /* -1 while tlsd has it */
	struct watch watch;

	struct ip client;
	uint16_t port;
	struct admission admission;
	struct tls_facts *tls; /* NULL: plain text */

	bool tls_first;      /* the handshake comes before the greeting */
	bool awaits_proxy;   /* of a balancer, which has not said for whom it speaks */
	bool client_unknown; /* it said that it does not know: no mail is taken */
	bool greeted;        /* the greeting was written, perhaps before TLS began */
	bool esmtp;          /* EHLO, not HELO */
	bool readable;       /* the socket had octets, or an end, when we last looked */
	bool hangup;         /* the client shut down its side */
	bool blocked;        /* the socket takes no more of our output */
	bool waiting;        /* the next command must wait for answers */
	bool listed;         /* in the worker's list of sessions to settle at the end of the turn */
	bool resuming;       /* in the worker's list of sessions to resume in the next turn */
	bool unread;         /* what the client sent is, or will be, thrown away */
	bool lingering;      /* our side is shut down; we only wait for the client to close */
	uint8_t helo_len;
	uint8_t helo[SESSION_HELO_MAX];

	struct line_finder line;
	struct input input;
	struct output output;
	struct chunk chunk;              /* in CHUNK */
	struct transaction *transaction; /* in MAIL to SUBMITTED */

	unsigned commands;
	unsigned errors;   /* commands refused for syntax or order */
	unsigned junk;     /* commands without mail since the last accepted message */
	unsigned accepted; /* recipients */
	unsigned unknown;  /* recipients */
	unsigned messages; /* that reached their end of data */
	size_t drained;    /* octets thrown away while closing */

	/* Number of the transaction whose 250 nothing shows to have been heard; 0: none. What the
	 * client says after it, shows it. */
	uint64_t promised;
	uint64_t started_ms;
	uint64_t phase_ms;           /* deadline of what we wait for now */
	uint64_t write_ms;           /* deadline of the blocked output */
	uint64_t held_ms;            /* until then it waits for its penalty; 0: it does not */
	const char *reason;          /* why it ended, for the log */
	struct session *next;        /* in the list of sessions to settle */
	struct session *next_resume; /* in the list of sessions to resume */
};

/* Closes the socket and gives back all memory; the slot becomes free at the end of the turn. */
void session_end(struct session *s, const char *reason);

/*
 * Puts a reply in line; one that closes, and one that is over a limit and becomes 421, ends the
 * reading of commands. Frees nothing: session and transaction stay until the end of the turn.
 */
void session_reply(struct session *s, enum reply_id id);
void session_reply_with(struct session *s, enum reply_id id, const struct reply_details *details);

/*
 * Ends the transaction with its log line, and frees it; how it ended is t->verdict. No effect
 * without one.
 */
void session_end_transaction(struct session *s);

/* No more commands; the session ends when its output is written. Frees nothing before the end of the turn. */
void session_close(struct session *s, const char *reason);

/* What we wait for now must happen within that time. */
void session_expect_within(struct session *s, uint64_t ms);

/*
 * Its replies wait, and so do its next commands, until so much time has passed; a longer wait
 * under way stays. The end of the session waits for nothing.
 */
void session_hold(struct session *s, uint64_t ms);

/* Clients are told to hurry: what was allowed to take longer must happen within that time. */
void session_hurry(struct session *s);

/* Octets that wait in the socket, or 0; -1 when it is broken or at its end. */
ssize_t session_peek(const struct session *s);

/* Whether the client has already sent more than what was looked at; `rest` is what was read of it. */
bool session_has_more(struct session *s, struct span rest);

/* The client closed or reset its connection, as far as the kernel knows. */
bool session_client_gone(const struct session *s);

/* Goes on with input after an answer came. */
void session_resume(struct session *s);

/* Stops using the socket. Returns: the descriptor, owned by the caller. */
int session_detach(struct session *s);

/* Goes on with another socket, which it owns. Returns: false when the kernel refuses. */
bool session_attach(struct session *s, int fd);

/* End of turn: writes what is gathered. */
void session_settle(struct session *s);

/* Its deadline has passed. */
void session_overdue(struct session *s);

/* The program is about to end: 421 as soon as no command or message is in progress. */
void session_drain(struct session *s);

#endif

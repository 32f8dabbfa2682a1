/*
 * SMTP (RFC 5321) and LMTP (RFC 2033), the client's half up to the final dot and behind it, without
 * sockets: what to say next by what was heard.
 *
 * EHLO or LHLO; MAIL and RCPT together where PIPELINING is offered, as many as fit into the room
 * for commands, else one by one; DATA when every recipient was accepted; the content; the answers.
 * When a recipient is not accepted nothing is sent: the transaction ends with what is known.
 */
#ifndef QUEUE_HANDOFF_SMTP_H
#define QUEUE_HANDOFF_SMTP_H

#include "queue-handoff/answer.h"
#include "queue-handoff/smtp_reply.h"

#include "lib/buf.h"

enum { SMTP_COMMANDS_MAX = 4096 }; /* octets of commands that are under way at once */

/* The transaction; everything is borrowed, and stays while the conversation lasts. */
struct smtp_task {
	bool lmtp;
	struct span hostname;
	struct span envelope; /* envelope_put() */
	unsigned recipients;
	bool eight_bit, smtputf8;
	uint64_t size;
};

enum smtp_stage {
	SMTP_BANNER,
	SMTP_HELLO,     /* EHLO or LHLO is out */
	SMTP_OLD_HELLO, /* HELO is */
	SMTP_ENVELOPE,
	SMTP_DATA,
	SMTP_CONTENT, /* 354 was heard; the message goes, and then its answers come */
	SMTP_OVER,
};

/* What the server offers; kept with a connection that serves again. */
struct smtp_offer {
	bool pipelining, eight_bit, smtputf8;
	bool has_size;
	uint64_t size; /* 0: no fixed limit */
};

struct smtp {
	enum smtp_stage stage;
	struct smtp_offer offer;
	struct smtp_reply reply;
	bool refused;     /* a recipient was not accepted */
	struct span rest; /* of the envelope: recipients that RCPT was not said for */
	unsigned said;    /* commands of the envelope that are out */
	unsigned heard;   /* answers to them, MAIL first; then answers to the content */
};

enum smtp_step {
	SMTP_MORE,     /* wait for more octets */
	SMTP_SAY,      /* commands were appended: send them, then wait */
	SMTP_SEND,     /* send the content */
	SMTP_ANSWERED, /* all answers are in; nothing more is to be said */
	SMTP_LEAVING,  /* the server will not serve us, or closes (421) */
	SMTP_UNABLE,   /* the server does not offer what the message needs; nothing was sent */
	SMTP_BAD,      /* not what the protocol has here */
};

/* Takes an answer for the recipients from index first up to index end. */
typedef void smtp_on_answer(void *ctx, unsigned first, unsigned end, const struct answer *answer);

/* A new connection: the server speaks first. */
void smtp_begin(struct smtp *s);

/*
 * A connection that has served: the transaction begins at once.
 * Returns: SMTP_SAY or SMTP_UNABLE.
 */
enum smtp_step smtp_begin_again(
    struct smtp *s, const struct smtp_offer *offer, const struct smtp_task *t, struct buf *say);

/*
 * Feeds octets of the server.
 * In: say, empty, SMTP_COMMANDS_MAX octets.
 * Out: *used_out, how many were taken; call again for the rest unless the step says otherwise.
 */
enum smtp_step smtp_feed(struct smtp *s, const struct smtp_task *t, struct span in,
    size_t *used_out, struct buf *say, smtp_on_answer *on_answer, void *ctx);

/* Whether another transaction may follow on this connection. */
bool smtp_may_serve_again(const struct smtp *s);

/* Why SMTP_UNABLE, for the log. */
const char *smtp_unable(const struct smtp_offer *offer, const struct smtp_task *t);

#endif

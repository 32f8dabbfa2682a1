/*
 * QMQP (D. J. Bernstein, qmqp.txt), the client's half, without sockets.
 *
 * A package is netstring(netstring(message) netstring(sender) netstring(recipient)...). The
 * message is our header block and the content; the content of a larger message stays in its
 * memory file, so the package is memory, then a range of that file, then memory again. Its
 * very last octet is the commit octet: every known server queues nothing before it.
 *
 * Two octets are held back, the last one and the comma before it, which belongs to the last
 * recipient: qmqp-sink of Postfix never notices an end of which only one octet is left to come.
 */
#ifndef QUEUE_HANDOFF_QMQP_H
#define QUEUE_HANDOFF_QMQP_H

#include "queue-handoff/parts.h"

#include "lib/netstring.h"

enum {
	QMQP_REPLY_MAX = 1000,  /* octets of an answer that are believed to be one */
	QMQP_ADDRESS_MAX = 999, /* qmail-qmqpd.c getbuf(): 1000 and more are refused */
	QMQP_HELD_BACK = 2,     /* octets that go only when the message may be queued */
};

/* Octets of the package that are in memory: all but file_len. */
size_t qmqp_memory(const struct parts *parts);

/*
 * Writes them.
 * In: b, room for qmqp_memory() octets.
 * Returns: octets before the range of the file; the rest stand after it.
 */
size_t qmqp_compose(const struct parts *parts, struct buf *b);

/* Senders that would make a qmail system do something else than deliver: VERP expansion
 * (`-@[]`) and the double-bounce sender (`#@[]`). */
bool qmqp_sender_is_special(struct span sender);

enum qmqp_answer {
	QMQP_MORE,     /* not complete */
	QMQP_TAKEN,    /* K */
	QMQP_DEFERRED, /* Z */
	QMQP_REFUSED,  /* D */
	QMQP_BAD,      /* not an answer */
};

/* An answer as it comes in. */
struct qmqp_reply {
	struct netstring_reader reader;
	uint8_t octets[QMQP_REPLY_MAX];
};

void qmqp_reply_init(struct qmqp_reply *r);

/*
 * Feeds octets.
 * Out: *used_out, how many were taken; what follows a complete answer is not.
 */
enum qmqp_answer qmqp_reply_feed(struct qmqp_reply *r, struct span in, size_t *used_out);

/* The text behind the letter of a complete answer, or what has come of an incomplete one; for
 * the log and for the classification of a D. Lives as long as r. */
struct span qmqp_reply_text(const struct qmqp_reply *r);

#endif

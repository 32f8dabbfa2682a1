/* What a package is made of, whatever the protocol; and the envelope that stays with it. */
#ifndef QUEUE_HANDOFF_PARTS_H
#define QUEUE_HANDOFF_PARTS_H

#include "lib/buf.h"
#include "lib/catalogue.h"

/* Everything is borrowed. */
struct parts {
	struct span ours;           /* our header block */
	struct span content;        /* content that is in memory */
	uint64_t file_len;          /* content that follows it, from the memory file */
	struct span sender;         /* inside form; empty for the null reverse-path */
	struct msg_list recipients; /* of struct msg_granted */
	bool eight_bit, smtputf8;   /* as the client declared the message */
};

/* Octets of the message: header block and content, in LF form. */
uint64_t parts_message_len(const struct parts *parts);

/*
 * An envelope in memory: the sender, then each recipient, each with its length in front.
 */
size_t envelope_size(const struct parts *parts);
void envelope_put(struct buf *b, const struct parts *parts);

/* Takes the next address. Returns: false at the end. */
bool envelope_next(struct span *rest, struct span *address_out);

#endif

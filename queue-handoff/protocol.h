/*
 * The protocols: each is a row that says how a package is made, what is said before it goes, what
 * is held back, and how answers are read. The rest is common: connections, deadlines, the question
 * before the commit octet, what becomes of the answers.
 */
#ifndef QUEUE_HANDOFF_PROTOCOL_H
#define QUEUE_HANDOFF_PROTOCOL_H

#include "queue-handoff/parts.h"

struct job;

/* What the octets of a server amount to. */
enum said {
	SAID_MORE,     /* wait for more */
	SAID_GO_ON,    /* commands stand in the job's out: send them, then wait */
	SAID_SEND,     /* the package can go */
	SAID_ALL,      /* every answer is in, and each was given to job_answer() */
	SAID_UNABLE,   /* the server lacks what the message needs; the protocol has said so */
	SAID_FAREWELL, /* it will not serve us now */
	SAID_NONSENSE, /* not the protocol */
};

/* A way to speak, which several protocols have in common. */
struct talk {
	bool greets;      /* there is talk before the package, and the server begins it */
	bool in_lines;    /* the package goes as lines with CR LF and dots; else as it is */
	struct span held; /* in_lines: what is held back */
	size_t held_len;  /* else: octets at the end of the package that are held back */

	/*
	 * A conversation begins. In: again, on a connection that has served before.
	 * Returns: SAID_MORE, SAID_GO_ON, SAID_SEND or SAID_UNABLE.
	 */
	enum said (*begin)(struct job *j, bool again);
	/* Out: *used_out, how many octets were taken. */
	enum said (*hear)(struct job *j, struct span in, size_t *used_out);
	/* Text of what has come and is no complete answer, for the log. */
	struct span (*heard)(const struct job *j);
	/* All is said and heard: may the connection be kept? */
	bool (*is_reusable)(const struct job *j);
};

struct protocol {
	const char *name;
	const struct talk *talk;
	/* Octets of the package that are in memory: all but parts->file_len. */
	size_t (*memory)(const struct parts *parts);
	/* Writes them. Returns: octets before the range of the file; the rest stand after it. */
	size_t (*compose)(const struct parts *parts, struct buf *b);
	bool local; /* the server is a program that qmail-queue-helper runs */
	bool keeps; /* a connection serves one message after another */
	bool each;  /* there is an answer for each recipient; else one for all */
};

/* In: choice, of the option backend.protocol. */
const struct protocol *protocol_get(unsigned choice);

#endif

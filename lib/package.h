/*
 * A QMQP package as the server reads it (D. J. Bernstein, qmqp.txt): resumable at every
 * octet, trusting no length, handing out the content in pieces as they come.
 *
 *	package   = netstring(message sender 1*recipient)
 *	message, sender, recipient = netstrings
 */
#ifndef LIB_PACKAGE_H
#define LIB_PACKAGE_H

#include "lib/netstring.h"

enum { PACKAGE_ADDRESS_MAX = 999 };

enum package_event {
	PACKAGE_MORE,    /* all that was there has been taken */
	PACKAGE_CONTENT, /* octets of the message; they are part of the input */
	PACKAGE_SENDER,  /* the message is complete; here is its sender */
	PACKAGE_RECIPIENT,
	PACKAGE_DONE, /* the last comma: now, and not before, it is to be queued */
	PACKAGE_BAD,  /* not a package; nothing can be said of what follows */
};

struct package {
	unsigned state;
	uint64_t number; /* a length that is being read */
	unsigned digits;
	uint64_t outer_left;  /* octets left of the outer netstring */
	uint64_t content_len; /* as announced; known from the first PACKAGE_CONTENT on */
	uint64_t content_left;
	struct netstring_reader reader;
	uint8_t address[PACKAGE_ADDRESS_MAX];
};

void package_init(struct package *p);

/*
 * Takes the next event from the input.
 * In: *in, shrinks by what was taken. Out: *out, of CONTENT, SENDER and RECIPIENT; an address
 * is valid until the next call.
 */
enum package_event package_next(struct package *p, struct span *in, struct span *out);

#endif

/* The client that a relay names in its Received: field (RFC 5321 4.4). */
#ifndef VALIDATORS_RECEIVED_H
#define VALIDATORS_RECEIVED_H

#include "lib/ip.h"

struct received_client {
	struct ip ip;
	struct span helo; /* borrowed; empty when it is no name */
};

/*
 * In: value, of a field that a trusted relay wrote, folds included. The HELO name in it is still
 * the client's own word, and may look like an address.
 * Returns: false when no address is found where the usual systems write the one that they saw.
 */
bool received_parse(struct span value, struct received_client *client_out);

#endif

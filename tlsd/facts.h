/*
 * What tlsd tells smtpd of a session. It ends up in trace fields and log lines, and partly
 * comes from the client, so each value is checked against the form that it may have.
 */
#ifndef TLSD_FACTS_H
#define TLSD_FACTS_H

#include "lib/buf.h"

/* A version or a cipher: 1 to `most` octets of [0-9A-Za-z._-]. NULL is none. */
bool facts_token_ok(const char *token, size_t most);

/*
 * The name that the client asked for (RFC 6066 3), in lower case.
 * In: name as libtls has it, or NULL. Appends nothing unless it is a domain name: no address, no
 * final dot, not over 255 octets, labels of letters, digits, "-" and "_".
 */
void facts_server_name(struct buf *b, const char *name);

#endif

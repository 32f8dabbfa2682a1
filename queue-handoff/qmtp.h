/*
 * QMTP (D. J. Bernstein, qmtp.txt), the client's half, without sockets.
 *
 * A package is netstring(LF message) netstring(sender) netstring(netstring(recipient)...): the
 * message begins with the octet LF, which says that its lines end so. A connection carries many
 * packages. The server answers each recipient by a netstring, in their order, as of QMQP.
 *
 * As in QMQP the very last octet is the commit octet, and the comma before it is held back with it.
 */
#ifndef QUEUE_HANDOFF_QMTP_H
#define QUEUE_HANDOFF_QMTP_H

#include "queue-handoff/qmqp.h"

/* As qmqp_memory() and qmqp_compose(). */
size_t qmtp_memory(const struct parts *parts);
size_t qmtp_compose(const struct parts *parts, struct buf *b);

#endif

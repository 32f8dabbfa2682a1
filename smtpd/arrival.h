/*
 * How a connection becomes a session: the limits of its client, room for it, and the wait before
 * the greeting.
 */
#ifndef SMTPD_ARRIVAL_H
#define SMTPD_ARRIVAL_H

#include "smtpd/session.h"

/*
 * Begins a session on an accepted socket, which it owns from now on in every case.
 * In: peer and port, from the kernel; tls, whether the handshake comes before the greeting.
 * Returns: NULL when the client is over a limit, or no slot or no memory is free; it was told 421,
 * unless it expects a handshake.
 */
struct session *arrival_take(
    struct worker *w, int fd, const struct ip *peer, uint16_t port, bool tls);

/* Greets, now or when the delay is over. */
void arrival_begin(struct session *s);

/* The socket of a session that has not been greeted has octets, or an end. */
void arrival_on_input(struct session *s);

/* The time before the greeting has passed. */
void arrival_overdue(struct session *s);

#endif

/*
 * The limits of one client, counted over all workers (lib/clients.h): connections, how fast they
 * come, commands, unknown recipients. Those of option trusted_relays have none.
 */
#ifndef SMTPD_ADMISSION_H
#define SMTPD_ADMISSION_H

#include "lib/clients.h"
#include "smtpd/reply.h"

struct worker;

/* A session's place in the counts. Zeroed: it is not counted. */
struct admission {
	bool trusted; /* of trusted_relays: exempt from limits and delays */
	struct client_ref address, network;
};

/*
 * Counts a new connection. Out: *a_out, to be ended in every case.
 * Returns: REPLY_NONE, or the 421 that the client gets.
 */
enum reply_id admission_ask(struct worker *w, const struct ip *client, struct admission *a_out);

/* The connection has ended. */
void admission_end(struct worker *w, struct admission *a);

/* Counts a command. Returns: false when they come too fast. */
bool admission_command(struct worker *w, const struct admission *a);

/* Counts a TLS handshake. Returns: false when they come too fast (row 136). */
bool admission_handshake(struct worker *w, const struct ip *client, const struct admission *a);

/* Counts a recipient. Returns: false when too many were unknown, and more than were accepted (row 101). */
bool admission_recipient(struct worker *w, const struct admission *a, bool accepted);

#endif

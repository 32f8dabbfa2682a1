/*
 * One SMTP or LMTP connection to a back end on which recipients are asked for and nothing is
 * sent.
 */
#ifndef LOOKUPD_BACKEND_PROBE_H
#define LOOKUPD_BACKEND_PROBE_H

#include "lib/address.h"

enum {
	PROBE_REPLY_MAX = 1024, /* octets of the last line of a reply */
	PROBE_TIMEOUT_S = 60,   /* for one reply */
	PROBE_TRANSACTION = 50, /* recipients before RSET: below every back end's limit */
	/* Refusals before a new connection: after ten Postfix waits, after twenty it hangs up. */
	PROBE_REFUSALS = 8,
};

struct probe {
	int fd; /* -1: none */
	bool lmtp;
	const char *server, *from;
	unsigned asked;   /* recipients of this transaction */
	unsigned refused; /* recipients of this connection */
	size_t have;      /* octets read and not used */
	char octets[8 * 1024];
	char reply[PROBE_REPLY_MAX + 1]; /* the last line of the last reply, printable ASCII */
};

/*
 * Connects and says hello.
 * In: server, HOST:PORT or [IPv6]:PORT; from, the reverse-path.
 * Returns: NULL, or what went wrong, which lives as long as the probe.
 */
const char *probe_open(struct probe *p, const char *server, bool lmtp, const char *from);

/* Sends RCPT, with a new transaction or connection when need be. Returns: NULL or what went wrong. */
const char *probe_ask(struct probe *p, const struct address *a);

/* Waits for the reply. Out: *code_out, 200 to 599. Returns: NULL or what went wrong. */
const char *probe_answer(struct probe *p, unsigned *code_out);

/* Says QUIT and closes. */
void probe_close(struct probe *p);

#endif

/*
 * gatehouse-recipients audit: does the database agree with the back end? It samples recipients
 * that the database accepts and random ones that it does not, and asks the back end for each
 * with RCPT. No message is ever sent.
 */
#ifndef LOOKUPD_AUDIT_H
#define LOOKUPD_AUDIT_H

#include <stdio.h>

#include "lookupd/overlay.h"

struct audit_options {
	const char *server; /* HOST:PORT or [IPv6]:PORT */
	bool lmtp;
	const char *from;     /* reverse-path, NULL: the null one */
	uint64_t sample;      /* of accepted recipients, and as many others */
	uint64_t rate;        /* questions a second */
	uint64_t connections; /* at the same time */
};

enum {
	AUDIT_SAMPLE = 200,
	AUDIT_RATE = 50,
	AUDIT_CONNECTIONS = 2,
	AUDIT_CONNECTIONS_MAX = 16,
};

/*
 * Returns: an exit status: 0 they agree, 1 they do not, EX_TEMPFAIL the back end cannot be
 * asked.
 */
int audit(const struct database *db, const struct overlay *overlay,
    const struct audit_options *options, FILE *to);

#endif

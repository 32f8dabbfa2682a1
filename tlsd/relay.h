/*
 * The octets of one session: from the client's records to the plain socket and back, a scratch
 * buffer at a time. Neither direction reads while octets of it wait. Who watches what, and what
 * an end means, is session.c's.
 */
#ifndef TLSD_RELAY_H
#define TLSD_RELAY_H

#include "tlsd/pipe.h"
#include "tlsd/tls_engine.h"

enum { RELAY_SCRATCH = 4 * TLS_RECORD_MAX };

struct relay {
	struct tls_stream *stream;
	int plain;        /* our end of the socket pair; -1: none */
	uint8_t *scratch; /* RELAY_SCRATCH octets, shared by all sessions, empty between calls */
	struct pipe to_plain, to_client;
	bool client_wants_write; /* the TLS side has to write before it reads on */
};

enum flow {
	FLOW_GOES,   /* all was passed on; there may be more */
	FLOW_FULL,   /* octets wait for the receiver */
	FLOW_ENDED,  /* no more will come from the sender, or the receiver wants no more */
	FLOW_BROKEN, /* the TLS session is beyond repair, or memory is out */
};

/* From the client to smtpd, once. FLOW_ENDED: octets may wait all the same. */
enum flow relay_in(struct relay *r);

/* From smtpd to the client, once. FLOW_ENDED: smtpd has closed. */
enum flow relay_out(struct relay *r);

/* Only what waits for the client. */
enum flow relay_flush(struct relay *r);

#endif

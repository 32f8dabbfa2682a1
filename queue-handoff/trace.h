/*
 * Our header block, composed from typed values; nobody else in the gateway writes header
 * fields. A value that holds anything but the characters its place allows is left out or named
 * "unknown", so that no foreign octet becomes syntax. Every line is far below the 998 octets
 * of RFC 5322 2.1.1.
 */
#ifndef QUEUE_HANDOFF_TRACE_H
#define QUEUE_HANDOFF_TRACE_H

#include "lib/catalogue.h"
#include "lib/ip.h"

enum { TRACE_MAX = 8192 }; /* octets of the block */

/* Everything is borrowed during the call. */
struct trace_facts {
	struct span hostname;    /* ours */
	struct span authserv_id; /* RFC 8601 2.5 */
	struct span helo;        /* a domain or an address literal */
	struct ip client;
	struct span client_name; /* forward-confirmed; empty: none */
	bool esmtp;              /* EHLO */
	bool smtputf8;           /* SMTPUTF8 was said, RFC 6531 */
	struct span tls_version; /* empty: no TLS */
	struct span tls_cipher;
	struct span tls_server_name;
	struct span id;
	uint64_t received;     /* unix seconds */
	struct span recipient; /* set only when there is exactly one; RFC 5321 7.2 */
	struct span reverse_path;
	/* Results: enum auth_result, AUTH_UNCHECKED is not shown. */
	uint8_t iprev;
	uint8_t spf; /* of the reverse-path; of the HELO name when that is empty */
	struct span spf_domain;
	struct ip spf_client;       /* whom SPF judged */
	uint8_t spf_helo;           /* of the HELO name, beside that */
	bool received_spf;          /* Received-SPF: is wanted too */
	bool dkim;                  /* signatures were looked for */
	struct msg_list signatures; /* of struct msg_dkim_result */
	uint8_t dmarc;
	struct span author;       /* domain of From: */
	uint8_t dmarc_policy;     /* that holds for it: 0 none, 1 quarantine, 2 reject */
	struct span dmarc_domain; /* where it is published; empty: nowhere */
	bool quarantine;          /* for its author */
	struct span listed;       /* titles of DNS lists: into quarantine too; empty: not */
};

/*
 * Appends Received:, and as they are wanted Authentication-Results:, Received-SPF:,
 * X-Gatehouse-Listed: and X-Gatehouse-Disposition:. Returns: false when b is too small (never with TRACE_MAX).
 */
bool trace_put(struct buf *b, const struct trace_facts *f);

/* Appends a date-time of RFC 5322 3.3 in UTC. Does not ask for a time zone: there is no file of
 * it in an empty chroot. */
void trace_put_date(struct buf *b, uint64_t unix_seconds);

#endif

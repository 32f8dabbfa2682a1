/*
 * The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): a balancer says first for
 * whom it speaks.
 *
 * The parser looks at what has come so far, from the first octet, and takes nothing: what follows
 * the header belongs to another.
 */
#ifndef SMTPD_PROXY_H
#define SMTPD_PROXY_H

#include "lib/ip.h"

enum {
	PROXY_MAX = 2048, /* octets of a header; one with certificates in its TLVs fits */
};

enum proxy_status {
	PROXY_MORE, /* no header yet, and it may become one */
	PROXY_GOOD,
	PROXY_BAD,
};

struct proxy_header {
	size_t len;   /* octets of it; what comes next is the client's */
	bool unknown; /* UNKNOWN or LOCAL: for nobody that it names, as for a health check */
	struct ip client;
	uint16_t port;
};

/*
 * In: octets, from the beginning of the connection. Out: *header_out when PROXY_GOOD.
 * Limits: PROXY_MORE never past PROXY_MAX octets.
 */
enum proxy_status proxy_parse(struct span octets, struct proxy_header *header_out);

#endif

/*
 * Client addresses. One form everywhere: 16 octets, IPv4 as ::ffff:a.b.c.d, so that a mapped
 * and a plain IPv4 client are the same client.
 */
#ifndef LIB_IP_H
#define LIB_IP_H

#include "lib/buf.h"

struct sockaddr;
struct sockaddr_storage;

enum { IP_LEN = 16, IP_TEXT_MAX = 46 };

struct ip {
	uint8_t octets[IP_LEN];
};

/* Returns: false when the family is neither AF_INET nor AF_INET6. Scope ids are dropped. */
bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *ip_out, uint16_t *port_out);

/*
 * The other way. Out: *to_out, zeroed where not used.
 * Returns: octets of it that bind and connect want.
 */
size_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *to_out);

bool ip_is_v4(const struct ip *ip);

/* Appends 192.0.2.1 or 2001:db8::1. */
void ip_put(struct buf *b, const struct ip *ip);

/* Parses either notation, whole span; no scope ids, no brackets. */
bool ip_parse(struct span text, struct ip *ip_out);

/*
 * Parses "192.0.2.1:25" or "[2001:db8::1]:25".
 * Returns: false when the text is anything else or the port is 0 and zero_port_ok is not set.
 */
bool ip_parse_port(struct span text, bool zero_port_ok, struct ip *ip_out, uint16_t *port_out);

#endif

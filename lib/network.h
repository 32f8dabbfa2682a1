/*
 * Networks of addresses: "192.0.2.0/24", "2001:db8::/32", or one address. Addresses have the form
 * of lib/ip.h, so that ::ffff:192.0.2.0/120 and 192.0.2.0/24 are the same network.
 */
#ifndef LIB_NETWORK_H
#define LIB_NETWORK_H

#include "lib/conf.h"
#include "lib/ip.h"

enum { NETWORKS_MAX = 64 }; /* as many as a list option has elements */

struct network {
	struct ip base; /* bits beyond the prefix are 0 */
	uint8_t bits;   /* length of the prefix, of all 128 */
};

struct network_list {
	size_t count;
	struct network networks[NETWORKS_MAX];
};

/*
 * Parses one network, whole span.
 * Returns: NULL and *network_out; or what is wrong with it, to follow the text in a message
 * ("has bits set beyond its prefix").
 */
const char *network_parse(struct span text, struct network *network_out);

/*
 * Parses a list option.
 * Returns: NULL and *list_out; or what is wrong with element *bad_out, and an empty list.
 */
const char *network_list_parse(
    const struct conf_strings *texts, struct network_list *list_out, size_t *bad_out);

/* An IPv6 network contains no IPv4 address, also ::/0 does not. */
bool network_contains(const struct network *network, const struct ip *ip);

/* All of IPv4, or all of IPv6. */
bool network_is_everybody(const struct network *network);

/* Whether any of them does; false for an empty list. */
bool network_list_contains(const struct network_list *list, const struct ip *ip);

/*
 * The network that an address is in.
 * In: bits_v4, at most 32; bits_v6, at most 128. Returns: its base.
 */
struct ip network_base(const struct ip *ip, unsigned bits_v4, unsigned bits_v6);

#endif

/*
 * DNS lists of addresses, RFC 5782: what is asked, and what an answer means. No DNS in here.
 */
#ifndef LIB_DNSLIST_H
#define LIB_DNSLIST_H

#include "lib/conf.h"
#include "lib/ip.h"

enum {
	DNSLIST_RANGES_MAX = 32,
	DNSLIST_NAME_MAX = 253,
	DNSLIST_ZONE_MAX = DNSLIST_NAME_MAX - 64, /* an IPv6 address takes 64 octets before it */
};

struct dnslist_ranges {
	size_t count;
	struct {
		uint32_t first, last;
	} items[DNSLIST_RANGES_MAX];
};

/*
 * Parses option answers: addresses "127.0.0.2" and ranges "127.0.0.2-127.0.0.11".
 * Returns: NULL and *ranges_out; or what is wrong with element *bad_out.
 */
const char *dnslist_parse(
    const struct conf_strings *texts, struct dnslist_ranges *ranges_out, size_t *bad_out);

/* Whether a name can be the zone of a list. In: zone, NULL when it is not set. */
bool dnslist_zone_ok(const char *zone);

/* Appends "1.2.0.192.ZONE", or 32 nibbles for IPv6; zone "in-addr.arpa" or "ip6.arpa" for names. */
void dnslist_put_name(struct buf *b, const struct ip *ip, struct span zone);

enum dnslist_answer {
	DNSLIST_NOT_LISTED,
	DNSLIST_LISTED,
	DNSLIST_UNKNOWN, /* no answer was got */
	DNSLIST_ERROR,   /* it says that it does not serve us */
};

/*
 * Reads an answer of type A.
 * In: records, dns_record elements; status, enum dns_status.
 */
enum dnslist_answer dnslist_read(
    const struct dnslist_ranges *ranges, unsigned status, struct span records);

#endif

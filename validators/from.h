/*
 * The authors of a message: the domains in its From: field (RFC 5322 3.4, 3.6.2; RFC 6854).
 *
 * Read so that no reader can see an author that is not found here. Encoded words are never
 * decoded: they are phrase. Real mail is taken as it is: `Smith, John <j@example.com>` and
 * `j@example.com <j@example.com>` have one author, for one final angle-addr outranks the phrase
 * before it, whatever unquoted characters that has. What two readers could take for different
 * authors is malformed.
 */
#ifndef VALIDATORS_FROM_H
#define VALIDATORS_FROM_H

#include "validators/dns.h"

enum {
	FROM_VALUE_MAX = 8192, /* octets */
	FROM_DOMAINS_MAX = 4,  /* different ones */
};

enum from_status {
	FROM_GOOD,      /* one domain at least */
	FROM_NO_DOMAIN, /* addresses, none of which has a domain with a dot */
	FROM_MISSING,   /* no From:, or no address in it */
	FROM_MALFORMED, /* also: more than one From: */
	FROM_SEVERAL,   /* of different organisations; also: more than FROM_DOMAINS_MAX domains */
};

struct from_domain {
	uint8_t len;
	uint8_t name[DNS_NAME_MAX]; /* lower case, A-labels */
};

struct from_authors {
	enum from_status status;
	size_t count; /* of different domains; 0 unless FROM_GOOD */
	struct from_domain domains[FROM_DOMAINS_MAX];
};

static inline struct span
from_domain_span(const struct from_domain *d)
{
	return span_of(d->name, d->len);
}

/* In: value, what follows the colon of the one From: field, folds included. */
void from_parse(struct span value, struct from_authors *authors_out);

#endif

/* A resolver for tests: answers from a table instead of from the DNS. */
#ifndef TESTS_VALIDATORS_ZONE_H
#define TESTS_VALIDATORS_ZONE_H

#include "validators/dns.h"

#include <strings.h>

enum { ZONE_TIMEOUT = 0, ZONE_CNAME = 5 };

struct zone_record {
	const char *name;
	int type; /* enum dns_type, ZONE_CNAME; ZONE_TIMEOUT: whatever is not listed before it fails */
	unsigned preference;
	struct span data; /* as in dns_record */
};

struct zone {
	const struct zone_record *records;
	size_t count;
	unsigned questions;
};

static inline bool
zone_name_is(const struct zone_record *r, struct span name)
{
	return strlen(r->name) == name.len &&
	       strncasecmp(r->name, (const char *)name.p, name.len) == 0;
}

static inline void
zone_ask(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	struct zone *z = arg;
	struct buf b = BUF_OVER(reply_out->encoded);
	struct span alias = {NULL, 0};
	bool exists = false, failed = false;

	z->questions++;
	reply_out->count = 0;
	for (size_t i = 0; i < z->count && !failed; i++) {
		const struct zone_record *r = &z->records[i];
		struct msg_dns_record out = {(uint16_t)r->preference, r->data};

		if (!zone_name_is(r, name))
			continue;
		exists = true;
		if (r->type == ZONE_TIMEOUT) {
			failed = reply_out->count == 0;
			break;
		}
		if (r->type == ZONE_CNAME)
			alias = r->data;
		if (r->type == (int)type && msg_list_put(&b, RECORD_dns_record, &out))
			reply_out->count++;
	}
	if (reply_out->count == 0 && alias.len > 0 && !failed) {
		zone_ask(arg, alias, type, reply_out);
		return;
	}
	reply_out->len = b.len;
	reply_out->status = failed                 ? DNS_TROUBLE
	                    : !exists              ? DNS_NO_NAME
	                    : reply_out->count > 0 ? DNS_OK
	                                           : DNS_NO_DATA;
}

#endif

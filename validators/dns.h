/*
 * DNS as the checks see it: a question that blocks until it has a typed answer.
 *
 * In a child the answer comes over its link; in tests from a table.
 */
#ifndef VALIDATORS_DNS_H
#define VALIDATORS_DNS_H

#include "lib/catalogue.h"

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_MX = 15,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
};

enum {
	DNS_NAME_MAX = 253, /* octets, without the final dot */
	DNS_LABEL_MAX = 63,
	DNS_RECORD_MAX = 4096, /* octets of one record */
	DNS_REPLY_MAX = 24000,
};

/* An answer; the records are encoded struct msg_dns_record. */
struct dns_reply {
	enum dns_status status;
	enum dns_security security; /* for the log; status says what is to be believed */
	uint16_t count;
	size_t len;
	uint8_t encoded[DNS_REPLY_MAX];
};

struct resolver {
	/*
	 * In: name, 1 to 253 octets without a final dot, labels of 1 to 63.
	 * Out: always filled; DNS_TROUBLE for whatever went wrong or took too long.
	 */
	void (*ask)(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out);
	void *arg;
};

/* Takes the next record; `rest` starts as dns_records(). Returns: false at the end. */
static inline bool
dns_next(struct span *rest, struct msg_dns_record *record_out)
{
	return msg_list_next(rest, RECORD_dns_record, record_out);
}

static inline struct span
dns_records(const struct dns_reply *reply)
{
	return span_of(reply->encoded, reply->len);
}

/* Can be asked: 1 to 253 octets, labels of 1 to 63, no final dot. Any octets but NUL. */
bool dns_name_ok(struct span name);

#endif

/*
 * SPF (RFC 7208): the result for one envelope.
 *
 * libspf2 evaluates, but it is not trusted with anything foreign: records are parsed strictly by
 * spf_record, macros are expanded by spf_macro, addresses matched and limits kept by us, and
 * what the library compiles is a canonical, short, macro-free record that we wrote
 * (spf_canon). Why: as packaged its macro code can be made to overrun its stack, it has no limit
 * over a whole evaluation, and it drops what does not fit into 511 octets without a word.
 */
#ifndef VALIDATORS_SPF_H
#define VALIDATORS_SPF_H

#include "validators/dns.h"

#include "lib/ip.h"

enum {
	SPF_TERMS_MAX = 10, /* that ask the DNS; RFC 7208 4.6.4 */
	SPF_VOIDS_MAX = 2,  /* lookups without an answer; RFC 7208 4.6.4 */
	SPF_NAMES_MAX = 10, /* of one MX or PTR answer; RFC 7208 4.6.4 */
};

struct spf_question {
	struct ip client;
	struct span helo;   /* as the client gave it */
	struct span sender; /* reverse-path, inside form; empty: <> */
};

struct spf_answer {
	enum auth_result result;
	size_t domain_len, reason_len;
	uint8_t domain[DNS_NAME_MAX]; /* that was checked; empty when none can be */
	uint8_t reason[200];          /* for the log, printable */
};

/* Loads what the library loads lazily, before the process confines itself. */
void spf_warm_up(void);

/* Out: *answer_out, always filled. Blocks in resolver->ask. */
void spf_check(const struct spf_question *q, const struct resolver *resolver, struct spf_answer *answer_out);

#endif

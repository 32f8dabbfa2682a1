/*
 * SPF (RFC 7208): the result for one envelope.
 *
 * libspf2 evaluates (the order of terms, qualifiers, include, redirect, mx), but it is shown
 * nothing foreign, not one octet: records are read strictly by spf_record, macros expanded by
 * spf_macro, names, addresses and limits kept by spf_run, and what the library compiles is a short
 * record of our own in which numbered placeholders stand for names (spf_canon). Why: as
 * packaged its macro code can be made to overrun its stack, it has no limit over a whole
 * evaluation, it drops what does not fit into 511 octets without a word, and it lets
 * every client on the loopback network pass.
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
	bool no_mail;   /* the domain's whole record is -all */
	bool everybody; /* it passes, and so would anybody */
	size_t domain_len, reason_len;
	uint8_t domain[DNS_NAME_MAX]; /* that was checked; empty when none can be */
	uint8_t reason[200];          /* for the log, printable */
};

struct spf; /* the library, warm */

/* Makes it ready, before the process confines itself. Returns: NULL on failure. */
struct spf *spf_new(void);
void spf_free(struct spf **spf);

/* Out: *answer_out, always filled. Blocks in resolver->ask. */
void spf_check(struct spf *spf, const struct spf_question *q, const struct resolver *resolver,
    struct spf_answer *answer_out);

#endif

/*
 * Grants: lookupd's word that a recipient may be handed off (design: promise P4).
 *
 * A MAC (HMAC-SHA-256, nettle) under a key that only lookupd and queue-handoff hold, over the
 * smtpd worker's instance, its transaction number, and everything that was decided about the
 * recipient. The transaction number is the nonce: queue-handoff takes each number of an
 * instance once. Both ends know the instance from the link's own identity, not from smtpd.
 */
#ifndef LIB_GRANT_H
#define LIB_GRANT_H

#include "lib/span.h"

enum { GRANT_KEY_LEN = 32, GRANT_LEN = 32 };

/* What a grant binds. Spans are borrowed during the call. */
struct grant_terms {
	uint32_t instance;     /* of the smtpd worker */
	uint64_t transaction;  /* of that worker */
	struct span recipient; /* final octets, inside form */
	struct span route, class;
	uint8_t exempt;      /* from the checks of client and sender */
	uint64_t size_limit; /* octets, 0: none */
	uint64_t generation; /* of the database */
	uint64_t expiry;     /* seconds, as clock_ms() counts */
};

struct grant_key; /* a prepared key */

/* Returns: NULL when memory is out. */
struct grant_key *grant_key_new(const uint8_t key[GRANT_KEY_LEN]);
void grant_key_free(struct grant_key **key);

void grant_make(
    const struct grant_key *key, const struct grant_terms *terms, uint8_t grant_out[GRANT_LEN]);

/* Constant time in the grant. Returns: whether it is the grant of these terms; does not look at the clock. */
bool grant_check(
    const struct grant_key *key, const struct grant_terms *terms, const uint8_t grant[GRANT_LEN]);

#endif

/*
 * SHA-256 and HMAC-SHA-256 (nettle behind it).
 */
#ifndef LIB_DIGEST_H
#define LIB_DIGEST_H

#include "lib/span.h"

enum { DIGEST_LEN = 32 };

/* A digest under computation; lives anywhere, needs no clean-up. */
struct digest {
	_Alignas(16) unsigned char state[128];
};

void digest_init(struct digest *d);
void digest_update(struct digest *d, struct span s);
void digest_final(struct digest *d, uint8_t out[DIGEST_LEN]);

/* A MAC under computation. Once the key is set, the structure may be copied: each copy starts
 * from the prepared key. */
struct mac {
	_Alignas(16) unsigned char state[384];
};

void mac_init(struct mac *m, struct span key);
void mac_update(struct mac *m, struct span s);
void mac_final(struct mac *m, uint8_t out[DIGEST_LEN]); /* then ready for another message */

/* Compares in a time that depends on len only. */
bool digest_equal(const uint8_t *a, const uint8_t *b, size_t len);

/* Overwrites a secret; the compiler cannot leave it out. */
void digest_wipe(void *p, size_t len);

#endif

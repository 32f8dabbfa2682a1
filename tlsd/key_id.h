/*
 * How tlsd names a key to tls-keys: by its public part, the only thing that both of them have.
 *
 * The id is SHA-256 over one octet, the kind (enum key_kind), and the public part: for RSA the
 * modulus, big-endian without leading zeros; for ECDSA the uncompressed point, 4 x y, which
 * by its length names the curve too.
 */
#ifndef TLSD_KEY_ID_H
#define TLSD_KEY_ID_H

#include "lib/span.h"

enum key_kind { KEY_RSA = 1, KEY_EC = 2 };

enum {
	KEY_ID_LEN = 32,
	KEY_RSA_BITS_LEAST = 2048, /* and a multiple of 8, so that a PSS block fills the modulus */
	KEY_RSA_BITS_MOST = 4096,
	KEY_PUBLIC_MAX = KEY_RSA_BITS_MOST / 8,
	KEY_SIGNATURE_MAX = KEY_RSA_BITS_MOST / 8,
};

struct key_id {
	uint8_t octets[KEY_ID_LEN];
};

/* What can be said of a key without its private part. */
struct key_facts {
	struct key_id id;
	enum key_kind kind;
	unsigned bits; /* RSA: of the modulus; EC: 256 or 384, of the curve */
};

static inline bool
key_id_eq(const struct key_id *a, const struct key_id *b)
{
	return memcmp(a->octets, b->octets, KEY_ID_LEN) == 0;
}

#endif

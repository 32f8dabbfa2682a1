/*
 * What is public of a key, from libcrypto's form of it. Both programs need it, since tlsd knows
 * a key by its certificate and tls-keys by its private part.
 */
#ifndef TLSD_PUBLIC_KEY_H
#define TLSD_PUBLIC_KEY_H

#include "tlsd/key_id.h"

struct evp_pkey_st; /* libcrypto's EVP_PKEY */

/* In: the public part as key_id.h says. */
void key_id_compute(enum key_kind kind, struct span public, struct key_id *id_out);

/*
 * Returns: NULL; or why a server should not have such a key, as a static text: neither RSA of
 * 2048 to 4096 bits nor ECDSA on P-256 or P-384.
 */
const char *public_key_facts(const struct evp_pkey_st *pkey, struct key_facts *facts_out);

#endif

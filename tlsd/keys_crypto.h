/*
 * The private half of libcrypto, for tls-keys only: keys, their signatures, hashes.
 */
#ifndef TLSD_KEYS_CRYPTO_H
#define TLSD_KEYS_CRYPTO_H

#include "lib/catalogue.h"
#include "tlsd/key_id.h"

struct private_key;

/*
 * Before anything else of this file and before confinement: reads libcrypto's configuration
 * and makes the heap on which private keys lie: locked, not in core files, between guard pages.
 * Returns: 0; -1 when libcrypto cannot be set up.
 */
int keys_crypto_init(void);

/* Whether the heap of the keys is locked: the kernel may have refused (RLIMIT_MEMLOCK). */
bool keys_crypto_locked(void);

/*
 * Takes the first private key of a PEM text: RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384,
 * without passphrase, whole in itself.
 * Returns: a key that the caller frees; or NULL, and *why_out is a static text.
 */
struct private_key *private_key_parse(struct span pem, const char **why_out);
void private_key_free(struct private_key **key);

/* Borrowed from the key. */
const struct key_facts *private_key_facts(const struct private_key *key);

/*
 * Signs. The caller has asked sign_check() before.
 * Out: signature_out, KEY_SIGNATURE_MAX octets. Returns: its length, 0 on failure.
 */
size_t private_key_sign(const struct private_key *key, enum sign_scheme scheme, struct span data,
    uint8_t *signature_out);

/* ---- hashes ---- */

enum keys_hash { KEYS_SHA256, KEYS_SHA384, KEYS_SHA512 };
enum { KEYS_HASH_MAX = 64 };

size_t keys_hash_len(enum keys_hash hash);

/* The hash over a and then b. Out: digest_out, keys_hash_len() octets. */
void keys_hash2(enum keys_hash hash, struct span a, struct span b, uint8_t *digest_out);

/* Overwrites memory that held a secret, so that the compiler leaves it in. */
void keys_wipe(void *p, size_t len);

#endif

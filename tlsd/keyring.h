/*
 * The private keys of tls-keys, by the name of the file that they came from.
 *
 * A key whose file brings another one is retired, not dropped: handshakes that began under the
 * old certificate still ask for it, and when the new certificate turns out bad, tlsd goes on
 * with the old one. It goes when its successor has been asked for and nobody has asked for the
 * old one for KEYRING_RETIRE_MS.
 */
#ifndef TLSD_KEYRING_H
#define TLSD_KEYRING_H

#include "tlsd/keys_crypto.h"

enum {
	KEYRING_MOST = 32, /* keys, the retired ones included */
	KEYRING_NAME_MAX = 4096,
	KEYRING_RETIRE_MS = 600 * 1000, /* longer than any handshake may take */
};

struct keyring_entry {
	struct private_key *key;
	char *name;         /* NUL-terminated; NULL: retired */
	struct key_id heir; /* of a retired one */
	uint64_t used_ms;   /* when it was last asked for, or retired */
	bool used;
};

struct keyring {
	struct keyring_entry entries[KEYRING_MOST];
	size_t count;
};

/*
 * Takes the key into service under the name; what had the name before is retired.
 * Owns: the key, in every case. Returns: NULL, or why not as a static text.
 */
const char *keyring_put(
    struct keyring *ring, struct span name, struct private_key *key, uint64_t now_ms);

/* Returns: the key with that id and notes that it was asked for; or NULL. Borrowed. */
const struct private_key *keyring_find(
    struct keyring *ring, const struct key_id *id, uint64_t now_ms);

/* Drops the retired keys whose time has come. */
void keyring_sweep(struct keyring *ring, uint64_t now_ms);

void keyring_clear(struct keyring *ring);

#endif

/*
 * Contents that their check did not survive: which they were, and whether they come again.
 *
 * The dispatcher hashes the sealed content, a piece in each turn of the loop, and logs the hash. It
 * looks at nothing in it.
 */
#ifndef VALIDATORS_FINGERPRINT_H
#define VALIDATORS_FINGERPRINT_H

#include "lib/digest.h"
#include "lib/loop.h"

enum {
	FINGERPRINTS_MAX = 8,   /* computed at the same time; of more, the hash is not logged */
	FINGERPRINTS_KEPT = 64, /* to know one that comes again */
	FINGERPRINT_PIECE = 256 * 1024,
	FINGERPRINT_ID_MAX = 32,
};

struct fingerprint {
	struct fingerprints *all;
	struct timer timer;
	struct digest digest;
	int fd;
	uint64_t at, size;
	bool used;
	size_t id_len;
	uint8_t id[FINGERPRINT_ID_MAX];
};

struct fingerprints {
	struct loop *loop;
	struct fingerprint running[FINGERPRINTS_MAX];
	size_t next_kept;
	struct {
		uint8_t hash[DIGEST_LEN];
		uint32_t times; /* 0: free */
	} kept[FINGERPRINTS_KEPT];
};

void fingerprints_init(struct fingerprints *fs, struct loop *loop);
void fingerprints_clear(struct fingerprints *fs);

/*
 * Begins, and logs when it is done.
 * In: id, of the transaction; fd, of which a copy is taken, size octets; or -1, and the content.
 */
void fingerprint(
    struct fingerprints *fs, struct span id, int fd, uint64_t size, struct span content);

#endif

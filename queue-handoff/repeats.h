/*
 * What the back end has taken although its sender does not know: the client is answered without a
 * second copy when it sends the message again. For each recipient a keyed digest of sender,
 * recipient and content; no mail, no address. Bounded: the oldest of a few entries gives way.
 *
 * The content is digested only to record it, or when sender and recipient are those of an entry.
 */
#ifndef QUEUE_HANDOFF_REPEATS_H
#define QUEUE_HANDOFF_REPEATS_H

#include "lib/digest.h"

enum { REPEATS_SETS = 2048, REPEATS_WAYS = 4 };

struct repeats;

/* Where content lies: octets in memory, then a range of a file. */
struct repeat_content {
	struct span memory;
	int fd; /* -1: none */
	uint64_t file_from, file_len;
};

/* In: keep_ms, how long an entry counts. Returns: NULL when memory or entropy is out. */
struct repeats *repeats_new(uint64_t keep_ms);
void repeats_free(struct repeats **r);

/* Out: the keyed digest of content. Returns: false when the file cannot be read. */
bool repeats_digest(
    const struct repeats *r, const struct repeat_content *content, uint8_t out[DIGEST_LEN]);

/* Recipient got what has that digest, from sender. */
void repeats_record(struct repeats *r, struct span sender, struct span recipient,
    const uint8_t digest[DIGEST_LEN], uint64_t now_ms);

/* Whether there is anything to be found at all: costs next to nothing. */
bool repeats_any(const struct repeats *r, uint64_t now_ms);

/* Whether something of this sender for this recipient is known. */
bool repeats_suspects(
    const struct repeats *r, struct span sender, struct span recipient, uint64_t now_ms);

/* Whether recipient got this very content. */
bool repeats_knows(const struct repeats *r, struct span sender, struct span recipient,
    const uint8_t digest[DIGEST_LEN], uint64_t now_ms);

#endif

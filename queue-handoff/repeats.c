#include "queue-handoff/repeats.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/siphash.h"

enum { PIECE = 64 * 1024 };

struct entry {
	uint64_t pair; /* of sender and recipient */
	uint64_t until_ms;
	uint8_t digest[DIGEST_LEN];
};

struct repeats {
	uint64_t keep_ms;
	uint64_t last_ms; /* nothing counts after it */
	uint8_t pair_key[SIPHASH_KEY_LEN];
	struct mac content_key;
	struct entry sets[REPEATS_SETS][REPEATS_WAYS];
};

struct repeats *
repeats_new(uint64_t keep_ms)
{
	struct repeats *r = calloc(1, sizeof(*r));
	uint8_t key[DIGEST_LEN];

	if (r == NULL || getrandom(r->pair_key, sizeof(r->pair_key), 0) != sizeof(r->pair_key) ||
	    getrandom(key, sizeof(key), 0) != sizeof(key)) {
		free(r);
		return NULL;
	}
	r->keep_ms = keep_ms;
	mac_init(&r->content_key, span_of(key, sizeof(key)));
	digest_wipe(key, sizeof(key));
	return r;
}

void
repeats_free(struct repeats **r)
{
	free(*r);
	*r = NULL;
}

/* The domain of a recipient is compared as it came: the repeat names it as it did before. */
static uint64_t
pair_of(const struct repeats *r, struct span sender, struct span recipient)
{
	uint8_t room[1100];
	struct buf b = BUF_OVER(room);

	buf_put_u16(&b, (uint16_t)sender.len);
	buf_put_span(&b, sender);
	buf_put_span(&b, recipient);
	return siphash(r->pair_key, buf_span(&b));
}

static bool
digest_file(struct mac *m, const struct repeat_content *c)
{
	static uint8_t piece[PIECE];
	uint64_t done = 0;

	while (done < c->file_len) {
		uint64_t left = c->file_len - done;
		ssize_t n = pread(c->fd, piece, left < PIECE ? (size_t)left : PIECE,
		    (off_t)(c->file_from + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		mac_update(m, span_of(piece, (size_t)n));
		done += (uint64_t)n;
	}
	return true;
}

bool
repeats_digest(
    const struct repeats *r, const struct repeat_content *content, uint8_t out[DIGEST_LEN])
{
	struct mac m = r->content_key;

	mac_update(&m, content->memory);
	if (!digest_file(&m, content))
		return false;
	mac_final(&m, out);
	return true;
}

void
repeats_record(struct repeats *r, struct span sender, struct span recipient,
    const uint8_t digest[DIGEST_LEN], uint64_t now_ms)
{
	uint64_t pair = pair_of(r, sender, recipient);
	struct entry *set = r->sets[pair % REPEATS_SETS];
	struct entry *oldest = &set[0];

	for (unsigned i = 1; i < REPEATS_WAYS; i++)
		if (set[i].until_ms < oldest->until_ms)
			oldest = &set[i];
	*oldest = (struct entry){.pair = pair, .until_ms = now_ms + r->keep_ms};
	memcpy(oldest->digest, digest, DIGEST_LEN);
	r->last_ms = oldest->until_ms;
}

bool
repeats_any(const struct repeats *r, uint64_t now_ms)
{
	return now_ms < r->last_ms;
}

bool
repeats_suspects(
    const struct repeats *r, struct span sender, struct span recipient, uint64_t now_ms)
{
	uint64_t pair = pair_of(r, sender, recipient);
	const struct entry *set = r->sets[pair % REPEATS_SETS];

	for (unsigned i = 0; i < REPEATS_WAYS; i++)
		if (set[i].pair == pair && now_ms < set[i].until_ms)
			return true;
	return false;
}

bool
repeats_knows(const struct repeats *r, struct span sender, struct span recipient,
    const uint8_t digest[DIGEST_LEN], uint64_t now_ms)
{
	uint64_t pair = pair_of(r, sender, recipient);
	const struct entry *set = r->sets[pair % REPEATS_SETS];

	for (unsigned i = 0; i < REPEATS_WAYS; i++)
		if (set[i].pair == pair && now_ms < set[i].until_ms &&
		    digest_equal(set[i].digest, digest, DIGEST_LEN))
			return true;
	return false;
}

#include "queue-handoff/recent.h"

#include <stdlib.h>
#include <unistd.h>

#include "queue-handoff/parts.h"

struct kept {
	struct handoff_owner owner;
	void *memory; /* NULL: forgotten, or recorded */
	size_t octets;
	struct span envelope;
	struct repeat_content content;
	uint64_t at_ms;
};

struct recent {
	struct repeats *repeats;
	struct kept ring[RECENT_MOST];
	size_t first, count; /* the oldest, and how many */
	size_t octets;
	unsigned files;
};

struct recent *
recent_new(struct repeats *repeats)
{
	struct recent *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->repeats = repeats;
	return r;
}

static void
forget(struct recent *r, struct kept *k)
{
	if (k->memory == NULL)
		return;
	free(k->memory);
	k->memory = NULL;
	r->octets -= k->octets;
	if (k->content.fd >= 0) {
		close(k->content.fd);
		r->files--;
	}
}

static struct kept *
kept_at(struct recent *r, size_t n)
{
	return &r->ring[(r->first + n) % RECENT_MOST];
}

static void
forget_oldest(struct recent *r)
{
	forget(r, kept_at(r, 0));
	r->first = (r->first + 1) % RECENT_MOST;
	r->count--;
}

void
recent_free(struct recent **recent)
{
	struct recent *r = *recent;

	*recent = NULL;
	if (r == NULL)
		return;
	while (r->count > 0)
		forget_oldest(r);
	free(r);
}

static bool
is_too_much(struct recent *r, size_t octets, unsigned files, uint64_t now_ms)
{
	return r->count == RECENT_MOST || r->octets + octets > RECENT_OCTETS ||
	       r->files + files > RECENT_FILES || now_ms - kept_at(r, 0)->at_ms > RECENT_MS;
}

void
recent_keep(struct recent *r, const struct handoff_owner *owner, void *memory, size_t memory_len,
    struct span envelope, const struct repeat_content *content, uint64_t now_ms)
{
	size_t octets = memory_len + (size_t)content->file_len;
	unsigned files = content->fd >= 0;
	struct kept *k;

	while (r->count > 0 && is_too_much(r, octets, files, now_ms))
		forget_oldest(r);
	if (octets > RECENT_OCTETS) {
		free(memory);
		if (content->fd >= 0)
			close(content->fd);
		return;
	}
	k = kept_at(r, r->count++);
	*k = (struct kept){*owner, memory, octets, envelope, *content, now_ms};
	r->octets += octets;
	r->files += files;
}

static bool
record(struct recent *r, struct kept *k, uint64_t now_ms)
{
	uint8_t digest[DIGEST_LEN];
	struct span rest = k->envelope, sender, recipient;

	if (!repeats_digest(r->repeats, &k->content, digest) || !envelope_next(&rest, &sender))
		return false;
	while (envelope_next(&rest, &recipient))
		repeats_record(r->repeats, sender, recipient, digest, now_ms);
	forget(r, k);
	return true;
}

bool
recent_undelivered(struct recent *r, const struct handoff_owner *owner, uint64_t now_ms)
{
	for (size_t n = r->count; n-- > 0;) {
		struct kept *k = kept_at(r, n);

		if (k->memory != NULL && k->owner.worker == owner->worker &&
		    k->owner.session == owner->session &&
		    k->owner.transaction == owner->transaction)
			return record(r, k, now_ms);
	}
	return false;
}

/* How long before its end a worker may have left a reply unwritten: a turn, and what a client does
 * not read at once. */
enum { LOST_MS = 5000 };

void
recent_worker_lost(struct recent *r, unsigned worker, uint64_t now_ms)
{
	for (size_t n = r->count; n-- > 0;) {
		struct kept *k = kept_at(r, n);

		if (now_ms - k->at_ms > LOST_MS)
			break;
		if (k->memory != NULL && k->owner.worker == worker)
			record(r, k, now_ms);
	}
}

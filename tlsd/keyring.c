#include "tlsd/keyring.h"

#include <stdlib.h>

static const struct key_id *
entry_id(const struct keyring_entry *e)
{
	return &private_key_facts(e->key)->id;
}

static struct keyring_entry *
find_id(struct keyring *ring, const struct key_id *id)
{
	for (size_t i = 0; i < ring->count; i++)
		if (key_id_eq(entry_id(&ring->entries[i]), id))
			return &ring->entries[i];
	return NULL;
}

static struct keyring_entry *
find_name(struct keyring *ring, struct span name)
{
	for (size_t i = 0; i < ring->count; i++)
		if (span_eq(span_str(ring->entries[i].name), name))
			return &ring->entries[i];
	return NULL;
}

static void
entry_drop(struct keyring *ring, struct keyring_entry *e)
{
	private_key_free(&e->key);
	free(e->name);
	*e = ring->entries[--ring->count];
}

static void
entry_retire(struct keyring_entry *e, const struct key_id *heir, uint64_t now_ms)
{
	free(e->name);
	e->name = NULL;
	e->heir = *heir;
	e->used_ms = now_ms;
}

/* Makes room by giving up the retired key that nobody has asked for the longest. */
static void
make_room(struct keyring *ring)
{
	struct keyring_entry *oldest = NULL;

	if (ring->count < KEYRING_MOST)
		return;
	for (size_t i = 0; i < ring->count; i++) {
		struct keyring_entry *e = &ring->entries[i];

		if (e->name == NULL && (oldest == NULL || e->used_ms < oldest->used_ms))
			oldest = e;
	}
	if (oldest != NULL)
		entry_drop(ring, oldest);
}

const char *
keyring_put(struct keyring *ring, struct span name, struct private_key *key, uint64_t now_ms)
{
	struct key_id id = private_key_facts(key)->id;
	struct keyring_entry *same = find_id(ring, &id), *old = find_name(ring, name);
	char *copy = strndup((const char *)name.p, name.len);
	const char *why = NULL;

	if (copy == NULL) {
		private_key_free(&key);
		return "no memory";
	}
	if (old != NULL && old != same)
		entry_retire(old, &id, now_ms);
	if (same != NULL) { /* the same key again, perhaps out of retirement or in another file */
		free(same->name);
		same->name = copy;
		private_key_free(&key);
		return NULL;
	}
	make_room(ring);
	if (ring->count == KEYRING_MOST) {
		why = "too many keys";
		private_key_free(&key);
		free(copy);
	} else
		ring->entries[ring->count++] = (struct keyring_entry){.key = key, .name = copy};
	return why;
}

const struct private_key *
keyring_find(struct keyring *ring, const struct key_id *id, uint64_t now_ms)
{
	struct keyring_entry *e = find_id(ring, id);

	if (e == NULL)
		return NULL;
	e->used = true;
	e->used_ms = now_ms;
	return e->key;
}

/* No heir any more: it was replaced in its turn, and its own time was over before. */
static bool
is_over(struct keyring *ring, const struct keyring_entry *e, uint64_t now_ms)
{
	const struct keyring_entry *heir = e->name == NULL ? find_id(ring, &e->heir) : NULL;

	if (e->name != NULL || now_ms - e->used_ms < KEYRING_RETIRE_MS)
		return false;
	return heir == NULL || heir->used;
}

void
keyring_sweep(struct keyring *ring, uint64_t now_ms)
{
	for (size_t i = 0; i < ring->count;) {
		if (is_over(ring, &ring->entries[i], now_ms))
			entry_drop(ring, &ring->entries[i]);
		else
			i++;
	}
}

void
keyring_clear(struct keyring *ring)
{
	while (ring->count > 0)
		entry_drop(ring, &ring->entries[ring->count - 1]);
}

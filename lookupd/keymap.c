#include "lookupd/keymap.h"

#include <stdlib.h>
#include <sys/random.h>

enum { SIZE_FIRST = 1024 };

void
keymap_init(struct keymap *map)
{
	*map = (struct keymap){0};
	/* Without a random seed it still works. */
	if (getrandom(&map->seed, sizeof(map->seed), GRND_NONBLOCK) != (ssize_t)sizeof(map->seed))
		map->seed = 0x9e3779b97f4a7c15u;
}

void
keymap_clear(struct keymap *map)
{
	free(map->slots);
	*map = (struct keymap){0};
}

static uint64_t
mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return h;
}

static uint64_t
hash_of(const struct keymap *map, struct span key)
{
	uint64_t h = map->seed ^ key.len, word;

	for (; key.len >= sizeof(word); key = span_from(key, sizeof(word))) {
		memcpy(&word, key.p, sizeof(word));
		h = mix(h ^ word);
	}
	word = 0;
	if (key.len > 0)
		memcpy(&word, key.p, key.len);
	return mix(mix(h ^ word) + map->seed);
}

static struct keymap_slot *
slot_for(const struct keymap *map, uint64_t hash, struct span key)
{
	size_t i = (size_t)hash & (map->size - 1);

	while (map->slots[i].item != NULL &&
	       !(map->slots[i].hash == hash && span_eq(map->slots[i].item->key, key)))
		i = (i + 1) & (map->size - 1);
	return &map->slots[i];
}

struct keymap_item *
keymap_get(const struct keymap *map, struct span key)
{
	return map->size > 0 ? slot_for(map, hash_of(map, key), key)->item : NULL;
}

static int
grow(struct keymap *map)
{
	struct keymap old = *map;

	map->size = old.size > 0 ? old.size * 2 : SIZE_FIRST;
	map->slots = calloc(map->size, sizeof(*map->slots));
	if (map->slots == NULL) {
		*map = old;
		return -1;
	}
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].item != NULL)
			*slot_for(map, old.slots[i].hash, old.slots[i].item->key) = old.slots[i];
	free(old.slots);
	return 0;
}

int
keymap_add(struct keymap *map, struct keymap_item *item)
{
	struct keymap_slot *slot;
	uint64_t hash;

	if (map->used * 2 >= map->size && grow(map) < 0)
		return -1;
	hash = hash_of(map, item->key);
	slot = slot_for(map, hash, item->key);
	map->used += slot->item == NULL;
	*slot = (struct keymap_slot){hash, item};
	return 0;
}

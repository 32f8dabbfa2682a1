/*
 * A hash table from octets to structures that the caller owns; nothing is ever taken out.
 */
#ifndef LOOKUPD_KEYMAP_H
#define LOOKUPD_KEYMAP_H

#include "lib/span.h"

/* The first member of what is kept in a keymap. */
struct keymap_item {
	struct span key; /* must stay valid and unchanged */
};

struct keymap_slot {
	uint64_t hash;
	struct keymap_item *item; /* NULL: free */
};

struct keymap {
	struct keymap_slot *slots;
	size_t size; /* a power of two, or 0 */
	size_t used;
	uint64_t seed; /* random, so that nobody can choose names that collide */
};

void keymap_init(struct keymap *map);
void keymap_clear(struct keymap *map);

/* Returns: the item with that key, or NULL. */
struct keymap_item *keymap_get(const struct keymap *map, struct span key);

/* Adds an item, in the place of one with that key. Returns: 0, or -1 when memory is out. */
int keymap_add(struct keymap *map, struct keymap_item *item);

#endif

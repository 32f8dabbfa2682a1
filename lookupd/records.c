#include "lookupd/records.h"

#include <stdlib.h>
#include <sys/random.h>

#include "lib/bug.h"

enum {
	CHUNK_LEN = 1024 * 1024,
	UNIT = 4, /* references count these; so an arena reaches 16 GiB */
	CHUNK_UNITS = CHUNK_LEN / UNIT,
	SLOTS_FIRST = 1024,
	OCTETS_MAX = 60000,
};

/* What stands before the octets of a piece. */
struct piece {
	uint16_t len;
	uint16_t source; /* KIND_ or the number of a source */
	uint32_t line;   /* of a record */
	uint32_t value;  /* of a record: reference */
};

/* Sources are numbered below these. */
enum { SOURCE_VALUE = 0xffff, SOURCE_KEPT = 0xfffe, SOURCES_MAX = 0xfff0 };

struct refmap_slot {
	uint32_t hash, ref; /* ref 0: free */
};

/* ---- arena ------------------------------------------------------------------------------------ */

static uint8_t *
arena_at(const struct arena *a, uint32_t ref)
{
	return a->chunks[ref / CHUNK_UNITS] + (size_t)(ref % CHUNK_UNITS) * UNIT;
}

static int
arena_grow(struct arena *a)
{
	if (a->chunk_count == a->chunk_cap) {
		size_t cap = a->chunk_cap > 0 ? 2 * a->chunk_cap : 64;
		uint8_t **chunks = realloc(a->chunks, cap * sizeof(*chunks));

		if (chunks == NULL)
			return -1;
		a->chunks = chunks;
		a->chunk_cap = cap;
	}
	if (a->chunk_count >= UINT32_MAX / CHUNK_UNITS)
		return -1;
	a->chunks[a->chunk_count] = malloc(CHUNK_LEN);
	if (a->chunks[a->chunk_count] == NULL)
		return -1;
	/* Reference 0 is none. What follows the last piece of a chunk reads as one of no octets. */
	a->used = a->chunk_count == 0 ? UNIT : 0;
	a->chunk_count++;
	return 0;
}

static size_t
piece_size(size_t len)
{
	return (sizeof(struct piece) + len + UNIT - 1) / UNIT * UNIT;
}

/* Returns: a reference, or 0 when memory is out. */
static uint32_t
arena_put(struct arena *a, struct piece head, struct span octets)
{
	size_t size = piece_size(octets.len);
	uint32_t ref;

	BUG_ON(octets.len > OCTETS_MAX);
	if (a->chunk_count == 0 || CHUNK_LEN - a->used < size + sizeof(struct piece)) {
		/* The end of a chunk: a piece that points nowhere. */
		if (a->chunk_count > 0)
			memset(a->chunks[a->chunk_count - 1] + a->used, 0, sizeof(struct piece));
		if (arena_grow(a) < 0)
			return 0;
	}
	ref = (uint32_t)((a->chunk_count - 1) * CHUNK_UNITS + a->used / UNIT);
	head.len = (uint16_t)octets.len;
	memcpy(arena_at(a, ref), &head, sizeof(head));
	if (octets.len > 0)
		memcpy(arena_at(a, ref) + sizeof(head), octets.p, octets.len);
	a->used += size;
	return ref;
}

static struct piece
piece_of(const struct arena *a, uint32_t ref, struct span *octets_out)
{
	const uint8_t *p = arena_at(a, ref);
	struct piece head;

	memcpy(&head, p, sizeof(head));
	*octets_out = span_of(p + sizeof(head), head.len);
	return head;
}

static void
arena_clear(struct arena *a)
{
	for (size_t i = 0; i < a->chunk_count; i++)
		free(a->chunks[i]);
	free(a->chunks);
	*a = (struct arena){0};
}

/* ---- hash tables -------------------------------------------------------------------------------- */

static uint64_t
mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return h;
}

/* Seeded, so that nobody can choose names that collide. */
static uint64_t
hash_of(const struct records *r, struct span s)
{
	uint64_t h = r->seed ^ s.len, word;

	for (; s.len >= sizeof(word); s = span_from(s, sizeof(word))) {
		memcpy(&word, s.p, sizeof(word));
		h = mix(h ^ word);
	}
	word = 0;
	if (s.len > 0)
		memcpy(&word, s.p, s.len);
	return mix(mix(h ^ word) + r->seed);
}

/* Where a hash begins to look: from bits that the slot does not keep, and those that it does. */
static size_t
home_of(const struct refmap *map, uint32_t hash)
{
	return (size_t)((uint64_t)hash * map->size >> 32);
}

static struct refmap_slot *
slot_for(const struct records *r, const struct refmap *map, uint32_t hash, struct span octets)
{
	size_t i = home_of(map, hash);
	struct span there;

	for (;; i = i + 1 < map->size ? i + 1 : 0) {
		if (map->slots[i].ref == 0)
			return &map->slots[i];
		if (map->slots[i].hash != hash)
			continue;
		piece_of(&r->arena, map->slots[i].ref, &there);
		if (span_eq(there, octets))
			return &map->slots[i];
	}
}

static int
refmap_grow(struct refmap *map)
{
	struct refmap old = *map;

	map->size = old.size > 0 ? old.size * 2 : SLOTS_FIRST;
	map->slots = calloc(map->size, sizeof(*map->slots));
	if (map->slots == NULL) {
		*map = old;
		return -1;
	}
	for (size_t k = 0; k < old.size; k++) {
		size_t i = home_of(map, old.slots[k].hash);

		if (old.slots[k].ref == 0)
			continue;
		while (map->slots[i].ref != 0)
			i = i + 1 < map->size ? i + 1 : 0;
		map->slots[i] = old.slots[k];
	}
	free(old.slots);
	return 0;
}

/* Makes room for one more. Returns: 0 or -1. */
static int
refmap_room(struct refmap *map)
{
	return map->used >= map->size / 4 * 3 ? refmap_grow(map) : 0;
}

/* The reference of a value, which is kept once. Returns: 0 when memory is out. */
static uint32_t
value_ref(struct records *r, struct span value)
{
	uint32_t hash = (uint32_t)hash_of(r, value);
	struct refmap_slot *slot;

	if (refmap_room(&r->values) < 0)
		return 0;
	slot = slot_for(r, &r->values, hash, value);
	if (slot->ref == 0) {
		uint32_t ref = arena_put(&r->arena, (struct piece){.source = SOURCE_VALUE}, value);

		if (ref == 0)
			return 0;
		*slot = (struct refmap_slot){hash, ref};
		r->values.used++;
	}
	return slot->ref;
}

/* ---- sources --------------------------------------------------------------------------------------- */

/* Returns: its number; SOURCES_MAX when there are too many or memory is out. */
static size_t
source_number(struct records *r, const char *source)
{
	for (size_t i = r->source_count; i > 0; i--)
		if (r->sources[i - 1] == source)
			return i - 1;
	if (r->source_count == SOURCES_MAX)
		return SOURCES_MAX;
	if (r->source_count == r->source_cap) {
		size_t cap = r->source_cap > 0 ? 2 * r->source_cap : 64;
		const char **sources = realloc(r->sources, cap * sizeof(*sources));

		if (sources == NULL)
			return SOURCES_MAX;
		r->sources = sources;
		r->source_cap = cap;
	}
	r->sources[r->source_count] = source;
	return r->source_count++;
}

/* ---- the whole -------------------------------------------------------------------------------------- */

void
records_init(struct records *r)
{
	*r = (struct records){0};
	/* Without a random seed it still works. */
	if (getrandom(&r->seed, sizeof(r->seed), GRND_NONBLOCK) != (ssize_t)sizeof(r->seed))
		r->seed = 0x9e3779b97f4a7c15u;
}

void
records_clear(struct records *r)
{
	arena_clear(&r->arena);
	free(r->keys.slots);
	free(r->values.slots);
	free(r->sources);
	*r = (struct records){0};
}

static void
fill(const struct records *r, const struct piece *head, struct span *value_out,
    struct place *place_out)
{
	if (value_out != NULL)
		piece_of(&r->arena, head->value, value_out);
	if (place_out != NULL)
		*place_out = (struct place){r->sources[head->source], head->line};
}

enum records_status
records_add(struct records *r, struct span key, struct span value, struct place place,
    struct place *first_out)
{
	uint32_t hash = (uint32_t)hash_of(r, key);
	struct piece head = {.line = place.line};
	struct refmap_slot *slot;
	struct span known;
	size_t source;

	if (refmap_room(&r->keys) < 0)
		return RECORDS_NO_MEMORY;
	slot = slot_for(r, &r->keys, hash, key);
	if (slot->ref != 0) {
		head = piece_of(&r->arena, slot->ref, &known);
		fill(r, &head, &known, first_out);
		return span_eq(known, value) ? RECORDS_SAME : RECORDS_CONFLICT;
	}
	source = source_number(r, place.source);
	head.source = (uint16_t)source;
	head.value = value_ref(r, value);
	if (source == SOURCES_MAX || head.value == 0)
		return RECORDS_NO_MEMORY;
	*slot = (struct refmap_slot){hash, arena_put(&r->arena, head, key)};
	if (slot->ref == 0)
		return RECORDS_NO_MEMORY;
	r->keys.used++;
	r->count++;
	return RECORDS_ADDED;
}

bool
records_get(
    const struct records *r, struct span key, struct span *value_out, struct place *place_out)
{
	const struct refmap_slot *slot;
	struct piece head;
	struct span known;

	if (r->keys.size == 0)
		return false;
	slot = slot_for(r, &r->keys, (uint32_t)hash_of(r, key), key);
	if (slot->ref == 0)
		return false;
	head = piece_of(&r->arena, slot->ref, &known);
	fill(r, &head, value_out, place_out);
	return true;
}

bool
records_next(const struct records *r, struct records_at *at)
{
	while (at->chunk < r->arena.chunk_count) {
		bool last = at->chunk + 1 == r->arena.chunk_count;
		struct piece head = {0};

		if (at->chunk == 0 && at->at == 0)
			at->at = UNIT;
		if (!last || at->at < r->arena.used)
			head = piece_of(&r->arena,
			    (uint32_t)(at->chunk * CHUNK_UNITS + at->at / UNIT), &at->key);
		if ((last && at->at >= r->arena.used) ||
		    (head.len == 0 && head.value == 0 && head.source == 0)) {
			at->chunk++;
			at->at = 0;
			continue;
		}
		at->at += piece_size(head.len);
		if (head.source >= SOURCES_MAX)
			continue;
		fill(r, &head, &at->value, &at->place);
		return true;
	}
	return false;
}

struct span
records_keep(struct records *r, struct span octets)
{
	uint32_t ref = arena_put(&r->arena, (struct piece){.source = SOURCE_KEPT}, octets);
	struct span kept = {NULL, 0};

	if (ref != 0)
		piece_of(&r->arena, ref, &kept);
	return kept;
}

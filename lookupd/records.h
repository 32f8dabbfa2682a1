/*
 * Many millions of records in little memory: keys once, equal values once, and where each was
 * said first.
 *
 * 10 million recipients take about 0.6 GB. Nothing is ever taken out.
 */
#ifndef LOOKUPD_RECORDS_H
#define LOOKUPD_RECORDS_H

#include "lib/span.h"

/* Where something was said. */
struct place {
	const char *source; /* lives as long as the records */
	uint32_t line;
};

enum records_status {
	RECORDS_ADDED,
	RECORDS_SAME,     /* said before, with the same value */
	RECORDS_CONFLICT, /* said before, with another value */
	RECORDS_NO_MEMORY,
};

/* Octets with a reference of 32 bits. */
struct arena {
	uint8_t **chunks;
	size_t chunk_count, chunk_cap;
	size_t used; /* octets of the last chunk */
};

/* A hash table of references into an arena. */
struct refmap {
	struct refmap_slot *slots;
	size_t size, used;
};

struct records {
	struct arena arena;
	struct refmap keys, values;
	const char **sources;
	size_t source_count, source_cap;
	uint64_t seed;
	size_t count;
};

void records_init(struct records *r);
void records_clear(struct records *r);

/*
 * In: key, value, up to 60,000 octets together; they are copied.
 * Out: *first_out, for SAME and CONFLICT, where it was said before.
 */
enum records_status records_add(struct records *r, struct span key, struct span value,
    struct place place, struct place *first_out);

/* Returns: whether there is a record of that key. Out: value and place; each may be NULL. */
bool records_get(
    const struct records *r, struct span key, struct span *value_out, struct place *place_out);

/* One record in the order in which they were added. */
struct records_at {
	size_t chunk, at; /* zeroed: before the first */
	struct span key, value;
	struct place place;
};

/* Returns: false after the last one. */
bool records_next(const struct records *r, struct records_at *at);

/* A copy that lives as long as the records. Returns: an empty span at NULL when memory is out. */
struct span records_keep(struct records *r, struct span octets);

#endif

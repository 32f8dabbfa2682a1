/*
 * All that the sources say, gathered in memory before anything is written.
 */
#ifndef LOOKUPD_COLLECTION_H
#define LOOKUPD_COLLECTION_H

#include "lookupd/keymap.h"
#include "lookupd/list.h"
#include "lookupd/record.h"

/* Where something was said. */
struct place {
	const char *source; /* lives as long as the collection */
	uint32_t line;
};

struct collected_recipient {
	struct keymap_item item; /* the key of its record */
	struct span leaf;        /* the value */
	struct place place;      /* of the first line that said so */
	struct collected_recipient *next;
};

struct collected_domain {
	struct keymap_item item; /* the name */
	uint32_t table;
	uint64_t count;
	bool postmaster; /* postmaster@ is accepted */
	bool catch_all;  /* and so is everything else */
	uint8_t wild_octets[32];
	size_t wild_octet_count;
	uint8_t wild_lengths[LAYOUT_BITS_LEN];
	struct collected_domain *next;
};

struct collected_route {
	struct keymap_item item; /* the name */
	uint16_t number;
	struct collected_route *next;
};

struct arena_chunk;

struct collection {
	struct arena_chunk *chunks;
	struct keymap recipients, domains, routes;
	/* In the order in which they were first named. */
	struct collected_recipient *first_recipient, **recipient_tail;
	struct collected_domain *first_domain, **domain_tail;
	struct collected_route *first_route, **route_tail;
};

void collection_init(struct collection *c);
void collection_clear(struct collection *c);

enum collection_status {
	COLLECTION_ADDED,
	COLLECTION_SAME,     /* said before, in the same words */
	COLLECTION_CONFLICT, /* said before, otherwise */
	COLLECTION_FULL, /* more routes, or break characters of a domain, than the layout holds */
	COLLECTION_NO_MEMORY,
};

/* Out: *first_out, for SAME and CONFLICT, where it was said before. */
enum collection_status collection_add(struct collection *c, const struct list_entry *entry,
    struct place place, struct place *first_out);

#endif

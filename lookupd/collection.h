/*
 * All that the sources say, gathered in memory before anything is written.
 *
 * A source that names addresses adds struct list_entry, as a list does. An importer whose back
 * end has rules of its own puts whole records, and sets up the domains itself.
 */
#ifndef LOOKUPD_COLLECTION_H
#define LOOKUPD_COLLECTION_H

#include "lookupd/keymap.h"
#include "lookupd/list.h"
#include "lookupd/record.h"
#include "lookupd/records.h"
#include "lookupd/rules.h"

struct collected_domain {
	struct keymap_item item; /* the name; one that begins with "." is a suffix */
	uint32_t table;
	uint64_t count;   /* recipients */
	uint64_t accepts; /* of these */
	bool postmaster;  /* postmaster@ is accepted */
	bool catch_all;   /* and so is everything else */
	bool told;        /* a line about the domain itself was read */
	bool has_rows;    /* its table has records */
	struct place place;
	uint16_t flags;     /* of the record; 0: served, with a table */
	uint16_t route;     /* for recipients without one of their own; 0: none */
	uint64_t size;      /* the same */
	struct span class;  /* the same */
	struct span real;   /* it is an alias of this domain; else empty */
	struct span prefix; /* of DOMAIN_VIRTUAL */
	struct span delimiters, charset;
	uint32_t patterns; /* number of its P record; 0: none */
	bool has_prefix, has_aliases, owner_request;
	const struct installation *of;         /* the one that has it, NULL: none */
	uint16_t boxes;                        /* of the record */
	const struct collected_domain *shared; /* a table asked after its own, NULL: none */
	uint8_t wild_octets[32];
	size_t wild_octet_count;
	uint8_t wild_lengths[LAYOUT_BITS_LEN];
	struct collected_domain *next;
};

struct collected_route {
	struct keymap_item item; /* the name */
	uint16_t number;
	struct place place; /* of the first line that names it */
	struct collected_route *next;
};

/* An attribute of the header beyond those that every database has. */
struct collected_attr {
	uint8_t type;
	struct span octets;
	struct collected_attr *next;
};

struct collection {
	struct records records; /* without those of domains, routes and the header */
	uint64_t recipients;    /* of these, key_is_recipient() */
	uint64_t boxes;         /* accepting leaves that are in no domain's table */
	struct keymap domains, routes;
	/* In the order in which they were first named. */
	struct collected_domain *first_domain, **domain_tail;
	struct collected_route *first_route, **route_tail;
	struct collected_attr *first_attr, **attr_tail;
	struct rules rules; /* what forwards where; resolve.h makes records of it */
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

/*
 * An alias of an alias stands for what that one does.
 * Returns: a domain whose alias leads nowhere or in a circle, which is then no alias; or NULL.
 */
struct collected_domain *collection_resolve_alias(struct collection *c);

/* ---- for importers ---- */

/* The domain of that name, in lower case, made if need be. Returns: NULL when memory is out. */
struct collected_domain *collection_domain(
    struct collection *c, struct span name, struct place place);

/* The number of a back end, for struct leaf and struct domain; 0 for the empty name. */
enum collection_status collection_route(
    struct collection *c, struct span name, struct place place, uint16_t *number_out);

/*
 * Puts a record as it is; layout.h says what its key and value are. Recipients of a table are
 * counted for that domain when `d` is given.
 */
enum collection_status collection_put(struct collection *c, struct collected_domain *d,
    struct span key, struct span value, struct place place, struct place *first_out);

/*
 * Lets the domain ask in a table behind its own. In: shared, of no domain; lives as long.
 * Returns: false when the domain has too many break octets then.
 */
bool collection_share(struct collected_domain *d, const struct collected_domain *shared);

/* Appends an attribute to the header. Returns: 0 or -1. */
int collection_header(struct collection *c, uint8_t type, struct span octets);

bool collection_has_header(const struct collection *c, uint8_t type);

/* A copy that lives as long as the collection; NULL when memory is out. */
struct span collection_keep(struct collection *c, struct span octets);

#endif

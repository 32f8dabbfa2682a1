/*
 * A recipients.cdb in private memory, complete and checked: loader.h makes it, lookup.h asks it.
 */
#ifndef LOOKUPD_DATABASE_H
#define LOOKUPD_DATABASE_H

#include <sys/stat.h>

#include "lib/address.h"
#include "lookupd/cdbfile.h"
#include "lookupd/record.h"

/*
 * Records of domains that were asked for before, decoded: most questions are about few domains.
 * They borrow from the database, which does not change, and stay; those that are asked for first
 * are mostly those that are asked for often. Slots have the number of an entry, or 0.
 */
enum { DATABASE_KNOWN = 512, DATABASE_KNOWN_SLOTS = 2 * DATABASE_KNOWN, DATABASE_KNOWN_NAME = 62 };

struct database_known {
	uint16_t slots[DATABASE_KNOWN_SLOTS];
	size_t count;
	struct database_known_entry {
		uint8_t type, len;
		uint8_t name[DATABASE_KNOWN_NAME];
		struct span value;
		struct domain record;
	} entries[DATABASE_KNOWN];
};

struct database {
	uint8_t *octets; /* owned: of malloc, or mapped */
	size_t len;      /* with the end mark */
	bool mapped;
	int fd;              /* of the mapped file, owned; -1: none */
	struct stat as_read; /* of the mapped file */
	struct cdbfile shard[LAYOUT_SHARDS_MAX];
	unsigned shards;
	struct header header;
	/* Where records come from when they are in no file yet; NULL: from cdb. */
	enum cdbfile_status (*get)(const void *from, struct span key, struct span *value_out);
	const void *from;
	struct database_known *known; /* owned, or NULL: nothing is remembered */
};

/*
 * Finds the shards in what stands before the end mark. In: sharded, by the magic of the mark.
 * Returns: false when they are not there.
 */
bool database_lay_out(struct database *db, size_t covered, bool sharded);

/* The shard of a key, of several. */
unsigned database_shard(unsigned shards, struct span key);

/*
 * Whether a mapped file is what it was when it was checked. One in private memory always is.
 * Reading what is mapped needs fault.h all the same: it may become shorter at any time.
 */
bool database_unchanged(const struct database *db);

/* The first value of a key. */
enum cdbfile_status database_get(
    const struct database *db, struct span key, struct span *value_out);

/* The record of a domain or suffix, decoded, and as it is. */
struct database_record {
	const struct domain *domain;
	struct span value;
	enum record_status status;
};

/*
 * In: type, KEY_DOMAIN or KEY_SUFFIX; name, in lower case; room, for the record when it is not
 * remembered.
 * Out: *r_out, when it is found; its domain is room, or lives as long as the database.
 */
enum cdbfile_status database_domain(const struct database *db, enum layout_key type,
    struct span name, struct domain *room, struct database_record *r_out);

/* Every record, in the order of the file. In: at, zeroed before the first. */
struct database_at {
	unsigned shard;
	uint32_t at; /* in the shard; 0: at its beginning */
};
enum cdbfile_status database_next(const struct database *db, struct database_at *at,
    struct span *key_out, struct span *value_out);

/* Takes null. */
void database_free(struct database **db);

#endif

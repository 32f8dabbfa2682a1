/*
 * Writes a collection as recipients.cdb.
 */
#ifndef LOOKUPD_BUILD_H
#define LOOKUPD_BUILD_H

#include "lib/digest.h"
#include "lookupd/collection.h"
#include "lookupd/database.h"

/* One source as it was read. */
struct build_source {
	const char *name; /* KIND:PATH */
	uint8_t digest[DIGEST_LEN];
};

struct build_facts {
	uint64_t generation, built;
	const struct build_source *sources;
	size_t source_count;
	bool forced;        /* the operator wants it, whatever the guards say */
	const char *beside; /* path beside which temporary files are made; NULL: in memory */
	uint64_t shard_max; /* octets of one cdb; 0: LAYOUT_SHARD_MAX */
};

/*
 * In: c, resolved (resolve.h); fd, an empty file open for reading and writing.
 * Out: *sharded_out, whether it took several cdbs, for the other functions.
 * Returns: 0, or -1 and errno. The file has no end mark and has not been synced.
 */
int build_write(
    int fd, const struct collection *c, const struct build_facts *facts, bool *sharded_out);

/*
 * The records of what build_write wrote, mapped so that they can be changed. Nobody else knows
 * the file yet. Returns: NULL and errno.
 */
struct database *build_map(int fd, bool sharded);

/* The record of a domain. In: from, which d_out borrows from. */
void build_domain(const struct collected_domain *from, struct domain *d_out);

/* Appends the end mark over what fd holds. Returns: 0, or -1 and errno. */
int build_end_mark(int fd, bool sharded);

#endif

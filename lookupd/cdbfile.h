/*
 * Constant databases (libcdb behind it): reading one that lies in memory, writing one to a
 * descriptor.
 *
 * Memory instead of cdb_init(): that maps the file, and a file that is truncated in place while
 * it is mapped ends the process (SIGBUS).
 */
#ifndef LOOKUPD_CDBFILE_H
#define LOOKUPD_CDBFILE_H

#include "lib/span.h"

enum { CDBFILE_TABLES = 256, CDBFILE_HEAD = 2048, CDBFILE_LEAST = CDBFILE_HEAD };

struct cdbfile {
	struct span octets; /* borrowed; must outlive the structure */
	uint32_t records_end;
};

/* The hash of a key, as a cdb has it. */
uint32_t cdbfile_hash(struct span key);

enum cdbfile_status { CDBFILE_NONE, CDBFILE_FOUND, CDBFILE_BAD };

/* Returns: false when that is too short or too long to be one. */
bool cdbfile_over(struct cdbfile *c, struct span octets);

/* The first value of a key; never reads outside, whatever the octets are. */
enum cdbfile_status cdbfile_get(const struct cdbfile *c, struct span key, struct span *value_out);

/*
 * Records in the order of the file. *at starts as CDBFILE_HEAD.
 * Returns: NONE after the last one, BAD when a length runs over the end of the records.
 */
enum cdbfile_status cdbfile_next(
    const struct cdbfile *c, uint32_t *at, struct span *key_out, struct span *value_out);

/* What the check of one hash table after another has seen. */
struct cdbfile_check {
	unsigned tables; /* checked */
	uint64_t at;     /* where the next one must begin */
	uint64_t used;   /* slots */
};

void cdbfile_check_init(struct cdbfile_check *check, const struct cdbfile *c);

/*
 * Checks the next hash table: it begins where the one before ends, the first behind the records
 * and the last up to the end; every slot points among the records and is in the table of its
 * hash value; and no run of used slots is longer than probes_max, which so limits the probes of
 * every cdbfile_get.
 * Returns: NULL, or what is wrong.
 */
const char *cdbfile_check_table(
    struct cdbfile_check *check, const struct cdbfile *c, uint32_t probes_max);

struct cdbfile_maker;

/* Writes to fd, an empty file open for reading and writing. Returns: NULL and errno. */
struct cdbfile_maker *cdbfile_maker_new(int fd);

/* Returns: 0 or -1 and errno. */
int cdbfile_maker_add(struct cdbfile_maker *m, struct span key, struct span value);

/* Writes the hash tables and frees. Returns: 0 or -1 and errno. */
int cdbfile_maker_finish(struct cdbfile_maker **m);

/* Frees without caring for what was written; takes null. */
void cdbfile_maker_free(struct cdbfile_maker **m);

#endif

/*
 * A recipients.cdb in private memory, complete and checked: loader.h makes it, lookup.h asks it.
 */
#ifndef LOOKUPD_DATABASE_H
#define LOOKUPD_DATABASE_H

#include "lookupd/cdbfile.h"
#include "lookupd/record.h"

struct database {
	uint8_t *octets; /* owned: of malloc, or mapped */
	size_t len;      /* with the end mark */
	bool mapped;
	struct cdbfile cdb;
	struct header header;
	/* Where records come from when they are in no file yet; NULL: from cdb. */
	enum cdbfile_status (*get)(const void *from, struct span key, struct span *value_out);
	const void *from;
};

/* The first value of a key. */
enum cdbfile_status database_get(
    const struct database *db, struct span key, struct span *value_out);

/* Every record, in the order of the file. In: at, zeroed before the first. */
struct database_at {
	uint32_t at; /* in the file */
	bool begun;
};
enum cdbfile_status database_next(const struct database *db, struct database_at *at,
    struct span *key_out, struct span *value_out);

/* Takes null. */
void database_free(struct database **db);

#endif

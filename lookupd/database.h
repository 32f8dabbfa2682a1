/*
 * A recipients.cdb in private memory, complete and checked: loader.h makes it, lookup.h asks it.
 */
#ifndef LOOKUPD_DATABASE_H
#define LOOKUPD_DATABASE_H

#include "lookupd/cdbfile.h"
#include "lookupd/record.h"

struct database {
	uint8_t *octets; /* owned */
	size_t len;      /* with the end mark */
	struct cdbfile cdb;
	struct header header;
};

/* Takes null. */
void database_free(struct database **db);

#endif

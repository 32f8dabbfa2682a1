/*
 * gatehouse-recipients explain: the chain of records that decided about an address, each with
 * the file and line that said so.
 */
#ifndef LOOKUPD_EXPLAIN_H
#define LOOKUPD_EXPLAIN_H

#include <stdio.h>

#include "lib/address.h"

struct explain_options {
	const char *const *addresses;
	size_t address_count;
	const char *const *sources; /* KIND:PATH; none: those that the database names */
	size_t source_count;
	const char *database; /* NULL: the sources only */
	const struct address *postmaster;
};

/* Returns: an exit status, as for a query. */
int explain(const struct explain_options *options, FILE *to, FILE *messages);

#endif

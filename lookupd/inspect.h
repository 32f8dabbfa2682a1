/*
 * gatehouse-recipients query, info, dump: what is in a recipients.cdb, and what it answers.
 */
#ifndef LOOKUPD_INSPECT_H
#define LOOKUPD_INSPECT_H

#include <stdio.h>

#include "lookupd/overlay.h"

/*
 * One line for each address: the verdict that lookupd would give, and what led to it.
 * In: texts, as in RCPT TO:<...>.
 * Returns: an exit status: 0 all accepted, 1 some are not, EX_TEMPFAIL trouble.
 */
int inspect_query(const struct database *db, const struct overlay *overlay,
    const struct address *postmaster, const char *const *texts, size_t count, FILE *to);

/* The header, domains, routes and the overlay, which may be NULL. Returns: EX_OK. */
int inspect_info(const struct database *db, const struct overlay *overlay, FILE *to);

/* Every record, and every entry of the overlay. Returns: EX_OK. */
int inspect_dump(const struct database *db, const struct overlay *overlay, FILE *to);

/* One record in words, without a line end. */
void inspect_put_record(struct span key, struct span value, FILE *to);

#endif

/*
 * gatehouse-recipients diff: what would change for senders with another database.
 */
#ifndef LOOKUPD_DIFF_H
#define LOOKUPD_DIFF_H

#include <stdio.h>

#include "lookupd/lookup.h"

/*
 * One line for each address, domain, extension and catch-all that the two answer differently,
 * and a last one with sums.
 * Limits: memory for the names of the domains, not for those of the users.
 * Returns: an exit status: 0 when they answer the same, 1 when not, EX_TEMPFAIL.
 */
int diff(const struct database *old, const struct database *new, FILE *to);

#endif

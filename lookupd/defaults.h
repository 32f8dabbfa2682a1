/*
 * What a database says of a domain as a whole, for recipients that it has no record of.
 */
#ifndef LOOKUPD_DEFAULTS_H
#define LOOKUPD_DEFAULTS_H

#include "lookupd/lookup.h"

/*
 * In: name, in any case.
 * Out: *d_out, of the real domain when it is an alias.
 * Returns: whether the database serves that domain.
 */
bool defaults_domain(const struct database *db, struct span name, struct domain *d_out);

/* Returns: whether that domain is an alias; d_out->real is what it stands for. */
bool defaults_alias(const struct database *db, struct span name, struct domain *d_out);

/*
 * Out: *r_out, accepted with route, class and size of the domain.
 * Returns: false when the database is no good there.
 */
bool defaults_accept(const struct database *db, const struct domain *d, enum lookup_match match,
    struct lookup_result *r_out);

#endif

/*
 * Domains that are only observed: what would be an unknown user is accepted, and logged as what
 * it would have been.
 */
#ifndef LOOKUPD_OBSERVE_H
#define LOOKUPD_OBSERVE_H

#include "lib/conf.h"
#include "lookupd/lookup.h"

/*
 * In: domains, in any case; asked, whose verdict r is RCPT_UNKNOWN_USER.
 * Out: *r, accepted with route, class and size of the domain, when it is one of them and the
 * database serves it.
 * Returns: whether that happened.
 */
bool observe(const struct conf_strings *domains, const struct database *db,
    const struct address *asked, struct lookup_result *r);

#endif

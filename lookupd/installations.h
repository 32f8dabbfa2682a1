/*
 * Several installations of mail systems in one database: what each of them needs for its boxes,
 * and which domains are whose.
 */
#ifndef LOOKUPD_INSTALLATIONS_H
#define LOOKUPD_INSTALLATIONS_H

#include "lookupd/collection.h"
#include "lookupd/report.h"

/*
 * Once, before domains are joined with what lists say: adds to the header, or as records, what
 * lookups of boxes need. What cannot stand beside another installation is reported.
 * Returns: 0, or -1 when memory is out.
 */
int installations_put(struct collection *c, struct report *report);

/*
 * Makes the domain one of an installation.
 * Returns: false when it is another's already, which is reported.
 */
bool installations_claim(struct collected_domain *d, const struct installation *of,
    struct place place, struct report *report);

/* The number of a domain's record; 0 where there is nothing to tell apart. */
uint16_t installations_number(const struct collection *c, const struct collected_domain *d);

#endif

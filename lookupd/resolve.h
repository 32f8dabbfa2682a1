/*
 * Ends of forwards, found when all sources have been read.
 *
 * Mail that a record takes and sends on is only as good as where it arrives: a target that the
 * back end bounces is a bounce, one that it puts off is put off here, wherever in the collection
 * the target stands.
 */
#ifndef LOOKUPD_RESOLVE_H
#define LOOKUPD_RESOLVE_H

#include "lookupd/collection.h"
#include "lookupd/report.h"

/*
 * Makes records of c->rules: every leaf gets its verdict, every domain is joined with what lists
 * say of it. Nothing may be added to the collection afterwards; the rules stay, to be explained.
 * Out: warnings about what bounces late, is deferred or would be relayed, and about domains
 * without postmaster or abuse.
 * Returns: 0, or -1 when memory is out.
 */
int resolve(struct collection *c, struct report *report);

#endif

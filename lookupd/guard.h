/*
 * Is a new database a safe successor of the one before?
 *
 * It is not when it lost a domain, or takes mail away from more than a share of the recipients
 * of one: an export that broke off and a home tree that is not mounted look just so, and
 * everybody who is missing would be refused for good. gatehouse-recipients decides that before
 * it puts a file in place; what it counted stands in the file, so that lookupd, started anew,
 * decides the same.
 */
#ifndef LOOKUPD_GUARD_H
#define LOOKUPD_GUARD_H

#include "lookupd/database.h"

enum {
	GUARD_FLOOR = 20,         /* recipients that may always go */
	GUARD_SHARE_DEFAULT = 10, /* percent of a domain that may go */
};

/* Whether `taken` of `before` accepting recipients may go. */
bool guard_allows(uint64_t before, uint64_t taken, unsigned share);

struct guard_hooks {
	void *ctx;
	void (*on_lost)(void *ctx, struct span domain);
	/*
	 * More is taken away than may go, of a domain's table or of a part of a source, whose
	 * name it is then. The empty name: all parts together.
	 */
	void (*on_taken)(void *ctx, struct span name, uint64_t before, uint64_t taken);
};

/*
 * Compares what both answer for each recipient that `before` accepts, and writes the counts into
 * the records of `after`, which lies in memory that may be written and has no end mark yet.
 * Returns: 0, or -1 when memory is out.
 */
int guard_compare(const struct database *before, struct database *after, unsigned share,
    const struct guard_hooks *hooks);

/* ---- for who has only the file ---- */

/* Sums over records what guard_compare wrote. */
struct guard_check {
	unsigned share;
	bool forced; /* nothing is refused */
	bool wrong;
	char why[160]; /* of the first that is wrong */
};

void guard_check_init(struct guard_check *g, unsigned share);
void guard_check_header(struct guard_check *g, const struct header *h);
void guard_check_domain(struct guard_check *g, struct span name, const struct domain *d);
void guard_check_part(struct guard_check *g, struct span name, struct span value);

/*
 * A domain of the database in service beside that of its would-be successor, when the successor
 * was not compared with it. In: after, NULL when it is not there.
 */
void guard_check_pair(struct guard_check *g, struct span name, const struct domain *before,
    const struct domain *after);

#endif

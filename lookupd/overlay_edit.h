/*
 * The overlay as a file beside its database: gatehouse-recipients add, remove and defer change
 * it, compile folds it in. Who changes it holds a lock, DATABASE.lock.
 */
#ifndef LOOKUPD_OVERLAY_EDIT_H
#define LOOKUPD_OVERLAY_EDIT_H

#include "lookupd/overlay.h"
#include "lookupd/report.h"

#define OVERLAY_SUFFIX ".overlay"

/*
 * Out: *error_out, NULL when there simply is none.
 * Returns: the overlay of a database, or NULL.
 */
struct overlay *overlay_beside(const char *database, const char **error_out);

struct overlay_change {
	const char *database; /* path */
	enum overlay_verb verb;
	const char *const *words; /* the address, then attributes as in a list */
	size_t word_count;
	uint64_t now; /* unix seconds */
	bool force;   /* although the database does not know the domain */
};

/* Returns: an exit status: 0, EX_USAGE, EX_CONFIG (said so), EX_TEMPFAIL. */
int overlay_change(const struct overlay_change *change, FILE *messages);

/*
 * After db was put in place under that name: entries with which it agrees are taken out, the
 * others are reported.
 * Returns: 0, or -1, reported.
 */
int overlay_fold(const char *database, const struct database *db, struct report *report);

#endif

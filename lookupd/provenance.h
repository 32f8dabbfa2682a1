/*
 * Where a record comes from. Whoever adds a record says it, so that every verdict can be traced
 * to the line of the source that decided.
 */
#ifndef LOOKUPD_PROVENANCE_H
#define LOOKUPD_PROVENANCE_H

#include "lookupd/records.h"

struct provenance {
	struct place place;
	/* The line is 0 for a file as a whole, or that it is there at all. */
	const char *reason; /* a static text: which rule of the back end this is; NULL: none */
};

#endif

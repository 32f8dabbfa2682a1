/*
 * The database of recipients and its overlay, as files that change under their names: what is new
 * goes to lookupd, which decides whether to take it.
 */
#ifndef SUPERVISOR_RECIPIENTS_H
#define SUPERVISOR_RECIPIENTS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "supervisor/generation.h"

/* What was last given to lookupd. */
struct recipients_seen {
	struct stat database, overlay;
	bool refused;            /* the database, for who may write it */
	unsigned overlay_missed; /* looks in a row that did not find it */
};

/* To be called before a generation starts, which is given what then lies at path. */
void recipients_given(struct recipients_seen *seen, const char *path);

/* Looks at the files of a generation, and gives it what has changed; at each look of the watch. */
void recipients_look(struct recipients_seen *seen, struct generation *g);

#endif

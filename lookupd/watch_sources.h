/*
 * gatehouse-recipients compile --watch: the database is made anew when a source changes.
 */
#ifndef LOOKUPD_WATCH_SOURCES_H
#define LOOKUPD_WATCH_SOURCES_H

#include "lookupd/compile.h"

enum {
	WATCH_QUIET_MS = 1000,   /* after the last change, before a compile */
	WATCH_LATEST_MS = 10000, /* after the first one, however many follow */
	WATCH_DIRECTORIES_MAX = 100000,
};

/*
 * Compiles, and again whenever a file that a source was read from changes, comes or goes.
 * In: every_s, also after so many seconds without a change, for sources that are not files;
 * 0: not.
 * Returns: an exit status, only when it cannot go on.
 */
int watch_sources(struct compile_options *options, unsigned every_s, FILE *messages);

#endif

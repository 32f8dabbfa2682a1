/*
 * Runs a program to its end and takes what it writes. There is no shell in between: what stands
 * in an argument is never read as a command.
 */
#ifndef LOOKUPD_CHILD_H
#define LOOKUPD_CHILD_H

#include "lookupd/report.h"

enum child_status {
	CHILD_OK,      /* ended with exit status 0, and everything was taken */
	CHILD_WRONG,   /* cannot be run, or ended in another way; reported */
	CHILD_TROUBLE, /* memory, descriptors, processes; reported */
	CHILD_STOPPED, /* by who took the octets; nothing was reported */
};

struct child {
	const char *const *argv; /* the first one a path; the last one NULL */
	const char *source;      /* in reports */
	struct report *report;
	/* Returns: false to end it. */
	bool (*take)(void *context, struct span octets);
	void *context;
	int idle_ms; /* the longest that it may say nothing; 0: ten minutes */
};

/*
 * Standard input is empty. Lines of standard error become warnings, the first twenty of them.
 * Whatever the program started and left behind in its process group is ended with it.
 */
enum child_status child_run(const struct child *child);

#endif

/*
 * Replaces a file at once: what is there before a crash is there after it, or the new one is,
 * complete and on disk.
 */
#ifndef LOOKUPD_PUBLISH_H
#define LOOKUPD_PUBLISH_H

#include <stdbool.h>

struct publish {
	int fd;     /* the temporary file, open for reading and writing */
	char *temp; /* its path, in the directory of the target */
	const char *target;
	bool keep; /* what is replaced stays, as TARGET.prev */
};

/* Returns: 0, or -1 and errno. target must outlive the structure. */
int publish_begin(struct publish *p, const char *target);

/* Syncs, gives mode 0644, keeps what was there when that is wanted, renames, syncs the directory. Ends p. Returns: 0, or -1 and errno. */
int publish_commit(struct publish *p);

/* Removes the temporary file; no effect on one that has ended. */
void publish_abort(struct publish *p);

#endif

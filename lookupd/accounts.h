/*
 * Accounts of the back end: a passwd file (of /etc, or as `getent passwd` prints it), or those of
 * this host.
 */
#ifndef LOOKUPD_ACCOUNTS_H
#define LOOKUPD_ACCOUNTS_H

#include "lookupd/keymap.h"
#include "lookupd/pool.h"
#include "lookupd/report.h"

struct account {
	struct keymap_item item; /* the name, as it is written */
	uint32_t uid, gid;
	const char *home;
	uint32_t line;
	struct account *next;
};

struct accounts {
	struct pool *pool; /* borrowed */
	struct keymap names;
	const char *source; /* the path that places name */
	struct account *first, **tail;
};

void accounts_init(struct accounts *a, struct pool *pool, const char *source);
void accounts_clear(struct accounts *a);

/*
 * Takes the lines of a passwd file; of two lines of a name the first one counts. Lines that no C
 * library takes are warned of.
 * Returns: 0, or -1 when memory is out.
 */
int accounts_take(struct accounts *a, struct span text, struct report *report);

/* Takes all that the name service of this host lists. Returns: 0, or -1 after a report. */
int accounts_take_host(struct accounts *a, struct report *report);

const struct account *accounts_find(const struct accounts *a, struct span name);

/* The group of that name in a group file. Returns: whether it is there. */
bool accounts_group(struct span text, struct span name, uint32_t *gid_out);

#endif

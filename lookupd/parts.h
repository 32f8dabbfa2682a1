/*
 * Parts of sources whose accepting leaves are in no domain's table: each table of users behind a
 * file of qmail, and the files of each installation. The guard compares each with itself in the
 * database before, so that one which is lost is not hidden by others that are larger.
 */
#ifndef LOOKUPD_PARTS_H
#define LOOKUPD_PARTS_H

#include "lookupd/collection.h"
#include "lookupd/rules.h"

enum { PART_NAME_MAX = 1024 };

struct part {
	struct keymap_item item; /* its name */
	const char *table;       /* NULL: the files of the installation */
	const struct installation *of;
	uint64_t accepts;
	struct part *next;
};

/* What its record holds. */
struct part_record {
	uint64_t accepts, before, taken;
};

/* Counts an accepting leaf that was added. Returns: false without memory. */
bool parts_count(struct rules *r, const struct rule *rule);

/* Adds their records. Returns: 0, or -1 without memory. */
int parts_put(struct collection *c);

/* Returns: false when the value is none. */
bool part_decode(struct span value, struct part_record *p_out);

#endif

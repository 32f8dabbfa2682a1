/*
 * Goes through every address that the tables of a database name, in bounded memory.
 */
#ifndef LOOKUPD_WALK_H
#define LOOKUPD_WALK_H

#include "lib/address.h"
#include "lookupd/database.h"

struct walk;

/* One recipient of one domain. */
struct walked {
	struct address address; /* of extensions and catch-alls one that they cover */
	enum layout_key type;
	size_t domain; /* index of walk_domain() */
	struct span value;
	struct span named; /* the local part of its key */
};

/* In: db, which must outlive the walk. Returns: NULL when memory is out. */
struct walk *walk_new(const struct database *db);
void walk_free(struct walk **w);

/* Domains and suffixes, without the canary's. */
size_t walk_domains(const struct walk *w);
struct span walk_domain(const struct walk *w, size_t index); /* the name */

enum walk_status { WALK_FOUND, WALK_END, WALK_BAD };
enum walk_status walk_next(struct walk *w, struct walked *out);

/* Whether a database has a record of that type for that domain and local part. */
bool walk_names(const struct database *db, const struct walked *here);

#endif

/*
 * The files of a back end, on this host or copied from another one, as its own programs see them.
 *
 * Whether a user may search, read or write is decided here from owners and modes, never by what
 * whoever compiles may do: root may do everything, a copy belongs to whoever made it. Symbolic
 * links lead inside of the tree. A copied tree may bring a list of its owners and modes along.
 */
#ifndef LOOKUPD_TREE_H
#define LOOKUPD_TREE_H

#include <limits.h>

#include "lib/digest.h"
#include "lookupd/keymap.h"
#include "lookupd/pool.h"
#include "lookupd/report.h"

struct tree {
	struct pool pool;
	const char *root; /* before every path; "" for this host */
	struct keymap stats;
	struct digest *digest; /* of all that is looked at; NULL: none */
	bool failed;           /* memory was out */
};

/* Who looks: one user with one group, or, with `all`, somebody who may see everything. */
struct rights {
	uint32_t uid, gid;
	bool all;
};

struct tree_stat {
	uint32_t mode; /* with the type of the file */
	uint32_t uid, gid;
	uint64_t size;
	int64_t mtime;
};

/* We ourselves cannot see it, or there is an input error: nothing can be said. */
enum { TREE_BLIND = -1 };

void tree_init(struct tree *t);
void tree_clear(struct tree *t);

/*
 * Takes a list of owners and modes: lines "MODE UID GID PATH" (octal, decimal, decimal), or such
 * records that end in NUL, as find -printf '%m %U %G %p\0' writes them.
 * Returns: 0, or -1 after a report.
 */
int tree_take_stats(struct tree *t, const char *file, struct report *report);

/*
 * Follows an absolute path as that user would.
 * Out: *st_out; real_out (NULL: not wanted): the path in the tree without links.
 * Returns: 0, an errno, or TREE_BLIND.
 */
int tree_stat(struct tree *t, const char *path, struct rights as, struct tree_stat *st_out,
    char real_out[PATH_MAX]);

/* Whether the file's own bits let that user read (4), write (2), search or execute (1) it. */
bool tree_may(const struct tree_stat *st, struct rights as, unsigned bits);

/*
 * Reads a whole regular file that tree_stat() gave a real path of.
 * Returns: 0 and memory that lives as long as the tree; an errno (EFBIG: longer than max).
 */
int tree_read(struct tree *t, const char *real, size_t max, struct span *octets_out);

/* tree_stat() with every right, and tree_read(). */
int tree_load(struct tree *t, const char *path, size_t max, struct span *octets_out);

/*
 * The names in a directory, except "." and "..", in the order of their octets.
 * Returns: 0, or an errno. The names live as long as the tree.
 */
int tree_list(struct tree *t, const char *real, const char ***names_out, size_t *count_out);

#endif

/*
 * Files that local(8) reads for its users, judged with the rights that it has for them.
 */
#ifndef LOOKUPD_POSTFIX_FILES_H
#define LOOKUPD_POSTFIX_FILES_H

#include <sys/stat.h>

#include "lookupd/postfix.h"

/*
 * The path of the installation on this machine (root=). Returns: NULL when memory is out.
 */
const char *postfix_path(struct postfix *p, struct span path);

/* The octets of a file. Out: *error_out, 0 or an errno. */
struct span postfix_read_file(struct postfix *p, const char *path, int *error_out);

/* The same of a file that the configuration names: what cannot be read is reported, and fails. */
struct span postfix_read_needed(struct postfix *p, const char *path);

/* Reads passwd=, or etc/passwd below root=, or asks this machine; once. */
void postfix_read_accounts(struct postfix *p);

/*
 * lstat() or stat() as the user: a directory on the way that the user cannot search is an error.
 * In: user, NULL for root. Returns: 0 or an errno.
 */
int postfix_stat_as(
    const struct postfix_user *user, const char *path, bool follow, struct stat *st_out);

/* Whether the user may read what st describes. */
bool postfix_may_read(const struct postfix_user *user, const struct stat *st);

/* What running a command has for an outcome, as far as its text tells it. */
unsigned postfix_command_outcome(struct postfix *p, struct span command);

/*
 * Expands $name, ${name}, ${name?text} and ${name:text}.
 * In: value, gives the value of a name; false when it has none.
 * Returns: false when a name without value was needed, or the text is not well formed.
 */
bool postfix_expand(struct span text, bool (*value)(void *context, struct span name, struct buf *b),
    void *context, struct buf *b);

#endif

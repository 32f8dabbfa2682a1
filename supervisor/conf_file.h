/*
 * Reads gatehouse.conf (libconfuse behind it) into a struct conf.
 *
 * Every problem is told with its line, and all of them, as far as the text can be read on: a name
 * that does not exist or a broken syntax ends the reading, a bad value does not.
 */
#ifndef SUPERVISOR_CONF_FILE_H
#define SUPERVISOR_CONF_FILE_H

#include "lib/conf.h"

#include "supervisor/conf_errors.h"

enum { CONF_FILE_MAX = 1024 * 1024 }; /* octets */

/* Where each option was set, for messages about it. */
struct conf_lines;

/*
 * In: path, the file. errors, zeroed or with errors of earlier files.
 * Out: *lines_out, owned by the caller; lines_out may be NULL when they are not wanted.
 * Returns: the configuration, owned by the caller; NULL when anything was added to errors.
 */
struct conf *conf_file_read(
    const char *path, struct conf_errors *errors, struct conf_lines **lines_out);

/* The same from memory. In: name, how messages call it. */
struct conf *conf_text_read(
    struct span text, const char *name, struct conf_errors *errors, struct conf_lines **lines_out);

/* The line that set the option ("limits.sessions"), its first element for a list. Returns: 0 when none did. */
unsigned conf_lines_find(const struct conf_lines *lines, const char *path);

/* The file as it was named. */
const char *conf_lines_file(const struct conf_lines *lines);

void conf_lines_free(struct conf_lines **lines);

#endif

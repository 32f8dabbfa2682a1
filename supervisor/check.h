/*
 * What can be wrong with a configuration although its text is good: files, addresses, accounts,
 * limits that cannot be met on this machine. `gatehouse check` prints it, and `gatehouse run`
 * does not start with an error.
 */
#ifndef SUPERVISOR_CHECK_H
#define SUPERVISOR_CHECK_H

#include "lib/conf.h"

#include "supervisor/conf_file.h"

#include <stdio.h>

/*
 * Writes one line for each finding: "FILE:LINE: error: text" or "FILE:LINE: warning: text",
 * without LINE for an option that the file does not set. What leaves mail unsafe or the gateway
 * unable to work is an error.
 * Out: *errors_out, *warnings_out, how many of each.
 * Returns: the exit status: 0 without errors, otherwise 1.
 */
int check_configuration(const struct conf *conf, const struct conf_lines *lines, FILE *out,
    unsigned *errors_out, unsigned *warnings_out);

/*
 * Whether the database of recipients may be believed: a regular file that, like its directory,
 * nobody but its owner and group can write, and that belongs to root, to who runs this or to the
 * owner of the directory.
 * Returns: NULL when it may, otherwise the reason.
 */
const char *check_recipients_file(const char *path);

/* Descriptors that one SMTP worker needs for its share of the sessions. */
uint64_t check_descriptors(const struct conf *conf);

/*
 * Raises the limit of descriptors of this process, which its children inherit, as far as the
 * kernel lets it, and beyond `needed` only when that costs no privilege. Returns: the limit.
 */
uint64_t check_raise_descriptors(uint64_t needed);

#endif

/* The configuration read and checked as a whole: what `check` prints and `run` insists on. */
#ifndef SUPERVISOR_CONFIGURATION_H
#define SUPERVISOR_CONFIGURATION_H

#include "lib/conf.h"

#include <stdio.h>

/*
 * In: path of the file; report, where errors and warnings go, one a line.
 * Returns: the configuration, owned by the caller; NULL when anything is an error.
 */
struct conf *configuration_read(const char *path, FILE *report);

#endif

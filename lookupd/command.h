/*
 * command:PROGRAM ARGUMENT..., whose output is a recipient list.
 */
#ifndef LOOKUPD_COMMAND_H
#define LOOKUPD_COMMAND_H

#include "lookupd/source.h"

/*
 * In: line, an absolute path and arguments, separated by blanks; no shell reads it. It must outlive
 * the collection.
 */
enum source_status command_source(
    const char *line, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN]);

#endif

/* What a new child is told, in order: options, secret, files, listeners, links, start. */
#ifndef SUPERVISOR_SETUP_H
#define SUPERVISOR_SETUP_H

#include "supervisor/generation.h"

/* Whether this configuration needs the program. */
bool setup_wanted(const struct conf *conf, enum program_id id);

/* Workers of the configuration, 1 to WORKERS_MAX. */
unsigned setup_workers(const struct conf *conf);

/* Sends the whole set-up and makes the links to the neighbours that run. Returns: 0 or -1. */
int setup_send(struct child *c);

/* Opens a file and sends it. Returns: 0; or -1 with a log line. */
int setup_send_file(struct child *c, enum file_kind kind, const char *path);

/* The same for a file that need not be there, and without which everything goes on. */
void setup_send_optional(struct child *c, enum file_kind kind, const char *path);

#endif

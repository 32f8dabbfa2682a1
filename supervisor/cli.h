/* `gatehouse status | reload | stop`: asks the running supervisor and prints its answer. */
#ifndef SUPERVISOR_CLI_H
#define SUPERVISOR_CLI_H

#include "lib/catalogue.h"

/* In: rundir of the instance. Returns: the exit status of the process. */
int cli_command(const char *rundir, enum command_verb verb);

#endif

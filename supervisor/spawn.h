/* Starts one child program: fork, descriptors, exec. */
#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H

#include "lib/programs.h"

#include <sys/types.h>

struct spawned {
	pid_t pid;
	int control; /* our end of the control link, seqpacket; owned by the caller */
	int log;     /* read end of its standard error, non-blocking; owned by the caller */
};

/*
 * Starts libexec_dir/NAME with descriptor 3 as its control link, 2 as its log pipe, 0 and 1 on
 * /dev/null, an empty environment and no other descriptor.
 * Returns: 0; or -1 with errno.
 */
int spawn_program(const char *libexec_dir, enum program_id id, struct spawned *out);

#endif

/*
 * Confinement of a program whose work is to execute another one, which may have to change its
 * user: no filter of system calls and no empty directory, since the other one would inherit
 * them, but the kernel executes that one file only, with the interpreters that it names.
 */
#ifndef LIB_SANDBOX_EXEC_H
#define LIB_SANDBOX_EXEC_H

#include <stdbool.h>

/*
 * From now on, for this process and all that it starts. Needs CAP_SYS_ADMIN or no_new_privs.
 * Returns: 1; 0 when the kernel has no landlock; -1 with errno.
 */
int sandbox_execute_only(const char *path);

/* No set-user-id program gives a capability any more. Needs CAP_SETPCAP. Returns: 0 or -1. */
int sandbox_drop_bounding(void);

#endif

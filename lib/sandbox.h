/*
 * Confinement. Every program calls sandbox_enter once, after its set-up and before it reads
 * the first octet from outside.
 *
 * When started as root: own user and group, an empty chroot, no supplementary groups. Always:
 * no_new_privs, no capabilities, not dumpable, no core, rlimits, landlock (best effort: the
 * second fence), and a seccomp allow-list. A system call that is not listed ends the process
 * (SIGSYS); the supervisor counts and restarts.
 */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include "lib/programs.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Groups of system calls that a program may have beyond the base (memory, clocks, its own
 * descriptors, epoll, links with descriptor passing, exit). */
enum {
	SANDBOX_ACCEPT = 1,  /* accept4, getpeername, socket options on what was accepted */
	SANDBOX_MEMFD = 2,   /* memfd_create, fcntl seals, pwrite */
	SANDBOX_CONNECT = 4, /* socket and connect, AF_INET and AF_INET6 (stream and datagram) */
	SANDBOX_BIND = 8,    /* bind: resolverd's outgoing ports */
	SANDBOX_SENDFILE = 16,
	SANDBOX_FORK = 32,       /* the zygote: clone without namespaces, wait4, kill of children */
	SANDBOX_SOCKETPAIR = 64, /* AF_UNIX only */
	SANDBOX_MAP_FILE = 128,  /* mmap of a descriptor, read-only */
	SANDBOX_LOCK_MEMORY = 256, /* mlock: private keys */
};

struct sandbox_policy {
	unsigned calls;       /* SANDBOX_ flags */
	size_t address_space; /* RLIMIT_AS in octets, 0: not limited */
	unsigned descriptors; /* RLIMIT_NOFILE, 0: as inherited */
	unsigned processes;   /* RLIMIT_NPROC beyond 0, for the zygote */
	size_t file_size;     /* RLIMIT_FSIZE: largest memory file */
	/*
	 * Set: the one file that the program may execute, and that is most of its confinement; see
	 * sandbox_exec.h. Its own user and group without an empty directory; of the above nothing
	 * counts. When started as root, set-user-id programs work; otherwise there is no_new_privs.
	 */
	const char *executable;
};

/* Who to become; from the supervisor (struct conf). */
struct sandbox_identity {
	uid_t uid; /* 0: stay, only when not started as root */
	gid_t gid;
	const char *empty_dir; /* chroot, when started as root */
};

/*
 * Enters the confinement and tests it: a handful of calls that must now fail do fail, and
 * those that must work do.
 * Out: *summary_out, a static text for the log ("user,chroot,landlock,seccomp").
 * Returns: 0, or -1 with a line in the log; the program then exits.
 */
int sandbox_enter(const struct sandbox_policy *policy, const struct sandbox_identity *id,
    const char **summary_out);

/*
 * A narrower filter, made ahead: making one takes a millisecond, entering it a microsecond, and
 * the zygote's children are many.
 */
struct sandbox_filter;

/*
 * In: calls, names of base calls, NULL-terminated; each keeps the conditions that the base has.
 * Before sandbox_enter. Returns: NULL on failure.
 */
struct sandbox_filter *sandbox_filter_new(const char *const *calls);
void sandbox_filter_free(struct sandbox_filter **filter);

/* Narrows this process for good; after sandbox_enter with SANDBOX_FORK. Returns: 0 or -1. */
int sandbox_filter_enter(const struct sandbox_filter *filter);

/* Names of the system calls a policy allows; for docs and tests. Returns: a NULL-terminated list, owned by the library. */
const char *const *sandbox_calls(unsigned flags);

#endif

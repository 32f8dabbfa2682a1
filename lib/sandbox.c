#include "lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox_exec.h"

/* ---- what is allowed ---------------------------------------------------------------------------- */

enum {
	CONDITIONS_MAX = 2,
	SELF_TEST_TRIES = 3,
};

/* One allowed system call, with what its arguments must be; count 0: any. */
struct rule {
	unsigned group; /* 0: the base */
	const char *call;
	unsigned count;
	struct scmp_arg_cmp conditions[CONDITIONS_MAX];
};

#define NO_FORK \
	(CLONE_VM | CLONE_THREAD | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* clang-format off */
#define ANY 0, {{0, 0, 0, 0}}
#define IS(arg, value) 1, {{arg, SCMP_CMP_EQ, value, 0}}
#define BITS(arg, mask, value) 1, {{arg, SCMP_CMP_MASKED_EQ, mask, value}}
/* clang-format on */

static const struct rule rules[] = {
    /* the process's own descriptors */
    {0, "read", ANY},
    {0, "write", ANY},
    {0, "readv", ANY},
    {0, "writev", ANY},
    {0, "pread64", ANY},
    {0, "close", ANY},
    {0, "lseek", ANY},
    {0, "fstat", ANY},
    /* fstat of glibc 2.33 and later: no path, only the descriptor */
    {0, "newfstatat", IS(3, AT_EMPTY_PATH)},
    {0, "fcntl", IS(1, F_GETFL)},
    {0, "fcntl", IS(1, F_SETFL)},
    {0, "fcntl", IS(1, F_GETFD)},
    {0, "fcntl", IS(1, F_SETFD)},
    {0, "fcntl", IS(1, F_GET_SEALS)},
    {0, "fcntl", IS(1, F_DUPFD_CLOEXEC)},
    /* sockets that it was given */
    {0, "recvfrom", ANY},
    {0, "recvmsg", ANY},
    {0, "sendto", ANY},
    {0, "sendmsg", ANY},
    {0, "shutdown", ANY},
    {0, "getsockopt", ANY},
    {0, "setsockopt", ANY},
    {0, "getsockname", ANY},
    {0, "getpeername", ANY},
    /* waiting */
    {0, "epoll_wait", ANY},
    {0, "epoll_pwait", ANY},
    {0, "epoll_pwait2", ANY},
    {0, "epoll_ctl", ANY},
    {0, "poll", ANY},
    {0, "ppoll", ANY},
    {0, "clock_gettime", ANY},
    {0, "clock_nanosleep", ANY},
    {0, "nanosleep", ANY},
    {0, "gettimeofday", ANY},
    {0, "time", ANY},
    {0, "restart_syscall", ANY},
    {0, "futex", ANY},
    /* memory, never executable and never a file */
    {0, "mmap", 2,
	{{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0},
	    {3, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS}}},
    {0, "mprotect", BITS(2, PROT_EXEC, 0)},
    {0, "munmap", ANY},
    {0, "mremap", ANY},
    {0, "madvise", ANY},
    {0, "brk", ANY},
    /* the process itself */
    {0, "getpid", ANY},
    {0, "gettid", ANY},
    {0, "getuid", ANY},
    {0, "geteuid", ANY},
    {0, "getrandom", ANY},
    {0, "getrusage", ANY},
    {0, "sched_yield", ANY},
    {0, "rt_sigaction", ANY},
    {0, "rt_sigprocmask", ANY},
    {0, "rt_sigreturn", ANY},
    {0, "sigaltstack", ANY},
    {0, "exit", ANY},
    {0, "exit_group", ANY},
    {0, "uname", ANY},
    {0, "rseq", ANY},
    {0, "set_robust_list", ANY},

    {SANDBOX_ACCEPT, "accept4", ANY},

    {SANDBOX_MEMFD, "memfd_create", ANY},
    {SANDBOX_MEMFD, "pwrite64", ANY},
    {SANDBOX_MEMFD, "pwritev", ANY},
    {SANDBOX_MEMFD, "ftruncate", ANY},
    {SANDBOX_MEMFD, "fcntl", IS(1, F_ADD_SEALS)},

    {SANDBOX_CONNECT, "socket", IS(0, AF_INET)},
    {SANDBOX_CONNECT, "socket", IS(0, AF_INET6)},
    {SANDBOX_CONNECT, "connect", ANY},
    {SANDBOX_CONNECT, "ioctl", IS(1, FIONBIO)},
    {SANDBOX_CONNECT, "ioctl", IS(1, FIONREAD)},
    {SANDBOX_CONNECT, "sendmmsg", ANY},
    {SANDBOX_CONNECT, "recvmmsg", ANY},

    {SANDBOX_BIND, "bind", ANY},

    {SANDBOX_SENDFILE, "sendfile", ANY},

    {SANDBOX_SOCKETPAIR, "socketpair", IS(0, AF_UNIX)},

    {SANDBOX_MAP_FILE, "mmap", BITS(2, PROT_EXEC | PROT_WRITE, 0)},

    {SANDBOX_LOCK_MEMORY, "mlock", ANY},
    {SANDBOX_LOCK_MEMORY, "mlock2", ANY},
    {SANDBOX_LOCK_MEMORY, "munlock", ANY},

    /* no threads and no new namespaces; clone3 hides its flags behind a pointer and is answered ENOSYS */
    {SANDBOX_FORK, "clone", BITS(0, NO_FORK, 0)},
    {SANDBOX_FORK, "wait4", ANY},
    {SANDBOX_FORK, "kill", ANY},
    {SANDBOX_FORK, "prlimit64", ANY},
    {SANDBOX_FORK, "setrlimit", ANY},
    {SANDBOX_FORK, "close_range", ANY},
    {SANDBOX_FORK, "prctl", ANY},
    {SANDBOX_FORK, "seccomp", ANY},
    {SANDBOX_FORK, "epoll_create1", ANY},
};

enum { RULES = sizeof(rules) / sizeof(rules[0]) };

const char *const *
sandbox_calls(unsigned flags)
{
	static const char *names[RULES + 1];
	size_t n = 0;

	for (size_t i = 0; i < RULES; i++)
		if (rules[i].group == 0 || (rules[i].group & flags) != 0)
			names[n++] = rules[i].call;
	names[n] = NULL;
	return names;
}

/* Loads the filter: what is not listed ends the process. Returns: 0 or -1. */
static int
filter_load(unsigned flags)
{
	const struct scmp_arg_cmp own = {0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = filter == NULL ? -1 : 0;

	for (size_t i = 0; i < RULES && rc == 0; i++) {
		const struct rule *r = &rules[i];
		int call = seccomp_syscall_resolve_name(r->call);

		if (r->group != 0 && (r->group & flags) == 0)
			continue;
		if (call < 0) /* not on this architecture */
			continue;
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, r->count, r->conditions);
	}
	/* abort(), of itself only; a process that is forked later has another number */
	if (rc == 0)
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
		    seccomp_syscall_resolve_name("tgkill"), (flags & SANDBOX_FORK) != 0 ? 0 : 1,
		    &own);
	if (rc == 0 && (flags & SANDBOX_FORK) != 0)
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS),
		    seccomp_syscall_resolve_name("clone3"), 0, NULL);
	if (rc == 0)
		rc = seccomp_load(filter);
	if (filter != NULL)
		seccomp_release(filter);
	return rc == 0 ? 0 : -1;
}

/* ---- narrower filters, made ahead -------------------------------------------------------------- */

struct sandbox_filter {
	struct sock_fprog program;
	struct sock_filter code[];
};

static bool
is_listed(const char *const *calls, const char *call)
{
	while (*calls != NULL && strcmp(*calls, call) != 0)
		calls++;
	return *calls != NULL;
}

/* Reads back what libseccomp wrote. */
static struct sandbox_filter *
filter_read(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	size_t octets = len > 0 ? (size_t)len : 0;
	struct sandbox_filter *f = malloc(sizeof(*f) + octets);

	if (f == NULL)
		return NULL;
	f->program.len = (unsigned short)(octets / sizeof(f->code[0]));
	f->program.filter = f->code;
	if (octets == 0 || pread(fd, f->code, octets, 0) != (ssize_t)octets) {
		free(f);
		return NULL;
	}
	return f;
}

struct sandbox_filter *
sandbox_filter_new(const char *const *calls)
{
	struct sandbox_filter *f = NULL;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int fd = memfd_create("filter", MFD_CLOEXEC);
	int rc = filter == NULL || fd < 0 ? -1 : 0;

	for (size_t i = 0; i < RULES && rc == 0; i++) {
		const struct rule *r = &rules[i];
		int call = seccomp_syscall_resolve_name(r->call);

		if (r->group == 0 && call >= 0 && is_listed(calls, r->call))
			rc = seccomp_rule_add_array(
			    filter, SCMP_ACT_ALLOW, call, r->count, r->conditions);
	}
	if (rc == 0 && seccomp_export_bpf(filter, fd) == 0)
		f = filter_read(fd);
	if (fd >= 0)
		close(fd);
	if (filter != NULL)
		seccomp_release(filter);
	return f;
}

void
sandbox_filter_free(struct sandbox_filter **filter)
{
	free(*filter);
	*filter = NULL;
}

int
sandbox_filter_enter(const struct sandbox_filter *filter)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter->program);
}

/* ---- the second fence ----------------------------------------------------------------------------- */

/* As the kernel has it since 6.7; Debian's header ends at 6.1. */
struct landlock_ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
};

enum {
	LANDLOCK_NET_BIND = 1,
	LANDLOCK_NET_CONNECT = 2,
	LANDLOCK_ABI_REFER = 2,
	LANDLOCK_ABI_TRUNCATE = 3,
	LANDLOCK_ABI_NET = 4,
	LANDLOCK_ABI_IOCTL = 5,
};

/*
 * No file, and no TCP for those that have none. Best effort: an old kernel has seccomp only.
 * Returns: whether it is in force.
 */
static bool
landlock_enter(unsigned flags)
{
	struct landlock_ruleset ruleset = {.handled_access_fs = (1ull << 13) - 1};
	size_t size = sizeof(ruleset);
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	long fd, rc;

	if (abi < 1)
		return false;
	if (abi >= LANDLOCK_ABI_REFER)
		ruleset.handled_access_fs |= 1ull << 13;
	if (abi >= LANDLOCK_ABI_TRUNCATE)
		ruleset.handled_access_fs |= 1ull << 14;
	if (abi >= LANDLOCK_ABI_IOCTL)
		ruleset.handled_access_fs |= 1ull << 15;
	if (abi < LANDLOCK_ABI_NET)
		size = sizeof(ruleset.handled_access_fs);
	else
		ruleset.handled_access_net =
		    ((flags & SANDBOX_BIND) == 0 ? LANDLOCK_NET_BIND : 0u) |
		    ((flags & SANDBOX_CONNECT) == 0 ? LANDLOCK_NET_CONNECT : 0u);
	fd = syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
	if (fd < 0)
		return false;
	rc = syscall(SYS_landlock_restrict_self, (int)fd, 0);
	close((int)fd);
	return rc == 0;
}

/* ---- limits, user, directory ----------------------------------------------------------------------- */

static int
limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit now, want = {value, value};

	if (getrlimit(resource, &now) != 0)
		return -1;
	if (now.rlim_max != RLIM_INFINITY && want.rlim_max > now.rlim_max)
		want.rlim_cur = want.rlim_max = now.rlim_max;
	return setrlimit(resource, &want);
}

static int
limits_enter(const struct sandbox_policy *policy)
{
	if (limit(RLIMIT_CORE, 0) != 0 || limit(RLIMIT_NPROC, policy->processes) != 0 ||
	    limit(RLIMIT_FSIZE, policy->file_size) != 0)
		return -1;
	if (policy->address_space != 0 && limit(RLIMIT_AS, policy->address_space) != 0)
		return -1;
	if (policy->descriptors != 0 && limit(RLIMIT_NOFILE, policy->descriptors) != 0)
		return -1;
	return 0;
}

static int
identity_enter(const struct sandbox_identity *id)
{
	if (id->uid == 0)
		return getuid() == 0 ? -1 : 0;
	if (chroot(id->empty_dir) != 0 || chdir("/") != 0)
		return -1;
	if (setgroups(0, NULL) != 0 || setresgid(id->gid, id->gid, id->gid) != 0 ||
	    setresuid(id->uid, id->uid, id->uid) != 0)
		return -1;
	/* It must not come back. */
	return setresuid(0, 0, 0) != 0 && setgid(0) != 0 ? 0 : -1;
}

/* ---- the self-test ---------------------------------------------------------------------------------- */

static void
try_open(void)
{
	syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY, 0);
}

static void
try_exec(void)
{
	char *const none[] = {NULL};

	syscall(SYS_execve, "/", none, none);
}

static void
try_unix_socket(void)
{
	syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static void
try_ptrace(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
}

/* Out: *status_out, how a child ended that tries under the same filter. Returns: 0 or -1, errno set. */
static int
try_in_child(unsigned flags, void (*attempt)(void), int *status_out)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (filter_load(flags) == 0)
			attempt();
		_exit(0);
	}
	if (pid < 0)
		return -1;
	while (waitpid(pid, status_out, 0) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

/*
 * Whether a child under the same filter dies of SIGSYS when it tries. One that was killed from
 * outside, as for want of memory, says nothing: another is asked. Returns: false with errno set.
 */
static bool
is_fatal(unsigned flags, void (*attempt)(void))
{
	for (unsigned i = 0; i < SELF_TEST_TRIES; i++) {
		int status;

		if (try_in_child(flags, attempt, &status) != 0)
			return false;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
			return true;
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
			errno = ENOTSUP;
			return false;
		}
	}
	errno = EAGAIN;
	return false;
}

static bool
filter_works(unsigned flags)
{
	return is_fatal(flags, try_open) && is_fatal(flags, try_exec) &&
	       is_fatal(flags, try_unix_socket) && is_fatal(flags, try_ptrace);
}

static int
failed(const char *step)
{
	log_event_errno(EVENT_confinement_failed, "step", step, errno);
	return -1;
}

/* For a program that executes another one. */
static int
executor_enter(const struct sandbox_policy *policy, const struct sandbox_identity *id,
    const char **summary_out)
{
	int landlocked;

	if (id->uid == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return failed("no_new_privs");
	landlocked = sandbox_execute_only(policy->executable);
	if (landlocked < 0)
		return failed("executable");
	if (limit(RLIMIT_CORE, 0) != 0)
		return failed("limits");
	if (id->uid == 0) {
		*summary_out = landlocked ? "landlock" : "";
		return 0;
	}
	if (sandbox_drop_bounding() != 0 || chdir("/") != 0 || setgroups(0, NULL) != 0 ||
	    setresgid(id->gid, id->gid, id->gid) != 0 || setresuid(id->uid, id->uid, id->uid) != 0)
		return failed("user");
	if (setresuid(0, 0, 0) == 0 || setgid(0) == 0)
		return failed("user");
	*summary_out = landlocked ? "user,landlock" : "user";
	return 0;
}

int
sandbox_enter(const struct sandbox_policy *policy, const struct sandbox_identity *id,
    const char **summary_out)
{
	bool landlocked;

	if (policy->executable != NULL)
		return executor_enter(policy, id, summary_out);

	tzset(); /* reads /etc/localtime once; later it would be a forbidden open */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return failed("no_new_privs");
	if (!filter_works(policy->calls))
		return failed("self-test");
	if (identity_enter(id) != 0)
		return failed("user");
	if (limits_enter(policy) != 0)
		return failed("limits");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return failed("dumpable");
	landlocked = landlock_enter(policy->calls);
	if (filter_load(policy->calls) != 0)
		return failed("seccomp");
	if (id->uid != 0)
		*summary_out = landlocked ? "user,chroot,landlock,seccomp" : "user,chroot,seccomp";
	else
		*summary_out = landlocked ? "landlock,seccomp" : "seccomp";
	return 0;
}

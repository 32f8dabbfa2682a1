/*
 * Each forbidden call is tried in a child that has really entered the confinement: it must die
 * of SIGSYS, or be refused.
 */
#include "lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char empty_dir[] = "/tmp/gatehouse-sandbox-XXXXXX";

static int
enter(unsigned calls)
{
	struct sandbox_policy policy = {.calls = calls, .descriptors = 64, .file_size = 1 << 20};
	struct sandbox_identity id = {0, 0, empty_dir};
	const char *summary;

	if (getuid() == 0)
		id.uid = id.gid = 61999;
	return sandbox_enter(&policy, &id, &summary);
}

enum verdict { ALLOWED, REFUSED, KILLED };

/* attempt returns -1 with errno when the kernel refused. */
static enum verdict
judge(unsigned calls, long (*attempt)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (enter(calls) != 0)
			_exit(3);
		_exit(attempt() < 0 ? 1 : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGSYS);
		return KILLED;
	}
	assert_int_not_equal(WEXITSTATUS(status), 3);
	return WEXITSTATUS(status) == 0 ? ALLOWED : REFUSED;
}

static long
do_open(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long
do_stat_path(void)
{
	struct stat st;

	return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0);
}

static long
do_inet_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long
do_unix_socket(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long
do_netlink_socket(void)
{
	return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
}

static long
do_exec(void)
{
	char *const none[] = {NULL};

	return syscall(SYS_execve, "/bin/true", none, none);
}

static long
do_fork(void)
{
	return syscall(SYS_clone, (long)SIGCHLD, 0, 0, 0, 0);
}

static long
do_namespace(void)
{
	return syscall(SYS_clone, (long)(SIGCHLD | CLONE_NEWUSER), 0, 0, 0, 0);
}

static long
do_ptrace(void)
{
	return syscall(SYS_ptrace, 0, 0, 0, 0);
}

static long
do_kill(void)
{
	return syscall(SYS_kill, getppid(), 0);
}

static long
do_signal_another(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static long
do_signal_itself(void)
{
	return syscall(SYS_tgkill, getpid(), getpid(), 0);
}

static long
do_executable_memory(void)
{
	return syscall(
	    SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long
do_make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return syscall(SYS_mprotect, p, 4096, PROT_READ | PROT_EXEC);
}

static long
do_memfd(void)
{
	return syscall(SYS_memfd_create, "x", 0);
}

static long
do_bind(void)
{
	return syscall(SYS_bind, 0, NULL, 0);
}

static long
do_setuid(void)
{
	return syscall(SYS_setuid, 0);
}

static long
do_raise_limit(void)
{
	struct rlimit limit = {1, 1};

	return syscall(SYS_prlimit64, 0, RLIMIT_CORE, &limit, NULL);
}

static long
do_allocate(void)
{
	volatile char *p = malloc(1 << 20);

	if (p == NULL)
		return -1;
	p[0] = 1;
	return 0;
}

static const struct {
	const char *name;
	unsigned calls;
	long (*attempt)(void);
	enum verdict want;
} rows[] = {
    {"open", 0, do_open, KILLED},
    {"stat of a path", 0, do_stat_path, KILLED},
    {"internet socket", 0, do_inet_socket, KILLED},
    {"internet socket with CONNECT", SANDBOX_CONNECT, do_inet_socket, ALLOWED},
    {"unix socket with CONNECT", SANDBOX_CONNECT, do_unix_socket, KILLED},
    {"netlink socket with CONNECT", SANDBOX_CONNECT, do_netlink_socket, KILLED},
    {"exec", ~0u, do_exec, KILLED},
    {"fork", 0, do_fork, KILLED},
    {"namespace with FORK", SANDBOX_FORK, do_namespace, KILLED},
    {"ptrace", ~0u, do_ptrace, KILLED},
    {"kill", 0, do_kill, KILLED},
    {"signal another process", 0, do_signal_another, KILLED},
    {"signal itself", 0, do_signal_itself, ALLOWED},
    {"executable memory", ~0u, do_executable_memory, KILLED},
    {"make memory executable", ~0u, do_make_executable, KILLED},
    {"memory file", 0, do_memfd, KILLED},
    {"memory file with MEMFD", SANDBOX_MEMFD, do_memfd, ALLOWED},
    {"bind with CONNECT", SANDBOX_CONNECT, do_bind, KILLED},
    {"become root", ~0u, do_setuid, KILLED},
    {"limits", 0, do_raise_limit, KILLED},
    {"allocate", 0, do_allocate, ALLOWED},
};

static void
what_is_not_listed_is_fatal(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum verdict got = judge(rows[i].calls, rows[i].attempt);

		if (got != rows[i].want)
			fail_msg("%s: %d instead of %d", rows[i].name, got, rows[i].want);
	}
}

/* Looks at itself from inside; PR_ calls need the zygote's groups. */
static long
do_look(void)
{
	struct rlimit core;

	if (getuid() == 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
	    prctl(PR_GET_DUMPABLE) != 0 || prctl(PR_GET_SECCOMP) != 2)
		return -1;
	if (syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, &core) != 0)
		return -1;
	return core.rlim_max == 0 ? 0 : -1;
}

static void
row_308_no_core_no_privileges(void **state)
{
	(void)state;
	assert_int_equal(judge(SANDBOX_FORK, do_look), ALLOWED);
}

static int
make_directory(void **state)
{
	(void)state;
	return mkdtemp(empty_dir) == NULL;
}

static int
remove_directory(void **state)
{
	(void)state;
	return rmdir(empty_dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_not_listed_is_fatal),
	    cmocka_unit_test(row_308_no_core_no_privileges),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

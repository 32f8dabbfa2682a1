/*
 * inject PID CALL [OTHER]: makes a running process do a system call that it would never do of
 * itself, as an attacker who runs code in it could, and prints what came of it:
 *
 *   signal SYS         the kernel ended the process for it
 *   error EPERM        the call failed
 *   done 3             the call succeeded
 *
 * OTHER is the process that calls like kill aim at. Exit 0 when one of these was printed, 77
 * when tracing is not possible here, 1 for other trouble.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

enum { ARGS = 6, NOT_HERE = 77, TRIES = 500, SCRATCH = 4096 };

/* Arguments that are not plain numbers: addresses in the memory of the process. */
enum { PATH = -1000001, INET, UNIX, ZEROS, OTHER };

/* ---- registers, for each architecture --------------------------------------------------------- */

#if defined(__x86_64__)

typedef struct user_regs_struct registers;
static const uint8_t trap[] = {0x0f, 0x05}; /* syscall */

static uint64_t
place(const registers *r)
{
	return r->rip;
}

static uint64_t
stack(const registers *r)
{
	return r->rsp;
}

static long
result(const registers *r)
{
	return (long)r->rax;
}

static void
prepare(registers *r, long call, const long args[ARGS])
{
	r->rip -= sizeof(trap);
	r->orig_rax = (unsigned long)-1; /* no restart of what was interrupted */
	r->rax = (unsigned long)call;
	r->rdi = (unsigned long)args[0];
	r->rsi = (unsigned long)args[1];
	r->rdx = (unsigned long)args[2];
	r->r10 = (unsigned long)args[3];
	r->r8 = (unsigned long)args[4];
	r->r9 = (unsigned long)args[5];
}

#elif defined(__aarch64__)

typedef struct user_regs_struct registers;
static const uint8_t trap[] = {0x01, 0x00, 0x00, 0xd4}; /* svc #0 */

static uint64_t
place(const registers *r)
{
	return r->pc;
}

static uint64_t
stack(const registers *r)
{
	return r->sp;
}

static long
result(const registers *r)
{
	return (long)r->regs[0];
}

static void
prepare(registers *r, long call, const long args[ARGS])
{
	r->pc -= sizeof(trap);
	r->regs[8] = (unsigned long)call;
	for (int i = 0; i < ARGS; i++)
		r->regs[i] = (unsigned long)args[i];
}

#else
#define NO_TRACING
#endif

#ifdef NO_TRACING

int
main(void)
{
	return NOT_HERE;
}

#else

/* ---- the calls -------------------------------------------------------------------------------- */

static const struct call {
	const char *name;
	long number;
	long args[ARGS];
} calls[] = {
    {"open", SYS_openat, {AT_FDCWD, PATH, O_RDONLY}},
    {"create", SYS_openat, {AT_FDCWD, PATH, O_CREAT | O_WRONLY, 0600}},
    {"socket-inet", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
    {"socket-inet6", SYS_socket, {AF_INET6, SOCK_DGRAM, 0}},
    {"socket-unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
    {"socket-netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}},
    {"connect", SYS_connect, {3, INET, sizeof(struct sockaddr_in)}},
    {"bind", SYS_bind, {3, INET, sizeof(struct sockaddr_in)}},
    {"listen", SYS_listen, {3, 5}},
    {"execve", SYS_execve, {PATH, ZEROS, ZEROS}},
    {"fork", SYS_clone, {SIGCHLD, 0, 0, 0, 0}},
    {"thread", SYS_clone,
	{CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0, 0}},
    {"namespace", SYS_clone, {CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0}},
    {"unshare", SYS_unshare, {CLONE_NEWUSER}},
    {"ptrace", SYS_ptrace, {PTRACE_ATTACH, OTHER, 0, 0}},
    {"read-memory", SYS_process_vm_readv, {OTHER, ZEROS, 0, ZEROS, 0, 0}},
    {"kill", SYS_kill, {OTHER, 0}},
    {"tgkill", SYS_tgkill, {OTHER, OTHER, 0}},
    {"setuid", SYS_setuid, {0}},
    {"chroot", SYS_chroot, {PATH}},
    {"mount", SYS_mount, {PATH, PATH, ZEROS, 0, 0}},
    {"map-code", SYS_mmap,
	{0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
    {"io-uring", SYS_io_uring_setup, {1, ZEROS}},
    {"bpf", SYS_bpf, {0, ZEROS, 0}},
    {"getpid", SYS_getpid, {0}},
};

static const struct call *
find_call(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return &calls[i];
	return NULL;
}

/* ---- the process ------------------------------------------------------------------------------ */

static void
fail(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(errno == EPERM || errno == EACCES ? NOT_HERE : 1);
}

static void
get_registers(pid_t pid, registers *r)
{
	struct iovec vector = {r, sizeof(*r)};

	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &vector) != 0)
		fail("registers");
}

static void
set_registers(pid_t pid, registers *r)
{
	struct iovec vector = {r, sizeof(*r)};

	if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &vector) != 0)
		fail("registers");
}

static bool
stands_after_a_call(pid_t pid, const registers *r)
{
	uint8_t code[sizeof(trap)];
	struct iovec here = {code, sizeof(code)};
	struct iovec there = {(void *)(uintptr_t)(place(r) - sizeof(trap)), sizeof(code)};

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)sizeof(code) &&
	       memcmp(code, trap, sizeof(trap)) == 0;
}

/* Stops the process in a system call, which is where it nearly always is. */
static void
stop_in_call(pid_t pid, registers *r)
{
	struct timespec pause = {0, 2000000};
	int status;

	for (int i = 0; i < TRIES; i++) {
		if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0)
			fail("attach");
		if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
			fail("stop");
		get_registers(pid, r);
		if (stands_after_a_call(pid, r))
			return;
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "inject: the process never waits\n");
	exit(1);
}

/* What calls point at, as it is to lie in the memory of the process. */
struct scratch {
	char path[64];
	struct sockaddr_in inet;
	struct sockaddr_un un;
	char zeros[256];
};

static void
write_scratch(pid_t pid, uint64_t address)
{
	struct scratch s = {
	    .path = "/",
	    .inet = {.sin_family = AF_INET, .sin_port = 0x1900, .sin_addr.s_addr = 0x0100007f},
	    .un = {.sun_family = AF_UNIX},
	};
	struct iovec here = {&s, sizeof(s)}, there = {(void *)(uintptr_t)address, sizeof(s)};

	if (process_vm_writev(pid, &here, 1, &there, 1, 0) != (ssize_t)sizeof(s))
		fail("memory");
}

static long
resolve(long arg, uint64_t scratch, pid_t other)
{
	switch (arg) {
	case PATH:
		return (long)(scratch + offsetof(struct scratch, path));
	case INET:
		return (long)(scratch + offsetof(struct scratch, inet));
	case UNIX:
		return (long)(scratch + offsetof(struct scratch, un));
	case ZEROS:
		return (long)(scratch + offsetof(struct scratch, zeros));
	case OTHER:
		return other;
	default:
		return arg;
	}
}

/* Runs the call and prints its end. */
static void
inject(pid_t pid, const struct call *call, pid_t other)
{
	registers before, r;
	long args[ARGS];
	uint64_t scratch;
	int status = 0;

	stop_in_call(pid, &before);
	scratch = (stack(&before) - SCRATCH) & ~(uint64_t)15;
	write_scratch(pid, scratch);
	for (int i = 0; i < ARGS; i++)
		args[i] = resolve(call->args[i], scratch, other);
	r = before;
	prepare(&r, call->number, args);
	set_registers(pid, &r);
	if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0 || waitpid(pid, &status, __WALL) != pid)
		fail("step");
	if (!WIFSTOPPED(status)) {
		printf(
		    "signal %s\n", WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "none");
		return;
	}
	get_registers(pid, &r);
	if (result(&r) < 0 && result(&r) > -4096)
		printf("error %s\n", strerrorname_np((int)-result(&r)));
	else
		printf("done %ld\n", result(&r));
	set_registers(pid, &before);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

int
main(int argc, char **argv)
{
	const struct call *call = argc >= 3 ? find_call(argv[2]) : NULL;

	if (call == NULL) {
		fprintf(stderr, "usage: inject PID CALL [OTHER]\n");
		return 64;
	}
	inject((pid_t)atol(argv[1]), call, argc > 3 ? (pid_t)atol(argv[3]) : 1);
	return 0;
}

#endif

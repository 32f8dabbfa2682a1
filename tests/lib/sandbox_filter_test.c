/* Filters made ahead for processes that are forked often. */
#include "lib/sandbox.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const calls[] = {"getpid", "exit_group", "fcntl", NULL};

/* Returns: the wait status of a process that enters the filter and then does something. */
static int
under_filter(const struct sandbox_filter *filter, void (*attempt)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (sandbox_filter_enter(filter) != 0)
			syscall(SYS_exit_group, 3);
		attempt();
		syscall(SYS_exit_group, 7);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
allowed(void)
{
	syscall(SYS_getpid);
	syscall(SYS_fcntl, 0, F_GETFD);
}

static void
not_listed(void)
{
	syscall(SYS_getuid);
}

static void
other_argument(void)
{
	syscall(SYS_fcntl, 0, F_SETOWN, 1);
}

static void
listed_calls_only(void **state)
{
	struct sandbox_filter *filter = sandbox_filter_new(calls);
	int status;

	(void)state;
	assert_non_null(filter);
	status = under_filter(filter, allowed);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	status = under_filter(filter, not_listed);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	status = under_filter(filter, other_argument);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	sandbox_filter_free(&filter);
	assert_null(filter);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(listed_calls_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

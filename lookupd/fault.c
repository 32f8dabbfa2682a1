#include "lookupd/fault.h"

#include <setjmp.h>
#include <signal.h>

static sigjmp_buf outside;
static volatile sig_atomic_t guarded;

/* A fault that nobody expected ends the process, as it would without this. */
static void
on_fault(int number)
{
	if (!guarded) {
		signal(number, SIG_DFL);
		return;
	}
	guarded = 0;
	siglongjmp(outside, 1);
}

int
fault_init(void)
{
	/* SA_NODEFER: the handler is left by a jump that restores no signal mask. */
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL);
}

bool
fault_guarded(void (*fn)(void *arg), void *arg)
{
	if (sigsetjmp(outside, 0) != 0)
		return false;
	guarded = 1;
	fn(arg);
	guarded = 0;
	return true;
}

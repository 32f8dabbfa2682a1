#include "supervisor/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/link.h"
#include "lib/loop.h"

#include "supervisor/rundir.h"

enum { ANSWER_MS = 150 * 1000 }; /* stop waits for running sessions */

struct asking {
	bool done;
	int status;
};

static void
on_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct asking *a = ctx;

	(void)link;
	(void)fd;
	fwrite(m->command_answer.text.p, 1, m->command_answer.text.len, stdout);
	a->done = m->command_answer.last;
	a->status = m->command_answer.status;
}

static const struct link_handler handlers[] = {
    {MSG_command_answer, on_answer},
};

static const struct link_role role = {
    .self = PROGRAM_CLI,
    .peer = PROGRAM_SUPERVISOR,
    .handlers = handlers,
    .handler_count = 1,
    .brief = true,
};

/* Returns: whether an answer came whole. */
static bool
ask(struct loop *loop, int fd, enum command_verb verb, struct asking *a)
{
	struct msg_command command = {(uint8_t)verb};
	struct link *link = link_new(loop, fd, &role, a);

	if (link == NULL || !link_send(link, MSG_command, &command, -1))
		return false;
	while (!a->done && link_wait(link, ANSWER_MS) == 1)
		continue;
	link_free(&link);
	return a->done;
}

int
cli_command(const char *rundir, enum command_verb verb)
{
	struct asking a = {.status = EX_TEMPFAIL};
	struct loop *loop = loop_new();
	int fd = rundir_connect(rundir);

	if (fd < 0 || loop == NULL) {
		fprintf(
		    stderr, "gatehouse: no gateway answers in %s: %s\n", rundir, strerror(errno));
		return EX_UNAVAILABLE;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (!ask(loop, fd, verb, &a)) {
		/* The end of the gateway is the answer to stop. */
		a.status = verb == COMMAND_STOP ? EX_OK : EX_TEMPFAIL;
		if (verb != COMMAND_STOP)
			fprintf(stderr, "gatehouse: no complete answer\n");
	}
	loop_free(&loop);
	return a.status;
}

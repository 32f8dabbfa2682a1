/* validator, the zygote: one warm process that forks a child for each check. */
#include <unistd.h>

#include "lib/program.h"

#include "validators/child.h"
#include "validators/image.h"
#include "validators/zygote.h"

struct state {
	struct zygote *zygote;
	struct child_setup setup;
};

static void
on_orphaned(void *arg)
{
	program_fatal(arg, "dispatcher is gone", 0);
}

static int
on_conf(struct program *prog)
{
	struct state *state = prog->state;

	if (child_prepare(&state->setup, prog->conf) != 0)
		return -1;
	state->zygote = zygote_new(prog->loop, child_serve, &state->setup);
	if (state->zygote == NULL)
		return -1;
	state->zygote->orphaned = on_orphaned;
	state->zygote->orphaned_arg = prog;
	return 0;
}

static int
on_peer(struct program *prog, enum program_id peer, unsigned index, uint32_t instance, int fd)
{
	struct state *state = prog->state;

	(void)index;
	(void)instance;
	if (peer != PROGRAM_VALIDATORS) {
		close(fd);
		return -1;
	}
	return zygote_take_dispatcher(state->zygote, fd);
}

static void
on_drained(void *arg)
{
	program_finished(arg);
}

/* The dispatcher decides when no more is to be checked: its end is ours. */
static void
on_drain(struct program *prog, uint32_t deadline_ms, bool goodbye)
{
	struct state *state = prog->state;

	(void)deadline_ms;
	(void)goodbye;
	zygote_drain(state->zygote, on_drained, prog);
}

static const struct program_spec spec = {
    .id = PROGRAM_VALIDATOR,
    .sandbox = {.calls = SANDBOX_FORK, .processes = 2 * CHILDREN_MAX},
    .counters = {zygote_counters, ZYGOTE_COUNT_END},
    .on_conf = on_conf,
    .on_peer = on_peer,
    .on_drain = on_drain,
};

int
main(void)
{
	static struct state state;
	struct program prog;

	zygote_counters[ZYGOTE_enlarged].value = image_enlarge();
	if (program_begin(&prog, &spec, &state) != 0 || program_confine(&prog) != 0)
		return prog.exit_status;
	child_settle();
	return program_run(&prog);
}

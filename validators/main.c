/* validators, the dispatcher: keeps verdicts, asks for processes that judge, hands good messages on. */
#include "lib/program.h"

#include "validators/counters.h"
#include "validators/dispatcher.h"

static void
on_zygote_hangs(void *arg)
{
	struct msg_validator_hangs m;

	program_tell(arg, MSG_validator_hangs, &m);
}

static int
on_conf(struct program *prog)
{
	struct dispatcher **d = prog->state;

	*d = dispatcher_new(prog->loop, prog->conf);
	if (*d == NULL)
		return -1;
	(*d)->zygote_hangs = on_zygote_hangs;
	(*d)->hangs_arg = prog;
	return 0;
}

static int
on_peer(struct program *prog, enum program_id peer, unsigned index, uint32_t instance, int fd)
{
	struct dispatcher **d = prog->state;

	return dispatcher_take_peer(*d, peer, index, instance, fd);
}

static void
on_drained(void *arg)
{
	program_finished(arg);
}

/* smtpd drains too, and its end is ours; the supervisor keeps the deadline. */
static void
on_drain(struct program *prog, uint32_t deadline_ms, bool goodbye)
{
	struct dispatcher **d = prog->state;

	(void)deadline_ms;
	(void)goodbye;
	dispatcher_drain(*d, on_drained, prog);
}

static const struct program_spec spec = {
    .id = PROGRAM_VALIDATORS,
    .sandbox = {.calls = SANDBOX_SOCKETPAIR, .address_space = (size_t)1 << 30},
    .counters = {validators_counters, COUNT_END},
    .on_conf = on_conf,
    .on_peer = on_peer,
    .on_drain = on_drain,
};

int
main(void)
{
	struct dispatcher *dispatcher = NULL;
	struct program prog;

	if (program_begin(&prog, &spec, &dispatcher) != 0 || program_confine(&prog) != 0)
		return prog.exit_status;
	return program_run(&prog);
}

/* resolverd: DNS for the checks. It knows names and records, and nothing of mail. */
#include <unistd.h>

#include "lib/program.h"

#include "resolverd/counters.h"
#include "resolverd/recursor.h"
#include "resolverd/service.h"

struct state {
	struct recursor *recursor;
	struct service *service;
};

static int
on_conf(struct program *prog)
{
	struct state *state = prog->state;
	bool validating = false;

	state->recursor = recursor_new(prog->loop, &prog->conf->dns, &validating);
	if (state->recursor == NULL)
		return -1;
	state->service = service_new(prog->loop, state->recursor);
	log_event1(EVENT_resolver, "dnssec", validating ? "validated" : "not-validated");
	return state->service != NULL ? 0 : -1;
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
	return service_take_asker(state->service, fd);
}

static void
on_asker_gone(void *arg)
{
	program_finished(arg);
}

/* As long as the dispatcher is there, its messages may need answers. */
static void
on_drain(struct program *prog, uint32_t deadline_ms, bool goodbye)
{
	struct state *state = prog->state;

	(void)deadline_ms;
	(void)goodbye;
	state->service->asker_gone = on_asker_gone;
	state->service->arg = prog;
	if (state->service->asker == NULL)
		program_finished(prog);
}

static const struct program_spec spec = {
    .id = PROGRAM_RESOLVERD,
    .sandbox = {.calls = SANDBOX_CONNECT | SANDBOX_BIND, .address_space = (size_t)512 << 20},
    .counters = {resolverd_counters, COUNT_END},
    .on_conf = on_conf,
    .on_peer = on_peer,
    .on_drain = on_drain,
};

int
main(void)
{
	static struct state state;
	struct program prog;

	if (program_begin(&prog, &spec, &state) != 0 || program_confine(&prog) != 0)
		return prog.exit_status;
	return program_run(&prog);
}

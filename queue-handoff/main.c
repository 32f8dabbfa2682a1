/* queue-handoff: judged messages to the back ends. */
#include <sys/resource.h>
#include <unistd.h>

#include "lib/program.h"

#include "queue-handoff/counters.h"
#include "queue-handoff/health.h"
#include "queue-handoff/links.h"
#include "queue-handoff/recent.h"

enum {
	/* Descriptors beside those of jobs: the links, and what comes in their packets. */
	DESCRIPTORS_SPARE = 1000,
	DESCRIPTORS_SPARE_LEAST = 200,
};

struct state {
	struct backends backends;
	struct handoff *handoff;
	struct deliver *deliver;
	struct links *links;
	struct health *health;
	struct repeats *repeats;
	struct recent *recent;
};

/*
 * As many jobs as there can be descriptors for. Running out of them must end in "busy" for one
 * message: a link whose descriptor cannot be received is lost with all that is on it.
 */
static unsigned
jobs_possible(void)
{
	struct rlimit limit;
	rlim_t jobs = HANDOFF_JOBS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_max < HANDOFF_DESCRIPTORS + DESCRIPTORS_SPARE_LEAST)
		jobs = limit.rlim_max > DESCRIPTORS_SPARE_LEAST
		           ? (limit.rlim_max - DESCRIPTORS_SPARE_LEAST) / 2
		           : 1;
	return jobs > 0 ? (unsigned)jobs : 1;
}

/* What is known of servers and of messages beyond one hand-off. */
static int
memory_init(struct state *s, struct program *prog)
{
	s->health = health_new(prog->loop, &s->backends, links_group_state, s->links);
	s->repeats = repeats_new(prog->conf->limits.repeat_memory * 1000);
	s->recent = recent_new(s->repeats);
	if (s->health == NULL || s->repeats == NULL || s->recent == NULL)
		return -1;
	handoff_use(s->handoff, s->health, s->repeats, s->recent);
	links_use(s->links, &s->backends, s->recent);
	return 0;
}

static int
on_conf(struct program *prog)
{
	struct state *s = prog->state;
	const char *wrong = backends_init(&s->backends, prog->conf);

	if (wrong == NULL && prog->conf->top.hostname == NULL)
		wrong = "no hostname";
	if (wrong != NULL) {
		log_event1(EVENT_fatal, "what", wrong);
		return -1;
	}
	s->links = links_new(prog->loop);
	if (s->links == NULL)
		return -1;
	s->handoff = handoff_new(
	    prog->loop, links_port(s->links), span_str(prog->conf->top.hostname), jobs_possible());
	return s->handoff != NULL ? memory_init(s, prog) : -1;
}

static int
on_peer(struct program *prog, enum program_id peer, unsigned index, uint32_t instance, int fd)
{
	struct state *s = prog->state;

	if (peer == PROGRAM_SMTPD)
		return links_add_smtpd(s->links, index, instance, fd);
	if (peer == PROGRAM_VALIDATORS)
		return links_add_validators(s->links, fd);
	if (peer == PROGRAM_QMAIL_QUEUE)
		return links_add_helper(s->links, fd);
	close(fd);
	return -1;
}

static void
finish_when_idle(void *arg)
{
	struct program *prog = arg;
	struct state *s = prog->state;

	if (handoff_running(s->handoff) == 0)
		program_finished(prog);
}

static void
on_drain(struct program *prog, uint32_t deadline_ms, bool goodbye)
{
	struct state *s = prog->state;

	/* Every job has deadlines of its own, and the supervisor has its. */
	(void)deadline_ms;
	(void)goodbye;
	links_drain(s->links);
	handoff_on_end(s->handoff, finish_when_idle, prog);
	finish_when_idle(prog);
}

static void
on_status(struct program *prog)
{
	struct state *s = prog->state;

	handoff_counters[COUNT_running].value = handoff_running(s->handoff);
}

static const struct program_spec spec = {
    .id = PROGRAM_QUEUE_HANDOFF,
    .sandbox =
	{
	    .calls = SANDBOX_CONNECT | SANDBOX_SENDFILE | SANDBOX_SOCKETPAIR,
	    /* packages, queues of links, and windows of transactions: all bounded, and below this */
	    .address_space = (size_t)1 << 30,
	    .descriptors = HANDOFF_DESCRIPTORS + DESCRIPTORS_SPARE,
	},
    .counters = {handoff_counters, COUNT_COUNT},
    .on_conf = on_conf,
    .on_peer = on_peer,
    .on_drain = on_drain,
    .on_status = on_status,
};

int
main(void)
{
	static struct state state;
	struct program prog;

	if (program_begin(&prog, &spec, &state) != 0)
		return prog.exit_status;
	if (!prog.has_grant_key) {
		program_fatal(&prog, "no key for the grants", 0);
		return prog.exit_status;
	}
	state.deliver = deliver_new(state.handoff, &state.backends, prog.conf, prog.grant_key);
	links_connect(state.links, state.handoff, state.deliver);
	if (state.deliver == NULL) {
		program_fatal(&prog, "memory", 0);
		return prog.exit_status;
	}
	deliver_use(state.deliver, state.repeats);
	if (program_confine(&prog) != 0)
		return prog.exit_status;
	return program_run(&prog);
}

#include "lib/program.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	CONTROL_FD = 3,
	LOG_FD = STDERR_FILENO,
	SETUP_TIMEOUT_MS = 10000, /* for each step of the set-up */
	PEERS_MAX = 512,
};

static char empty_dir[4097];
static struct sandbox_identity identity;

/* ---- links to other programs ------------------------------------------------------------------- */

/* Which process is at the other end of a link, by the descriptor it came with; fd -1: free. */
static struct peer {
	int fd;
	uint8_t program, index;
	uint32_t instance;
} peers[PEERS_MAX];
static size_t peer_count;

static void
peer_note(const struct msg_peer *m, int fd)
{
	size_t place = peer_count;

	for (size_t i = 0; i < peer_count; i++) {
		if (peers[i].fd == fd)
			peers[i].fd = -1;
		if (peers[i].program == m->program && peers[i].index == m->index)
			place = i;
	}
	if (place == PEERS_MAX)
		return;
	peer_count += place == peer_count;
	peers[place] = (struct peer){fd, m->program, m->index, m->instance};
}

static void
tell_broken(struct program *prog, enum program_id peer, uint32_t instance, bool violated)
{
	struct msg_link_broken m = {(uint8_t)peer, instance, violated};

	if (prog->started && !prog->draining)
		link_send(prog->control, MSG_link_broken, &m, -1);
}

static void
on_link_loss(void *arg, const struct link_loss *loss)
{
	for (size_t i = 0; i < peer_count; i++) {
		if (peers[i].fd != loss->fd || peers[i].program != loss->peer)
			continue;
		peers[i].fd = -1;
		tell_broken(arg, loss->peer, peers[i].instance, loss->violated);
		return;
	}
}

/* ---- what the supervisor says ------------------------------------------------------------------ */

/* A hook refused during the set-up: the process cannot serve. Later it has said so itself. */
static void
hook_result(struct program *prog, int result, const char *what)
{
	if (result != 0 && !prog->started)
		program_fatal(prog, what, 0);
}

static bool
conf_pair_set(struct program *prog, const struct msg_conf_pair *pair)
{
	char path[129], value[4097], error[256];

	memcpy(path, pair->path.p, pair->path.len);
	path[pair->path.len] = '\0';
	if (pair->value.len > 0)
		memcpy(value, pair->value.p, pair->value.len);
	value[pair->value.len] = '\0';
	return conf_set(prog->conf, path, value, error, sizeof(error));
}

static void
on_conf(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct program *prog = ctx;
	struct span rest = m->conf.pairs.encoded;
	struct msg_conf_pair pair;

	(void)link;
	(void)fd;
	while (msg_list_next(&rest, RECORD_conf_pair, &pair)) {
		if (!conf_pair_set(prog, &pair)) {
			program_fatal(prog, "configuration", 0);
			return;
		}
	}
	log_limit(prog->conf->limits.log_rate);
	if (prog->spec->on_conf != NULL)
		hook_result(prog, prog->spec->on_conf(prog), "configuration");
}

static void
on_peer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct program *prog = ctx;
	int peer_fd = *fd, result;

	(void)link;
	if (prog->spec->on_peer == NULL)
		return;
	*fd = -1;
	peer_note(&m->peer, peer_fd);
	result =
	    prog->spec->on_peer(prog, m->peer.program, m->peer.index, m->peer.instance, peer_fd);
	hook_result(prog, result, "peer");
	if (result != 0)
		tell_broken(prog, m->peer.program, m->peer.instance, false);
}

static void
on_listener(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct program *prog = ctx;
	int listener = *fd;

	(void)link;
	if (prog->spec->on_listener == NULL)
		return;
	*fd = -1;
	hook_result(prog, prog->spec->on_listener(prog, &m->listener, listener), "listener");
}

static void
on_clients(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct program *prog = ctx;
	int memory = *fd;

	(void)link;
	if (prog->spec->on_clients == NULL)
		return;
	*fd = -1;
	hook_result(
	    prog, prog->spec->on_clients(prog, m->clients.slot, m->clients.key, memory), "clients");
}

static void
on_secret(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct program *prog = ctx;

	(void)link;
	(void)fd;
	memcpy(prog->grant_key, m->secret.key, sizeof(prog->grant_key));
	prog->has_grant_key = true;
}

static void
on_file(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct program *prog = ctx;
	int file = *fd;

	(void)link;
	if (prog->spec->on_file == NULL)
		return;
	*fd = -1;
	hook_result(prog, prog->spec->on_file(prog, &m->file, file), "file");
}

static void
on_file_gone(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct program *prog = ctx;

	(void)link;
	(void)fd;
	if (prog->spec->on_file_gone != NULL)
		prog->spec->on_file_gone(prog, &m->file_gone);
}

static void
on_start(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct program *prog = ctx;

	(void)link;
	(void)fd;
	prog->index = m->start.index;
	prog->instance = m->start.instance;
	memcpy(empty_dir, m->start.empty_dir.p, m->start.empty_dir.len);
	empty_dir[m->start.empty_dir.len] = '\0';
	identity = (struct sandbox_identity){m->start.uid, m->start.gid, empty_dir};
	prog->started = true;
}

static void
on_drain(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct program *prog = ctx;

	(void)link;
	(void)fd;
	prog->draining = true;
	if (prog->spec->on_drain != NULL)
		prog->spec->on_drain(prog, m->drain.deadline_ms, m->drain.goodbye);
	else
		program_finished(prog);
}

static void
on_status_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct program *prog = ctx;
	const struct counter_table *table = &prog->spec->counters;
	uint8_t room[12000];
	struct buf b = BUF_OVER(room);
	struct msg_status_answer answer = {.serial = m->status_ask.serial};

	(void)fd;
	if (prog->spec->on_status != NULL)
		prog->spec->on_status(prog);
	for (size_t i = 0; i < table->count; i++) {
		struct msg_counter_value value = {
		    span_str(table->counters[i].name), table->counters[i].value};

		if (!msg_list_put(&b, RECORD_counter_value, &value))
			break;
		answer.counters.count++;
	}
	answer.counters.encoded = buf_span(&b);
	link_send(link, MSG_status_answer, &answer, -1);
}

/* The supervisor is gone: nothing that we hold would ever be renewed. */
static void
on_control_lost(void *ctx, struct link *link)
{
	struct program *prog = ctx;

	(void)link;
	prog->exit_status = EX_TEMPFAIL;
	loop_stop(prog->loop);
}

static const struct link_handler control_handlers[] = {
    {MSG_conf, on_conf},
    {MSG_peer, on_peer},
    {MSG_listener, on_listener},
    {MSG_clients, on_clients},
    {MSG_secret, on_secret},
    {MSG_file, on_file},
    {MSG_file_gone, on_file_gone},
    {MSG_start, on_start},
    {MSG_drain, on_drain},
    {MSG_status_ask, on_status_ask},
};

/* One for each program; which program it is, is known at run time only. */
static struct link_role control_role = {
    .peer = PROGRAM_SUPERVISOR,
    .handlers = control_handlers,
    .handler_count = sizeof(control_handlers) / sizeof(control_handlers[0]),
    .on_lost = on_control_lost,
};

/* ---- life ------------------------------------------------------------------------------------- */

static struct timer log_timer;

static void
on_log_timer(void *arg)
{
	(void)arg;
	log_flush();
}

static void
flush_log(void *arg)
{
	struct program *prog = arg;

	if (!log_waiting())
		return;
	if (log_urgent())
		log_flush();
	else if (!log_timer.active &&
		 timer_set(prog->loop, &log_timer, LOG_DELAY_MS, on_log_timer, NULL) != 0)
		log_flush();
}

static struct turn_hook log_hook = {.fn = flush_log};

/*
 * A message passes five programs. Each finishes its turn, with all that has gathered, before the
 * one that it woke takes its processor: that saves a third of the CPU time of a message.
 */
static void
finish_turns_first(void)
{
	const struct sched_param none = {0};

	if (sched_getscheduler(0) == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH, &none);
}

int
program_begin(struct program *prog, const struct program_spec *spec, void *state)
{
	*prog = (struct program){.spec = spec, .state = state};
	log_init(LOG_FD);
	finish_turns_first();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* the terminal's; the supervisor decides */
	signal(SIGXFSZ, SIG_IGN);
	prog->loop = loop_new();
	prog->conf = conf_new();
	control_role.self = spec->id;
	if (prog->loop != NULL && prog->conf != NULL)
		prog->control = link_new(prog->loop, CONTROL_FD, &control_role, prog);
	if (prog->control == NULL) {
		program_fatal(prog, "control link: this program is started by gatehouse", errno);
		return -1;
	}
	link_on_loss(on_link_loss, prog);
	log_hook.arg = prog;
	loop_add_hook(prog->loop, &log_hook);
	while (!prog->started && prog->exit_status == 0)
		if (link_wait(prog->control, SETUP_TIMEOUT_MS) != 1)
			program_fatal(prog, "set-up", ETIMEDOUT);
	log_flush();
	return prog->exit_status == 0 ? 0 : -1;
}

int
program_confine(struct program *prog)
{
	struct msg_ready ready;
	const char *summary = "";

	if (sandbox_enter(&prog->spec->sandbox, &identity, &summary) != 0) {
		program_fatal(prog, "confinement", 0);
		return -1;
	}
	log_event1(EVENT_started, "confinement", summary);
	log_flush();
	link_send(prog->control, MSG_ready, &ready, -1);
	return 0;
}

int
program_run(struct program *prog)
{
	if (prog->exit_status == 0)
		loop_run(prog->loop);
	log_flush();
	return prog->exit_status;
}

void
program_file_verdict(struct program *prog, enum file_kind kind, bool taken, const char *detail)
{
	struct msg_file_verdict verdict = {
	    .kind = (uint8_t)kind,
	    .taken = taken,
	    .detail = span_head(span_str(detail), 512),
	};

	link_send(prog->control, MSG_file_verdict, &verdict, -1);
}

void
program_finished(struct program *prog)
{
	loop_stop(prog->loop);
}

void
program_fatal(struct program *prog, const char *what, int error)
{
	struct log_line l;

	if (prog->exit_status != 0)
		return;
	prog->exit_status = EX_OSERR;
	log_begin(&l, EVENT_fatal);
	log_str(&l, "what", what);
	if (error != 0)
		log_errno(&l, error);
	log_end(&l);
	log_flush();
	if (prog->loop != NULL)
		loop_stop(prog->loop);
}

void
program_tell(struct program *prog, enum msg_type type, const void *fields)
{
	link_send(prog->control, type, fields, -1);
}

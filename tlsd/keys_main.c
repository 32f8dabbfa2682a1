/*
 * tls-keys: signs handshakes for tlsd, and nothing else.
 *
 * It holds the private keys and speaks with one program by one message. README.md says what it
 * may touch.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "lib/program.h"

#include "tlsd/keys_counters.h"
#include "tlsd/keys_serve.h"

enum { ADDRESS_SPACE = 48 * 1024 * 1024 };

/*
 * The heap of the keys is locked by keys_crypto; this locks the rest of the process, where
 * libcrypto's intermediate values lie, if the limit leaves room for all of it: with less, a
 * later allocation would fail.
 */
static void
memory_lock(void)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY}, core = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &core);
	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur >= ADDRESS_SPACE)
		mlockall(MCL_CURRENT | MCL_FUTURE);
}

static int
on_conf(struct program *prog)
{
	if (keys_crypto_init() != 0)
		return -1;
	if (!keys_crypto_locked())
		log_event1(EVENT_memory_not_locked, "advice", "raise RLIMIT_MEMLOCK");
	return keys_serve_init(prog->state, prog->loop);
}

static int
on_peer(struct program *prog, enum program_id peer, unsigned index, uint32_t instance, int fd)
{
	(void)peer; /* the supervisor links us with tlsd only; the link's hello holds it to that */
	(void)index;
	(void)instance;
	return keys_serve_peer(prog->state, fd);
}

/* A bad file is told and changes nothing; at start-up too, since handshakes fail cleanly. */
static int
on_file(struct program *prog, const struct msg_file *file, int fd)
{
	const char *why = keys_serve_file(prog->state, file->name, fd);

	program_file_verdict(prog, (enum file_kind)file->kind, why == NULL, why != NULL ? why : "");
	return 0;
}

static void
on_idle(void *arg)
{
	program_finished(arg);
}

/* tlsd finishes its handshakes; when its link ends, nobody will ask any more. */
static void
on_drain(struct program *prog, uint32_t deadline_ms, bool goodbye)
{
	static struct timer deadline;
	struct keys_server *server = prog->state;

	(void)goodbye;
	server->on_idle = on_idle;
	server->arg = prog;
	if (!link_alive(server->tlsd) ||
	    timer_set(prog->loop, &deadline, deadline_ms, on_idle, prog) != 0)
		program_finished(prog);
}

static void
on_status(struct program *prog)
{
	const struct keys_server *server = prog->state;

	KEYS_COUNT(keys) = server->ring.count;
	KEYS_COUNT(memory_locked) = keys_crypto_locked();
}

int
main(void)
{
	static const struct program_spec spec = {
	    .id = PROGRAM_TLS_KEYS,
	    .sandbox = {.calls = SANDBOX_LOCK_MEMORY, .address_space = ADDRESS_SPACE},
	    .counters = {keys_counters, KEYS_COUNTERS},
	    .on_conf = on_conf,
	    .on_peer = on_peer,
	    .on_file = on_file,
	    .on_drain = on_drain,
	    .on_status = on_status,
	};
	static struct keys_server server;
	static struct program prog;

	memory_lock();
	if (program_begin(&prog, &spec, &server) != 0 || program_confine(&prog) != 0)
		return prog.exit_status;
	return program_run(&prog);
}

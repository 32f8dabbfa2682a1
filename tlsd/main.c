/*
 * tlsd: TLS for smtpd. A client's socket comes in, a plain one goes back; keys are elsewhere.
 * README.md says what it may touch.
 */
#include <sys/resource.h>

#include "lib/program.h"

#include "tlsd/counters.h"
#include "tlsd/tlsd.h"

enum {
	PROGRAM_OCTETS = 128 * 1024 * 1024,
	/* 47 KiB in libssl, a ClientHello of 128 KiB while it is read, both pipes full. */
	SESSION_OCTETS = 47 * 1024 + 128 * 1024 + 2 * RELAY_SCRATCH,
};

static void
on_verdict(void *arg, bool taken, const char *detail)
{
	program_file_verdict(arg, FILE_CERTIFICATE, taken, detail);
}

/* What the sessions that may be there can need at worst, and no more. */
static void
memory_limit(size_t sessions)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) != 0)
		return;
	limit.rlim_cur = PROGRAM_OCTETS + sessions * SESSION_OCTETS;
	if (limit.rlim_cur <= limit.rlim_max)
		setrlimit(RLIMIT_AS, &limit);
}

static int
on_conf(struct program *prog)
{
	struct tlsd *t = prog->state;

	if (tlsd_init(t, prog->loop, prog->conf->tls.handshake_timeout * 1000,
		(size_t)prog->conf->limits.sessions) != 0)
		return -1;
	memory_limit(t->pool.most);
	t->certificates.verdict = on_verdict;
	t->certificates.arg = prog;
	return 0;
}

static int
on_peer(struct program *prog, enum program_id peer, unsigned index, uint32_t instance, int fd)
{
	struct tlsd *t = prog->state;

	(void)instance;
	return peer == PROGRAM_TLS_KEYS ? signer_peer(&t->signer, fd)
	                                : tlsd_worker_peer(t, index, fd);
}

static int
on_file(struct program *prog, const struct msg_file *file, int fd)
{
	struct tlsd *t = prog->state;

	/* The supervisor gives us certificates only; a key would be refused by its looks. */
	certificate_file(&t->certificates, file, fd);
	return 0;
}

static void
on_finished(void *arg)
{
	program_finished(arg);
}

static void
on_drain(struct program *prog, uint32_t deadline_ms, bool goodbye)
{
	static struct timer deadline;

	(void)goodbye;
	if (timer_set(prog->loop, &deadline, deadline_ms, on_finished, prog) != 0)
		program_finished(prog);
	tlsd_drain(prog->state, on_finished, prog);
}

int
main(void)
{
	static const struct program_spec spec = {
	    .id = PROGRAM_TLSD,
	    .sandbox = {.calls = SANDBOX_SOCKETPAIR},
	    .counters = {tlsd_counters, TLSD_COUNTERS},
	    .on_conf = on_conf,
	    .on_peer = on_peer,
	    .on_file = on_file,
	    .on_drain = on_drain,
	};
	static struct tlsd tlsd;
	static struct program prog;

	if (program_begin(&prog, &spec, &tlsd) != 0 || program_confine(&prog) != 0)
		return prog.exit_status;
	return program_run(&prog);
}

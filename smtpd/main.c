/* smtpd: takes mail by SMTP. One event-driven process of several alike. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/program.h"

#include "smtpd/counters.h"
#include "smtpd/listener.h"
#include "smtpd/partners.h"
#include "smtpd/worker.h"

/* More than limits.message_size can be: no memory file grows past it, whatever goes wrong. */
enum { MESSAGE_FILE_MAX = 1100 * 1000 * 1000 };

struct smtpd {
	struct partners partners; /* links to lookupd, validators, queue-handoff, tlsd */
	struct worker worker;     /* sessions */
	struct listener *listeners;
};

static int
on_conf(struct program *prog)
{
	struct smtpd *smtpd = prog->state;
	struct surroundings around = partners_surroundings(&smtpd->partners);

	partners_init(&smtpd->partners, prog->loop, &smtpd->worker);
	if (worker_init(&smtpd->worker, prog->loop, &around) != 0)
		return -1;
	return worker_configure(&smtpd->worker, prog->conf);
}

static int
on_peer(struct program *prog, enum program_id peer, unsigned index, uint32_t instance, int fd)
{
	struct smtpd *smtpd = prog->state;

	(void)index;
	(void)instance;
	return partners_take(&smtpd->partners, peer, fd);
}

static int
on_listener(struct program *prog, const struct msg_listener *listener, int fd)
{
	struct smtpd *smtpd = prog->state;
	struct listener *l = listener_new(&smtpd->worker, fd, listener->tls == 1);

	if (l == NULL)
		return -1;
	l->next = smtpd->listeners;
	smtpd->listeners = l;
	return 0;
}

static int
on_clients(struct program *prog, unsigned slot, const uint8_t *key, int fd)
{
	struct smtpd *smtpd = prog->state;
	struct stat st;
	void *memory = MAP_FAILED;

	if (fstat(fd, &st) == 0 && st.st_size == (off_t)clients_size())
		memory = mmap(NULL, clients_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		return -1;
	clients_init(&smtpd->worker.clients, memory, slot, key);
	return 0;
}

static void
on_idle(void *arg)
{
	program_finished(arg);
}

/* The supervisor keeps the deadline. */
static void
on_drain(struct program *prog, uint32_t deadline_ms, bool goodbye)
{
	struct smtpd *smtpd = prog->state;

	(void)deadline_ms;
	while (smtpd->listeners != NULL) {
		struct listener *l = smtpd->listeners;

		smtpd->listeners = l->next;
		listener_free(&l);
	}
	worker_drain(&smtpd->worker, goodbye, on_idle, prog);
}

static void
on_status(struct program *prog)
{
	const struct smtpd *smtpd = prog->state;

	gauge(COUNT_sessions_open, worker_sessions_open(&smtpd->worker));
	gauge(COUNT_message_memory, smtpd->worker.budget.used);
}

static const struct program_spec spec = {
    .id = PROGRAM_SMTPD,
    .sandbox = {.calls = SANDBOX_ACCEPT | SANDBOX_MEMFD, .file_size = MESSAGE_FILE_MAX},
    .counters = {smtpd_counters, COUNT_END},
    .on_conf = on_conf,
    .on_peer = on_peer,
    .on_listener = on_listener,
    .on_clients = on_clients,
    .on_drain = on_drain,
    .on_status = on_status,
};

/* Ids begin with the time, so two lives of the same worker never give the same one. */
static void
begin_ids(struct smtpd *smtpd, const struct program *prog)
{
	uint64_t random = 0;

	while (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		continue;
	id_maker_init(&smtpd->worker.ids, clock_unix_us() / 1000, prog->instance, random);
}

int
main(void)
{
	static struct smtpd smtpd;
	struct program prog;
	int status;

	if (program_begin(&prog, &spec, &smtpd) != 0)
		return prog.exit_status;
	begin_ids(&smtpd, &prog);
	if (program_confine(&prog) != 0)
		return prog.exit_status;
	status = program_run(&prog);
	partners_clear(&smtpd.partners);
	return status;
}

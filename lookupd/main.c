/*
 * lookupd: says of each recipient whether it may be accepted, and vouches for it with a grant.
 * README.md says what it may touch.
 */
#include <sysexits.h>
#include <unistd.h>

#include "lib/program.h"

#include "lookupd/counters.h"
#include "lookupd/serve.h"

enum {
	DESCRIPTORS = 512,
	PROGRAM_OCTETS = 128 * 1024 * 1024,
};

static void
on_verdict(void *arg, bool taken, const char *detail)
{
	program_file_verdict(arg, FILE_RECIPIENTS, taken, detail);
}

static void
on_overlay(void *arg, bool taken, const char *detail)
{
	program_file_verdict(arg, FILE_OVERLAY, taken, detail);
}

static void
on_idle(void *arg)
{
	program_finished(arg);
}

static struct program_spec spec;

/*
 * Two databases while one replaces the other: copied up to one size, mapped up to another.
 */
static int
on_conf(struct program *prog)
{
	const struct conf_limits *limits = &prog->conf->limits;

	spec.sandbox.address_space =
	    2 * (limits->recipients_memory + limits->recipients_file) + PROGRAM_OCTETS;
	return serve_init(prog->state, prog->loop, prog->conf);
}

static int
on_peer(struct program *prog, enum program_id peer, unsigned index, uint32_t instance, int fd)
{
	if (peer != PROGRAM_SMTPD) {
		close(fd);
		return -1;
	}
	return serve_peer(prog->state, index, instance, fd);
}

/* A bad file is no reason to end: without one, every question is answered as trouble. */
static int
on_file(struct program *prog, const struct msg_file *file, int fd)
{
	switch (file->kind) {
	case FILE_RECIPIENTS:
		serve_file(prog->state, file->name, fd, !prog->started);
		return 0;
	case FILE_PREVIOUS:
		serve_previous(prog->state, file->name, fd);
		program_file_verdict(prog, FILE_PREVIOUS, true, "kept for need");
		return 0;
	case FILE_OVERLAY:
		serve_overlay(prog->state, file->name, fd);
		return 0;
	default:
		close(fd);
		return -1;
	}
}

static void
on_file_gone(struct program *prog, const struct msg_file_gone *gone)
{
	if (gone->kind != FILE_OVERLAY)
		return;
	if (gone->refused)
		serve_overlay_refused(
		    prog->state, gone->name, "it cannot be opened, or others could write it");
	else
		serve_overlay_gone(prog->state, gone->name);
}

static void
on_drain(struct program *prog, uint32_t deadline_ms, bool goodbye)
{
	static struct timer deadline;

	(void)goodbye;
	if (timer_set(prog->loop, &deadline, deadline_ms, on_idle, prog) != 0)
		program_finished(prog);
	serve_drain(prog->state);
}

static void
on_status(struct program *prog)
{
	serve_gauges(prog->state);
}

static struct program_spec spec = {
    .id = PROGRAM_LOOKUPD,
    .sandbox =
	{
	    .calls = SANDBOX_MAP_FILE, /* very large databases */
	    .descriptors = DESCRIPTORS,
	},
    .counters = {lookupd_counters, LOOKUPD_COUNTERS},
    .on_conf = on_conf,
    .on_peer = on_peer,
    .on_file = on_file,
    .on_file_gone = on_file_gone,
    .on_drain = on_drain,
    .on_status = on_status,
};

int
main(void)
{
	static struct program prog;
	static struct serve serve = {
	    .on_verdict = on_verdict, .on_overlay = on_overlay, .on_idle = on_idle, .arg = &prog};

	if (program_begin(&prog, &spec, &serve) != 0)
		return prog.exit_status;
	if (!prog.has_grant_key || serve_set_key(&serve, prog.grant_key) != 0) {
		program_fatal(&prog, "grant key", 0);
		return prog.exit_status;
	}
	if (program_confine(&prog) != 0)
		return prog.exit_status;
	return program_run(&prog);
}

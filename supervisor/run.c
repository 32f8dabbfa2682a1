#include "supervisor/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "supervisor/check.h"
#include "supervisor/configuration.h"
#include "supervisor/control.h"
#include "supervisor/generation.h"
#include "supervisor/libraries.h"
#include "supervisor/recipients.h"
#include "supervisor/rundir.h"
#include "supervisor/setup.h"
#include "supervisor/status.h"

enum {
	STOP_MS = 120 * 1000,         /* sessions at SIGTERM */
	PATIENCE_MS = 15 * 60 * 1000, /* sessions of the old generation after a reload */
	/* A new generation that is not ready by then has failed; very large databases take a while. */
	READY_MS = 120 * 1000,
	STATUS_MS = 1000,     /* programs that have not answered by then are left out */
	WATCH_MS = 500,       /* how often the recipients file is looked at */
	GOING_MOST = 4,       /* generations that finish their sessions */
	HURRY_MS = 10 * 1000, /* for the oldest of them, when there would be more */
};

struct gatehouse {
	const char *config_path;
	struct loop *loop;
	struct rundir rundir;
	struct surroundings around;
	struct control control;
	struct generation *serving; /* NULL only before the start and at the end */
	struct generation *coming;  /* starting after a reload */
	struct generation
	    *going[GOING_MOST]; /* drained after reloads, the oldest first; NULL behind */
	unsigned generations;
	uint64_t started_ms;
	int signal_fd;
	struct watch signals;
	struct timer ready_deadline, status_deadline, file_watch;
	struct deferred give_up_coming, reload_again;
	struct recipients_seen recipients;
	bool stopping;
	bool reloading; /* one is under way, and not answered yet */
	bool again;     /* and another was asked for meanwhile */
};

static const struct generation_hooks hooks;

/* ---- generations ----------------------------------------------------------------------------------- */

static struct generation *
make_generation(struct gatehouse *gh, struct conf *conf, FILE *report)
{
	struct listeners listeners;
	char error[256];
	struct generation *g;

	if (listeners_open(&listeners, &conf->top,
		gh->serving != NULL ? &gh->serving->listeners : NULL, error, sizeof(error)) != 0) {
		fprintf(report, "%s\n", error);
		conf_free(&conf);
		return NULL;
	}
	recipients_given(&gh->recipients, conf->top.recipients);
	g = generation_start(
	    &gh->around, ++gh->generations, conf, &listeners, gh->serving != NULL, &hooks, gh);
	if (g == NULL)
		fprintf(report, "cannot start the programs: %s\n", strerror(errno));
	return g;
}

static void
look_at_recipients(void *arg)
{
	struct gatehouse *gh = arg;

	timer_set(gh->loop, &gh->file_watch, WATCH_MS, look_at_recipients, gh);
	if (gh->serving != NULL)
		recipients_look(&gh->recipients, gh->serving);
}

/* ---- stop and reload ---------------------------------------------------------------------------------- */

/* Takes one out, and closes the gap. */
static void
going_free(struct gatehouse *gh, size_t index)
{
	generation_free(&gh->going[index]);
	for (size_t i = index; i + 1 < GOING_MOST; i++) {
		gh->going[i] = gh->going[i + 1];
		gh->going[i + 1] = NULL;
	}
}

static void
end_if_done(struct gatehouse *gh)
{
	if (gh->stopping && gh->serving == NULL && gh->coming == NULL && gh->going[0] == NULL)
		loop_stop(gh->loop);
}

static void
stop(struct gatehouse *gh, const char *reason)
{
	if (gh->stopping) {
		/* Asked twice: at once. */
		generation_free(&gh->serving);
		while (gh->going[0] != NULL)
			going_free(gh, 0);
		end_if_done(gh);
		return;
	}
	gh->stopping = true;
	log_event1(EVENT_stopping, "reason", reason);
	generation_free(&gh->coming);
	if (gh->serving != NULL)
		generation_drain(gh->serving, 0, STOP_MS);
	for (size_t i = 0; i < GOING_MOST && gh->going[i] != NULL; i++)
		generation_drain(gh->going[i], 0, STOP_MS);
	end_if_done(gh);
}

/* Who asked while it was under way asked for what is in the file by now: one more, and then all are answered. */
static void
reload_ended(struct gatehouse *gh, uint8_t status, const char *text)
{
	gh->reloading = false;
	if (gh->again)
		loop_defer(gh->loop, &gh->reload_again);
	else
		control_answer(&gh->control, COMMAND_RELOAD, status, span_str(text));
}

static void
reload_failed(struct gatehouse *gh, uint8_t status, const char *reason)
{
	log_event1(EVENT_reload_failed, "reason", reason);
	reload_ended(gh, status, reason);
}

static void
on_ready_deadline(void *arg)
{
	struct gatehouse *gh = arg;

	if (gh->coming == NULL)
		return;
	generation_free(&gh->coming);
	reload_failed(gh, EX_CONFIG, "the new programs did not become ready; the log says why\n");
}

static void
reload_begun(struct gatehouse *gh)
{
	struct log_line l;

	gh->reloading = true;
	log_begin(&l, EVENT_reload);
	log_u64(&l, "generation", gh->coming->number);
	log_end(&l);
	timer_set(gh->loop, &gh->ready_deadline, READY_MS, on_ready_deadline, gh);
}

static bool
may_reload(struct gatehouse *gh)
{
	if (gh->stopping) {
		reload_failed(gh, EX_TEMPFAIL, "stopping\n");
		return false;
	}
	if (gh->reloading) {
		gh->again = true;
		return false;
	}
	if (gh->going[GOING_MOST - 1] != NULL) {
		generation_drain(gh->going[0], 0, HURRY_MS);
		reload_failed(gh, EX_TEMPFAIL,
		    "sessions of too many earlier configurations are still open; the oldest are "
		    "being ended: try again in some seconds\n");
		return false;
	}
	return true;
}

static void
reload(struct gatehouse *gh)
{
	char *text = NULL;
	size_t len = 0;
	FILE *report;
	struct conf *conf;

	if (!may_reload(gh))
		return;
	report = open_memstream(&text, &len);
	if (report == NULL) {
		reload_failed(gh, EX_TEMPFAIL, "out of memory\n");
		return;
	}
	conf = configuration_read(gh->config_path, report);
	if (conf != NULL && strcmp(conf->top.rundir, gh->serving->conf->top.rundir) != 0) {
		fprintf(report, "rundir cannot change while the gateway runs\n");
		conf_free(&conf);
	}
	if (conf != NULL)
		gh->coming = make_generation(gh, conf, report);
	fclose(report);
	if (gh->coming == NULL)
		reload_failed(gh, EX_CONFIG, text != NULL ? text : "");
	else
		reload_begun(gh);
	free(text);
}

static void
reload_again(void *arg)
{
	struct gatehouse *gh = arg;

	gh->again = false;
	reload(gh);
}

/* ---- what generations say ------------------------------------------------------------------------------ */

static void
log_ready(const struct generation *g)
{
	struct log_line l;

	log_begin(&l, EVENT_ready);
	log_u64(&l, "generation", g->number);
	for (size_t i = 0; i < g->listeners.count; i++)
		log_str(&l, "listen", g->listeners.item[i].name);
	log_u64(&l, "workers", setup_workers(g->conf));
	log_end(&l);
}

static void
on_old_heard(void *arg)
{
	struct gatehouse *gh = arg;

	timer_stop(&gh->ready_deadline);
	reload_ended(gh, EX_OK, "reloaded\n");
}

/* The new generation serves from now on; the old one finishes its sessions. */
static void
replace_serving(struct gatehouse *gh)
{
	size_t last = 0;

	while (gh->going[last] != NULL)
		last++;
	gh->going[last] = gh->serving;
	gh->serving = gh->coming;
	gh->coming = NULL;
	log_relay_open(gh->serving->conf->top.log == CONF_LOG_SYSLOG);
	generation_drain(gh->going[last], PATIENCE_MS, STOP_MS);
	/* Answered when its workers have answered, and so have heard that they accept no more. */
	timer_set(gh->loop, &gh->ready_deadline, STATUS_MS, on_old_heard, gh);
	if (gh->going[last] != NULL)
		generation_ask_status(gh->going[last]);
}

static void
on_generation_ready(void *ctx, struct generation *g)
{
	struct gatehouse *gh = ctx;

	log_ready(g);
	if (g == gh->coming) {
		timer_stop(&gh->ready_deadline);
		replace_serving(gh);
	}
	/* Now that it serves: nothing waits for two files to be read. */
	libraries_log(gh->around.libexec_dir);
}

/* Deferred: the generation is speaking when it says that it has a bad file. */
static void
give_up_coming(void *arg)
{
	struct gatehouse *gh = arg;

	if (gh->coming == NULL)
		return;
	generation_free(&gh->coming);
	reload_failed(gh, EX_CONFIG, "a file was refused; the log says which and why\n");
}

static void
on_generation_refused(void *ctx, struct generation *g)
{
	struct gatehouse *gh = ctx;

	(void)g;
	timer_stop(&gh->ready_deadline);
	loop_defer(gh->loop, &gh->give_up_coming);
}

/* Not freed here: the caller is the generation itself. */
static void
on_generation_gone(void *ctx, struct generation *g)
{
	struct gatehouse *gh = ctx;
	struct log_line l;

	log_begin(&l, EVENT_generation_gone);
	log_u64(&l, "generation", g->number);
	log_end(&l);
	if (g == gh->serving)
		generation_free(&gh->serving);
	for (size_t i = 0; i < GOING_MOST; i++)
		if (g == gh->going[i])
			going_free(gh, i);
	end_if_done(gh);
}

static void
on_generation_status(void *ctx, struct generation *g)
{
	static uint8_t room[STATUS_MAX];
	struct buf b = BUF_OVER(room);
	struct gatehouse *gh = ctx;

	if (g != gh->serving) {
		if (gh->reloading)
			on_old_heard(gh);
		return;
	}
	timer_stop(&gh->status_deadline);
	status_put(&b, g, gh->started_ms, loop_now(gh->loop));
	control_answer(
	    &gh->control, COMMAND_STATUS, g->was_ready ? EX_OK : EX_TEMPFAIL, buf_span(&b));
}

static const struct generation_hooks hooks = {
    .on_ready = on_generation_ready,
    .on_refused = on_generation_refused,
    .on_gone = on_generation_gone,
    .on_status = on_generation_status,
};

/* ---- commands and signals -------------------------------------------------------------------------------- */

static void
on_status_deadline(void *arg)
{
	struct gatehouse *gh = arg;

	if (gh->serving != NULL)
		generation_status_now(gh->serving);
}

static void
on_command(void *ctx, enum command_verb verb)
{
	struct gatehouse *gh = ctx;

	switch (verb) {
	case COMMAND_STATUS:
		if (gh->serving == NULL)
			return;
		timer_set(gh->loop, &gh->status_deadline, STATUS_MS, on_status_deadline, gh);
		generation_ask_status(gh->serving);
		return;
	case COMMAND_RELOAD:
		reload(gh);
		return;
	case COMMAND_STOP: /* answered by the end of the connection, when everything is down */
		stop(gh, "command");
		return;
	}
}

static void
reap(struct gatehouse *gh)
{
	bool found;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		found = (gh->serving != NULL && generation_reaped(gh->serving, pid, status)) ||
		        (gh->coming != NULL && generation_reaped(gh->coming, pid, status));
		for (size_t i = 0; !found && i < GOING_MOST && gh->going[i] != NULL; i++)
			found = generation_reaped(gh->going[i], pid, status);
	}
}

static void
on_signal(void *arg, unsigned events)
{
	struct gatehouse *gh = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(gh->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(gh);
			break;
		case SIGHUP:
			reload(gh);
			break;
		default:
			stop(gh, "signal");
			break;
		}
	}
}

static int
watch_signals(struct gatehouse *gh)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	gh->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (gh->signal_fd < 0)
		return -1;
	return watch_start(gh->loop, &gh->signals, gh->signal_fd, WATCH_READ, on_signal, gh);
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

static void
flush_own_log(void *arg)
{
	(void)arg;
	log_flush();
}

/* Returns: 0; or an exit status, and standard error says why. */
static int
start(struct gatehouse *gh, struct conf *conf)
{
	static struct turn_hook hook = {.fn = flush_own_log};
	char error[512];

	if (rundir_open(&gh->rundir, conf->top.rundir, error, sizeof(error)) != 0) {
		fprintf(stderr, "gatehouse: %s\n", error);
		conf_free(&conf);
		return EX_CONFIG;
	}
	log_relay_open(conf->top.log == CONF_LOG_SYSLOG);
	gh->loop = loop_new();
	if (gh->loop == NULL || watch_signals(gh) != 0 || log_relay_own(gh->loop) != 0) {
		fprintf(stderr, "gatehouse: %s\n", strerror(errno));
		conf_free(&conf);
		return EX_OSERR;
	}
	loop_add_hook(gh->loop, &hook);
	gh->around.loop = gh->loop;
	gh->around.empty_dir = gh->rundir.empty;
	gh->around.privileged = geteuid() == 0;
	gh->started_ms = loop_now(gh->loop);
	gh->give_up_coming = (struct deferred){.fn = give_up_coming, .arg = gh};
	gh->reload_again = (struct deferred){.fn = reload_again, .arg = gh};
	gh->control = (struct control){
	    .loop = gh->loop, .fd = gh->rundir.control_fd, .on_command = on_command, .ctx = gh};
	if (control_start(&gh->control) != 0) {
		conf_free(&conf);
		return EX_OSERR;
	}
	if (!gh->around.privileged) {
		struct log_line l;

		log_begin(&l, EVENT_unprivileged);
		log_end(&l);
	}
	if (client_slots_init(&gh->around.clients) != 0) {
		fprintf(stderr, "gatehouse: clients: %s\n", strerror(errno));
		conf_free(&conf);
		return EX_OSERR;
	}
	gh->serving = make_generation(gh, conf, stderr);
	return gh->serving != NULL ? 0 : EX_OSERR;
}

int
gatehouse_run(const char *config_path, const char *libexec_dir)
{
	struct gatehouse gh = {
	    .config_path = config_path,
	    .around = {.libexec_dir = libexec_dir, .clients = {.fd = -1}},
	    .rundir = {.pid_fd = -1, .control_fd = -1},
	};
	struct conf *conf = configuration_read(config_path, stderr);
	struct log_line l;
	int rc;

	if (conf == NULL)
		return EX_CONFIG;
	check_raise_descriptors(check_descriptors(conf));
	rc = start(&gh, conf);
	if (rc == 0) {
		look_at_recipients(&gh);
		loop_run(gh.loop);
		log_begin(&l, EVENT_stopped);
		log_end(&l);
	}
	generation_free(&gh.serving);
	client_slots_clear(&gh.around.clients);
	control_stop(&gh.control);
	rundir_close(&gh.rundir);
	log_relay_own_flush();
	return rc;
}

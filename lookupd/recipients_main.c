/* gatehouse-recipients: makes recipients.cdb, changes it, and says what is in one. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/clock.h"

#include "lookupd/audit.h"
#include "lookupd/compile.h"
#include "lookupd/diff.h"
#include "lookupd/explain.h"
#include "lookupd/guard.h"
#include "lookupd/inspect.h"
#include "lookupd/loader.h"
#include "lookupd/overlay_edit.h"
#include "lookupd/report.h"
#include "lookupd/watch_sources.h"

#define DATABASE_DEFAULT "/var/lib/gatehouse/recipients.cdb"

struct arguments {
	const char *output;
	const char *database;
	const char *conf;
	struct address postmaster;
	bool has_postmaster, require_postmaster;
	bool force;
	uint64_t share;
	uint64_t shard_max;
	bool watch;
	uint64_t every_s;
	struct audit_options audit;
	const char *const *rest;
	size_t rest_count;
};

static const char usage_text[] =
    "usage: gatehouse-recipients compile [-f gatehouse.conf] -o recipients.cdb [--postmaster "
    "ADDRESS]\n"
    "           [--require-postmaster] [--force] [--max-loss PERCENT] [--shard-size OCTETS]\n"
    "           [--watch[=SECONDS]] SOURCE...\n"
    "       gatehouse-recipients query [--postmaster ADDRESS] recipients.cdb ADDRESS...\n"
    "       gatehouse-recipients info recipients.cdb\n"
    "       gatehouse-recipients dump recipients.cdb\n"
    "       gatehouse-recipients diff old.cdb new.cdb\n"
    "       gatehouse-recipients add [-d recipients.cdb] [--force] ADDRESS [NAME=VALUE...]\n"
    "       gatehouse-recipients remove [-d recipients.cdb] ADDRESS\n"
    "       gatehouse-recipients defer [-d recipients.cdb] ADDRESS [\"4.x.y TEXT\"]\n"
    "       gatehouse-recipients explain [-d recipients.cdb] ADDRESS [SOURCE...]\n"
    "       gatehouse-recipients audit [-d recipients.cdb] --smtp|--lmtp HOST:PORT [--sample N]\n"
    "           [--rate N] [--connections N] [--from ADDRESS]\n"
    "A SOURCE is KIND:PATH. See gatehouse-recipients(8).\n";

static void
complain(const char *what, struct span detail)
{
	struct report report = {.to = stderr};

	report_error(&report, NULL, 0, what, detail);
}

/* In: what is wrong; detail, or NULL. */
static int
usage(const char *what, const char *detail)
{
	complain(what, span_str(detail));
	fputs("See gatehouse-recipients --help.\n", stderr);
	return EX_USAGE;
}

/* Returns: NULL after saying why; *status_out is then the exit status. */
static struct database *
open_database(const char *path, int status_if_wrong, int *status_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	const char *error = NULL;
	bool unreadable = true;
	struct database *db = NULL;
	struct report report = {.to = stderr};

	if (fd >= 0)
		db = loader_load(fd, &error, &unreadable);
	else
		error = strerror(errno);
	*status_out = unreadable ? EX_TEMPFAIL : status_if_wrong;
	if (db == NULL)
		report_error(&report, path, 0, "cannot be used", span_str(error));
	return db;
}

/* ---- commands -------------------------------------------------------------------------------------- */

static int
command_compile(const struct arguments *a)
{
	struct compile_options options = {
	    .output = a->output,
	    .sources = a->rest,
	    .source_count = a->rest_count,
	    .postmaster = a->has_postmaster ? &a->postmaster : NULL,
	    .conf = a->conf,
	    .now = clock_unix(),
	    .share = (unsigned)a->share,
	    .shard_max = a->shard_max,
	    .force = a->force,
	    .require_postmaster = a->require_postmaster,
	};

	if (a->output == NULL)
		return usage("compile needs the file to write, -o recipients.cdb", NULL);
	return a->watch ? watch_sources(&options, (unsigned)a->every_s, stderr)
	                : compile(&options, stderr);
}

/* A database with its overlay, asked by fn. */
static int
with_overlay(const struct arguments *a, const char *path, int status_if_wrong,
    int (*fn)(const struct arguments *a, const struct database *db, const struct overlay *overlay))
{
	const char *error = NULL;
	int status;
	struct database *db = open_database(path, status_if_wrong, &status);
	struct overlay *overlay = db != NULL ? overlay_beside(path, &error) : NULL;

	if (error != NULL) {
		complain("the overlay is no good", span_str(error));
		status = EX_TEMPFAIL;
	} else if (db != NULL)
		status = fn(a, db, overlay);
	overlay_free(&overlay);
	database_free(&db);
	return status;
}

static int
query(const struct arguments *a, const struct database *db, const struct overlay *overlay)
{
	return inspect_query(db, overlay, a->has_postmaster ? &a->postmaster : NULL, a->rest + 1,
	    a->rest_count - 1, stdout);
}

static int
command_query(const struct arguments *a)
{
	return with_overlay(a, a->rest[0], EX_TEMPFAIL, query);
}

static int
info(const struct arguments *a, const struct database *db, const struct overlay *overlay)
{
	(void)a;
	return inspect_info(db, overlay, stdout);
}

static int
command_info(const struct arguments *a)
{
	return with_overlay(a, a->rest[0], 1, info);
}

static int
dump(const struct arguments *a, const struct database *db, const struct overlay *overlay)
{
	(void)a;
	return inspect_dump(db, overlay, stdout);
}

static int
command_dump(const struct arguments *a)
{
	return with_overlay(a, a->rest[0], 1, dump);
}

static int
command_diff(const struct arguments *a)
{
	int status;
	struct database *old = open_database(a->rest[0], EX_TEMPFAIL, &status);
	struct database *new = old != NULL ? open_database(a->rest[1], EX_TEMPFAIL, &status) : NULL;

	if (new != NULL)
		status = diff(old, new, stdout);
	database_free(&old);
	database_free(&new);
	return status;
}

static int
change(const struct arguments *a, enum overlay_verb verb)
{
	struct overlay_change change = {
	    .database = a->database,
	    .verb = verb,
	    .words = a->rest,
	    .word_count = a->rest_count,
	    .now = clock_unix(),
	    .force = a->force,
	};

	return overlay_change(&change, stderr);
}

static int
command_add(const struct arguments *a)
{
	return change(a, OVERLAY_ADD);
}

static int
command_remove(const struct arguments *a)
{
	return change(a, OVERLAY_REMOVE);
}

static int
command_defer(const struct arguments *a)
{
	return change(a, OVERLAY_DEFER);
}

static int
command_explain(const struct arguments *a)
{
	struct explain_options options = {
	    .addresses = a->rest,
	    .address_count = 1,
	    .sources = a->rest + 1,
	    .source_count = a->rest_count - 1,
	    .database = a->database,
	    .postmaster = a->has_postmaster ? &a->postmaster : NULL,
	};

	return explain(&options, stdout, stderr);
}

static int
run_audit(const struct arguments *a, const struct database *db, const struct overlay *overlay)
{
	return audit(db, overlay, &a->audit, stdout);
}

static int
command_audit(const struct arguments *a)
{
	if (a->audit.server == NULL)
		return usage("audit needs whom to ask, --smtp or --lmtp", NULL);
	return with_overlay(a, a->database, EX_TEMPFAIL, run_audit);
}

/* Which options a command takes. */
enum {
	TAKES_OUTPUT = 1,
	TAKES_DATABASE = 2,
	TAKES_POSTMASTER = 4,
	TAKES_FORCE = 8,
	TAKES_SHARE = 16,
	TAKES_WATCH = 32,
	TAKES_SERVER = 64,
};

static const struct command {
	const char *name;
	int (*run)(const struct arguments *a);
	unsigned takes;
	size_t least, most; /* arguments besides options */
} commands[] = {
    {"compile", command_compile,
	TAKES_OUTPUT | TAKES_POSTMASTER | TAKES_FORCE | TAKES_SHARE | TAKES_WATCH, 1, 1000},
    {"query", command_query, TAKES_POSTMASTER, 2, SIZE_MAX},
    {"info", command_info, 0, 1, 1},
    {"dump", command_dump, 0, 1, 1},
    {"diff", command_diff, 0, 2, 2},
    {"add", command_add, TAKES_DATABASE | TAKES_FORCE, 1, 10},
    {"remove", command_remove, TAKES_DATABASE | TAKES_FORCE, 1, 1},
    {"defer", command_defer, TAKES_DATABASE | TAKES_FORCE, 1, 2},
    {"explain", command_explain, TAKES_DATABASE | TAKES_POSTMASTER, 1, 1000},
    {"audit", command_audit, TAKES_DATABASE | TAKES_SERVER, 0, 0},
};

/* ---- arguments --------------------------------------------------------------------------------------- */

static bool
take_output(struct arguments *a, const char *text)
{
	a->output = text;
	return true;
}

static bool
take_conf(struct arguments *a, const char *text)
{
	a->conf = text;
	return true;
}

static bool
take_database(struct arguments *a, const char *text)
{
	a->database = text;
	return true;
}

static bool
take_postmaster(struct arguments *a, const char *text)
{
	a->has_postmaster = address_parse_forward(span_str(text), &a->postmaster) == ADDRESS_OK &&
	                    address_domain(&a->postmaster).len > 0;
	if (!a->has_postmaster)
		complain("--postmaster needs an address with a domain", span_str(text));
	return a->has_postmaster;
}

static bool
take_require_postmaster(struct arguments *a, const char *text)
{
	(void)text;
	a->require_postmaster = true;
	return true;
}

static bool
take_force(struct arguments *a, const char *text)
{
	(void)text;
	a->force = true;
	return true;
}

static bool
take_share(struct arguments *a, const char *text)
{
	if (span_decimal(span_str(text), 100, &a->share))
		return true;
	complain("--max-loss is a number of percent", span_str(text));
	return false;
}

static bool
take_watch(struct arguments *a, const char *text)
{
	a->watch = true;
	if (text == NULL || (span_decimal(span_str(text), 86400, &a->every_s) && a->every_s > 0))
		return true;
	complain("--watch= is a number of seconds", span_str(text));
	return false;
}

static bool
take_smtp(struct arguments *a, const char *text)
{
	a->audit.server = text;
	return true;
}

static bool
take_lmtp(struct arguments *a, const char *text)
{
	a->audit.lmtp = true;
	return take_smtp(a, text);
}

static bool
take_from(struct arguments *a, const char *text)
{
	struct address from;

	a->audit.from = text;
	if (address_parse_reverse(span_str(text), &from) == ADDRESS_OK)
		return true;
	complain("--from is an address", span_str(text));
	return false;
}

static bool
take_number(const char *text, uint64_t most, uint64_t *number_out)
{
	if (span_decimal(span_str(text), most, number_out) && *number_out > 0)
		return true;
	complain("that is not a number, or one that is too large", span_str(text));
	return false;
}

static bool
take_sample(struct arguments *a, const char *text)
{
	return take_number(text, 1000000, &a->audit.sample);
}

static bool
take_shard_size(struct arguments *a, const char *text)
{
	return take_number(text, LAYOUT_SHARD_MAX, &a->shard_max);
}

static bool
take_rate(struct arguments *a, const char *text)
{
	return take_number(text, 10000, &a->audit.rate);
}

static bool
take_connections(struct arguments *a, const char *text)
{
	return take_number(text, AUDIT_CONNECTIONS_MAX, &a->audit.connections);
}

static const struct option long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"database", required_argument, NULL, 'd'},
    {"postmaster", required_argument, NULL, 'p'},
    {"require-postmaster", no_argument, NULL, 'P'},
    {"force", no_argument, NULL, 'F'},
    {"max-loss", required_argument, NULL, 'l'},
    {"shard-size", required_argument, NULL, 's'},
    {"watch", optional_argument, NULL, 'w'},
    {"smtp", required_argument, NULL, 'S'},
    {"lmtp", required_argument, NULL, 'L'},
    {"from", required_argument, NULL, 'm'},
    {"configuration", required_argument, NULL, 'f'},
    {"sample", required_argument, NULL, 'n'},
    {"rate", required_argument, NULL, 'r'},
    {"connections", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const struct {
	int option;
	unsigned takes;
	bool (*take)(struct arguments *a, const char *text);
} takers[] = {
    {'o', TAKES_OUTPUT, take_output},
    {'d', TAKES_DATABASE, take_database},
    {'p', TAKES_POSTMASTER, take_postmaster},
    {'P', TAKES_OUTPUT, take_require_postmaster},
    {'F', TAKES_FORCE, take_force},
    {'l', TAKES_SHARE, take_share},
    {'w', TAKES_WATCH, take_watch},
    {'s', TAKES_OUTPUT, take_shard_size},
    {'S', TAKES_SERVER, take_smtp},
    {'L', TAKES_SERVER, take_lmtp},
    {'m', TAKES_SERVER, take_from},
    {'f', TAKES_OUTPUT, take_conf},
    {'n', TAKES_SERVER, take_sample},
    {'r', TAKES_SERVER, take_rate},
    {'c', TAKES_SERVER, take_connections},
};

enum { TAKERS = sizeof(takers) / sizeof(takers[0]) };

/* Returns: EX_OK, EX_USAGE; or -1 when help was asked for and given. */
static int
parse_arguments(const struct command *command, int argc, char **argv, struct arguments *a)
{
	int option;

	while ((option = getopt_long(argc, argv, "o:d:f:h", long_options, NULL)) != -1) {
		size_t i = 0;

		if (option == 'h')
			return fputs(usage_text, stdout), -1;
		while (i < TAKERS && takers[i].option != option)
			i++;
		if (i == TAKERS) /* getopt_long() has said why */
			return usage("the command line is wrong", command->name);
		if (!(command->takes & takers[i].takes))
			return usage("an option that this command does not take", argv[optind - 1]);
		if (!takers[i].take(a, optarg))
			return EX_USAGE;
	}
	a->rest = (const char *const *)argv + optind;
	a->rest_count = (size_t)(argc - optind);
	if (a->rest_count < command->least)
		return usage("something is missing behind the command", command->name);
	if (a->rest_count > command->most)
		return usage(
		    "more words than the command takes; one with blanks in it needs quotes",
		    a->rest[command->most]);
	return EX_OK;
}

int
main(int argc, char **argv)
{
	struct arguments a = {.share = GUARD_SHARE_DEFAULT,
	    .database = DATABASE_DEFAULT,
	    .audit = {
		.sample = AUDIT_SAMPLE, .rate = AUDIT_RATE, .connections = AUDIT_CONNECTIONS}};
	int status;

	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(usage_text, stdout), EX_OK;
	for (size_t i = 0; argc >= 2 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		status = parse_arguments(&commands[i], argc - 1, argv + 1, &a);
		if (status == EX_OK)
			status = commands[i].run(&a);
		if (fflush(stdout) != 0 && status == EX_OK)
			status = EX_TEMPFAIL;
		return status < 0 ? EX_OK : status;
	}
	if (argc < 2)
		return usage("which command?", NULL);
	return usage("there is no such command", argv[1]);
}

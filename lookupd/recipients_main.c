/* gatehouse-recipients: makes recipients.cdb, changes it, and says what is in one. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/clock.h"

#include "lookupd/compile.h"
#include "lookupd/diff.h"
#include "lookupd/guard.h"
#include "lookupd/inspect.h"
#include "lookupd/loader.h"
#include "lookupd/overlay_edit.h"
#include "lookupd/report.h"

#define DATABASE_DEFAULT "/var/lib/gatehouse/recipients.cdb"

struct arguments {
	const char *output;
	const char *database;
	struct address postmaster;
	bool has_postmaster;
	bool force;
	uint64_t share;
	const char *const *rest;
	size_t rest_count;
};

static const char usage_text[] =
    "usage: gatehouse-recipients compile -o recipients.cdb [--postmaster ADDRESS] [--force]\n"
    "           [--max-loss PERCENT] SOURCE...\n"
    "       gatehouse-recipients query [--postmaster ADDRESS] recipients.cdb ADDRESS...\n"
    "       gatehouse-recipients info recipients.cdb\n"
    "       gatehouse-recipients dump recipients.cdb\n"
    "       gatehouse-recipients diff old.cdb new.cdb\n"
    "       gatehouse-recipients add [-d recipients.cdb] [--force] ADDRESS [NAME=VALUE...]\n"
    "       gatehouse-recipients remove [-d recipients.cdb] ADDRESS\n"
    "       gatehouse-recipients defer [-d recipients.cdb] ADDRESS [\"4.x.y TEXT\"]\n"
    "A SOURCE is KIND:PATH. See gatehouse-recipients(8).\n";

static int
usage(void)
{
	fputs(usage_text, stderr);
	return EX_USAGE;
}

static void
complain(const char *what, struct span detail)
{
	struct report report = {.to = stderr};

	report_error(&report, NULL, 0, what, detail);
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
	    .now = clock_unix(),
	    .share = (unsigned)a->share,
	    .force = a->force,
	};

	return a->output != NULL ? compile(&options, stderr) : usage();
}

/* A database with its overlay, asked by fn. */
static int
with_overlay(const struct arguments *a, int status_if_wrong,
    int (*fn)(const struct arguments *a, const struct database *db, const struct overlay *overlay))
{
	const char *error = NULL;
	int status;
	struct database *db = open_database(a->rest[0], status_if_wrong, &status);
	struct overlay *overlay = db != NULL ? overlay_beside(a->rest[0], &error) : NULL;

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
	return with_overlay(a, EX_TEMPFAIL, query);
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
	return with_overlay(a, 1, info);
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
	return with_overlay(a, 1, dump);
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

/* Which options a command takes. */
enum {
	TAKES_OUTPUT = 1,
	TAKES_DATABASE = 2,
	TAKES_POSTMASTER = 4,
	TAKES_FORCE = 8,
	TAKES_SHARE = 16,
};

static const struct command {
	const char *name;
	int (*run)(const struct arguments *a);
	unsigned takes;
	size_t least, most; /* arguments besides options */
} commands[] = {
    {"compile", command_compile, TAKES_OUTPUT | TAKES_POSTMASTER | TAKES_FORCE | TAKES_SHARE, 1,
	1000},
    {"query", command_query, TAKES_POSTMASTER, 2, SIZE_MAX},
    {"info", command_info, 0, 1, 1},
    {"dump", command_dump, 0, 1, 1},
    {"diff", command_diff, 0, 2, 2},
    {"add", command_add, TAKES_DATABASE | TAKES_FORCE, 1, 10},
    {"remove", command_remove, TAKES_DATABASE | TAKES_FORCE, 1, 1},
    {"defer", command_defer, TAKES_DATABASE | TAKES_FORCE, 1, 2},
};

/* ---- arguments --------------------------------------------------------------------------------------- */

static bool
take_output(struct arguments *a, const char *text)
{
	a->output = text;
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

static const struct option long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"database", required_argument, NULL, 'd'},
    {"postmaster", required_argument, NULL, 'p'},
    {"force", no_argument, NULL, 'F'},
    {"max-loss", required_argument, NULL, 'l'},
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
    {'F', TAKES_FORCE, take_force},
    {'l', TAKES_SHARE, take_share},
};

enum { TAKERS = sizeof(takers) / sizeof(takers[0]) };

/* Returns: EX_OK, EX_USAGE; or -1 when help was asked for and given. */
static int
parse_arguments(const struct command *command, int argc, char **argv, struct arguments *a)
{
	int option;

	while ((option = getopt_long(argc, argv, "o:d:h", long_options, NULL)) != -1) {
		size_t i = 0;

		if (option == 'h')
			return fputs(usage_text, stdout), -1;
		while (i < TAKERS && takers[i].option != option)
			i++;
		if (i == TAKERS || !(command->takes & takers[i].takes) ||
		    !takers[i].take(a, optarg))
			return usage();
	}
	a->rest = (const char *const *)argv + optind;
	a->rest_count = (size_t)(argc - optind);
	return a->rest_count < command->least || a->rest_count > command->most ? usage() : EX_OK;
}

int
main(int argc, char **argv)
{
	struct arguments a = {.share = GUARD_SHARE_DEFAULT, .database = DATABASE_DEFAULT};
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
	return usage();
}

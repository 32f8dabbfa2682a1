/* gatehouse-recipients: makes recipients.cdb, and says what is in one. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/clock.h"

#include "lookupd/compile.h"
#include "lookupd/guard.h"
#include "lookupd/inspect.h"
#include "lookupd/loader.h"
#include "lookupd/report.h"

struct arguments {
	const char *output;
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
    "A SOURCE is KIND:PATH, such as list:FILE. See gatehouse-recipients(8).\n";

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

static int
command_query(const struct arguments *a)
{
	int status;
	struct database *db = open_database(a->rest[0], EX_TEMPFAIL, &status);

	if (db == NULL)
		return status;
	status = inspect_query(
	    db, a->has_postmaster ? &a->postmaster : NULL, a->rest + 1, a->rest_count - 1, stdout);
	database_free(&db);
	return status;
}

static int
inspect(const struct arguments *a, int (*fn)(const struct database *db, FILE *to))
{
	int status;
	struct database *db = open_database(a->rest[0], 1, &status);

	if (db == NULL)
		return status;
	status = fn(db, stdout);
	database_free(&db);
	return status;
}

static int
command_info(const struct arguments *a)
{
	return inspect(a, inspect_info);
}

static int
command_dump(const struct arguments *a)
{
	return inspect(a, inspect_dump);
}

static const struct command {
	const char *name;
	int (*run)(const struct arguments *a);
	bool makes; /* takes the options of making a database */
	bool takes_postmaster;
	size_t least, most; /* arguments besides options */
} commands[] = {
    {"compile", command_compile, true, true, 1, 1000},
    {"query", command_query, false, true, 2, SIZE_MAX},
    {"info", command_info, false, false, 1, 1},
    {"dump", command_dump, false, false, 1, 1},
};

/* ---- arguments --------------------------------------------------------------------------------------- */

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
take_share(struct arguments *a, const char *text)
{
	if (span_decimal(span_str(text), 100, &a->share))
		return true;
	complain("--max-loss is a number of percent", span_str(text));
	return false;
}

/* Returns: EX_OK, EX_USAGE; or -1 when help was asked for and given. */
static int
parse_arguments(const struct command *command, int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
	    {"output", required_argument, NULL, 'o'},
	    {"postmaster", required_argument, NULL, 'p'},
	    {"force", no_argument, NULL, 'F'},
	    {"max-loss", required_argument, NULL, 'l'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (option == 'h')
			return fputs(usage_text, stdout), -1;
		if (option == 'o' && command->makes)
			a->output = optarg;
		else if (option == 'F' && command->makes)
			a->force = true;
		else if (option == 'l' && command->makes && take_share(a, optarg))
			continue;
		else if (option != 'p' || !command->takes_postmaster || !take_postmaster(a, optarg))
			return usage();
	}
	a->rest = (const char *const *)argv + optind;
	a->rest_count = (size_t)(argc - optind);
	return a->rest_count < command->least || a->rest_count > command->most ? usage() : EX_OK;
}

int
main(int argc, char **argv)
{
	struct arguments a = {.share = GUARD_SHARE_DEFAULT};
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

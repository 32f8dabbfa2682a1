/*
 * gatehouse: the supervisor and the operator's commands.
 *
 * `run` reads the configuration, binds the sockets, starts the programs and watches them
 * (run.c, generation.c); the other commands ask it (cli.c) or only read (check.c).
 */
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "supervisor/cli.h"
#include "supervisor/conf_file.h"
#include "supervisor/configuration.h"
#include "supervisor/explain.h"
#include "supervisor/libraries.h"
#include "supervisor/run.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc/gatehouse"
#endif

enum { PATH_OCTETS = 4096, LIBEXEC_OCTETS = PATH_OCTETS + 32 };

/* Where the programs are. Returns: false after saying why it cannot be known. */
static bool
find_libexec(char libexec[LIBEXEC_OCTETS])
{
	char self[PATH_OCTETS];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0) {
		fprintf(stderr, "gatehouse: /proc is needed\n");
		return false;
	}
	self[n] = '\0';
	/* Beside the directory that holds this executable, installed or in the build tree. */
	snprintf(libexec, LIBEXEC_OCTETS, "%s/../libexec/gatehouse", dirname(self));
	return true;
}

static int
do_run(const char *config)
{
	char libexec[LIBEXEC_OCTETS];

	return find_libexec(libexec) ? gatehouse_run(config, libexec) : EX_OSERR;
}

static int
do_explain(const char *config, int argc, char **argv)
{
	char libexec[LIBEXEC_OCTETS];

	return find_libexec(libexec) ? explain_run(config, libexec, argc, argv) : EX_OSERR;
}

static int
do_check(const char *config)
{
	struct conf *conf = configuration_read(config, stdout);
	int rc = conf != NULL ? EX_OK : 1;
	char libexec[LIBEXEC_OCTETS];

	if (find_libexec(libexec))
		libraries_print(libexec, stdout);
	conf_free(&conf);
	return rc;
}

/* The options, without the checks: the file only has to be readable for its rundir. */
static int
ask(const char *config, enum command_verb verb)
{
	struct conf_errors *errors = calloc(1, sizeof(*errors));
	struct conf *conf = errors != NULL ? conf_file_read(config, errors, NULL) : NULL;
	int rc;

	if (conf == NULL) {
		fprintf(stderr, "%s\n",
		    errors != NULL && errors->count > 0 ? errors->text[0] : "out of memory");
		free(errors);
		return EX_CONFIG;
	}
	free(errors);
	rc = cli_command(conf->top.rundir, verb);
	conf_free(&conf);
	return rc;
}

static int
do_reload(const char *config)
{
	return ask(config, COMMAND_RELOAD);
}

static int
do_stop(const char *config)
{
	return ask(config, COMMAND_STOP);
}

static int
do_status(const char *config)
{
	return ask(config, COMMAND_STATUS);
}

static const struct {
	const char *verb;
	int (*run)(const char *config);
	const char *help;
} verbs[] = {
    {"run", do_run, "start the gateway in the foreground"},
    {"check", do_check, "say what is wrong with the configuration and its surroundings"},
    {"reload", do_reload, "take the configuration anew, without dropping a session"},
    {"stop", do_stop, "finish the running sessions and end"},
    {"status", do_status, "print programs and counters"},
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static int
usage(FILE *to, int rc)
{
	fprintf(to, "usage: gatehouse [-f FILE] COMMAND\n\n");
	for (size_t i = 0; i < VERBS; i++)
		fprintf(to, "  %-8s %s\n", verbs[i].verb, verbs[i].help);
	fprintf(to, "  %-8s %s\n", "explain",
	    "say what would happen to a message, and why:\n"
	    "           explain --ip A --helo H --from S --rcpt R [--message FILE]");
	fprintf(to, "\n  -f FILE  the configuration; default %s/gatehouse.conf\n", SYSCONFDIR);
	return rc;
}

int
main(int argc, char **argv)
{
	const char *config = SYSCONFDIR "/gatehouse.conf";
	int option;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return usage(stdout, EX_OK);
	while ((option = getopt(argc, argv, "+f:")) != -1) {
		if (option != 'f')
			return usage(stderr, EX_USAGE);
		config = optarg;
	}
	if (argc > optind && strcmp(argv[optind], "explain") == 0)
		return do_explain(config, argc - optind, argv + optind);
	if (argc - optind == 1)
		for (size_t i = 0; i < VERBS; i++)
			if (strcmp(argv[optind], verbs[i].verb) == 0)
				return verbs[i].run(config);
	return usage(stderr, EX_USAGE);
}

#include "lookupd/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lookupd/child.h"

static char said[8192];

/* Runs a command source. Returns: how many recipients there are then. */
static size_t
read_command(const char *line, enum source_status expected)
{
	struct report report = {.to = fmemopen(said, sizeof(said), "w")};
	struct collection c;
	uint8_t digest[DIGEST_LEN];
	size_t used;

	collection_init(&c);
	assert_int_equal(command_source(line, &c, &report, digest), expected);
	fclose(report.to);
	assert_int_equal(report.errors > 0, expected != SOURCE_READ);
	used = (size_t)c.recipients;
	collection_clear(&c);
	return used;
}

static void
output_is_a_list(void **state)
{
	(void)state;
	assert_int_equal(read_command("/bin/echo alice@example.com", SOURCE_READ), 1);
	assert_int_equal(
	    read_command("/bin/echo -n  alice@example.com\tbackend=x", SOURCE_READ), 1);
	/* A byte order mark that comes alone. */
	assert_int_equal(
	    read_command("/usr/bin/printf \\xef\\xbb\\xbfa@x.example", SOURCE_READ), 1);
}

/* An argument is never read by a shell. */
static void
no_shell(void **state)
{
	(void)state;
	assert_int_equal(
	    read_command("/bin/echo a@example.com # $(exit) `id` ; | > /", SOURCE_READ), 1);
}

static void
failures_fail(void **state)
{
	(void)state;
	read_command("/bin/true", SOURCE_WRONG);
	assert_non_null(strstr(said, "names no recipient"));
	read_command("/bin/false", SOURCE_WRONG);
	assert_non_null(strstr(said, "exit status 1"));
	read_command("/nonexistent/program x", SOURCE_WRONG);
	assert_non_null(strstr(said, "No such file"));
	read_command("echo a@example.com", SOURCE_WRONG);
	read_command("", SOURCE_WRONG);
}

/* What was said before the end does not count when the end is bad. */
static void
signals_and_complaints(void **state)
{
	static const char script[] = "#!/bin/sh\necho a@example.com\necho 'no \033[1m server' >&2\n"
				     "kill -9 $$\n";
	char path[] = "/tmp/gatehouse-command-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, script, sizeof(script) - 1), sizeof(script) - 1);
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	read_command(path, SOURCE_WRONG);
	unlink(path);
	assert_non_null(strstr(said, "signal 9"));
	assert_non_null(strstr(said, "warning: the program says: no \\x1b[1m server"));
}

static bool
take_nothing(void *context, struct span octets)
{
	(void)octets;
	++*(int *)context;
	return false;
}

static bool
take_all(void *context, struct span octets)
{
	*(size_t *)context += octets.len;
	return true;
}

static void
endless_and_silent_programs_are_ended(void **state)
{
	static const char *const endless[] = {"/usr/bin/yes", NULL};
	static const char *const silent[] = {"/bin/sleep", "1000", NULL};
	struct report report = {.to = fmemopen(said, sizeof(said), "w")};
	int calls = 0;
	size_t len = 0;

	(void)state;
	assert_int_equal(child_run(&(struct child){endless, "x", &report, take_nothing, &calls, 0}),
	    CHILD_STOPPED);
	assert_int_equal(calls, 1);
	assert_int_equal(
	    child_run(&(struct child){silent, "x", &report, take_all, &len, 50}), CHILD_WRONG);
	fclose(report.to);
	assert_non_null(strstr(said, "says nothing"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(output_is_a_list),
	    cmocka_unit_test(no_shell),
	    cmocka_unit_test(failures_fail),
	    cmocka_unit_test(signals_and_complaints),
	    cmocka_unit_test(endless_and_silent_programs_are_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

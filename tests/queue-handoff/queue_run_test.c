/* A run of qmail-queue: what the program gets, what its exit becomes, and that an end before the
 * last comma leaves nothing queued, whatever octet it comes at. */
#include "queue-handoff/queue_run.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/span.h"
#include "queue-handoff/queue_exit.h"

static char directory[] = "/tmp/queue-run-XXXXXX";
static char program[100];

static const char package[] = "34:5:hello,3:s@t,3:a@b,10:c@d.exampl,,";

static void
path_of(char *path, size_t cap, const char *name)
{
	snprintf(path, cap, "%s/%s", directory, name);
}

static void
script(const char *text)
{
	FILE *f;

	path_of(program, sizeof(program), "program");
	unlink(program);
	f = fopen(program, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\ncd %s\n%s\n", directory, text);
	fclose(f);
	assert_int_equal(chmod(program, 0755), 0);
}

/* A program that does as qmail-queue: the message, the envelope, and only with its end the commit. */
static void
script_queue(int status)
{
	char text[400];

	snprintf(text, sizeof(text),
	    "cat >message; cat <&1 >envelope; "
	    "[ \"$(tail -c 2 envelope | od -An -tx1 | tr -d ' ')\" = 0000 ] || exit 54; "
	    "mv envelope queued; exit %d",
	    status);
	script(text);
}

static size_t
contents(const char *name, char *out, size_t cap)
{
	char path[100];
	FILE *f;
	size_t n;

	path_of(path, sizeof(path), name);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	n = fread(out, 1, cap, f);
	fclose(f);
	return n;
}

static void
forget(void)
{
	static const char *const names[] = {"message", "envelope", "queued"};
	char path[100];

	for (size_t i = 0; i < 3; i++) {
		path_of(path, sizeof(path), names[i]);
		unlink(path);
	}
}

/* Runs it on the first so many octets, then closes our half. Returns: octets of the answer. */
static size_t
run(struct span octets, char *answer, size_t cap)
{
	int fds[2], status;
	size_t have = 0;
	ssize_t n;
	pid_t pid;

	forget();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		_exit(queue_run(fds[1], program) == 0 ? 0 : 1);
	}
	close(fds[1]);
	assert_int_equal(send(fds[0], octets.p, octets.len, MSG_NOSIGNAL), (ssize_t)octets.len);
	shutdown(fds[0], SHUT_WR);
	while (have < cap && (n = recv(fds[0], answer + have, cap - have, 0)) > 0)
		have += (size_t)n;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return have;
}

static void
assert_answer(const char *want)
{
	char answer[1100], whole[1100];
	size_t n = run(span_str(package), answer, sizeof(answer) - 1);

	answer[n] = '\0';
	snprintf(whole, sizeof(whole), "%zu:%s,", strlen(want), want);
	assert_string_equal(answer, whole);
}

static void
what_the_program_gets(void **state)
{
	static const char envelope[] = "Fs@t\0Ta@b\0Tc@d.exampl\0";
	char got[200];

	(void)state;
	script_queue(0);
	assert_answer("Kqueued");
	assert_int_equal(contents("message", got, sizeof(got)), 5);
	assert_memory_equal(got, "hello", 5);
	/* The literal has a NUL of its own: the one that ends the envelope. */
	assert_int_equal(contents("queued", got, sizeof(got)), sizeof(envelope));
	assert_memory_equal(got, envelope, sizeof(envelope));
}

static void
nothing_without_the_last_comma(void **state)
{
	char answer[100];

	(void)state;
	script_queue(0);
	for (size_t k = 0; k < sizeof(package) - 1; k++) {
		if (run(span_of(package, k), answer, sizeof(answer)) != 0)
			fail_msg("an answer after %zu octets", k);
		if (contents("queued", answer, sizeof(answer)) != 0)
			fail_msg("queued after %zu octets", k);
	}
}

static void
not_a_package(void **state)
{
	static const char *const rows[] = {
	    "34:5:hello,3:s@t,3:a@b,10:c@d.exampl,,more",
	    "34:5:hello,3:s@t,3:a@b,10:c@d.exampl,;",
	    "hello\n",
	    "11:5:hello,0:,,",
	};
	char answer[100];

	(void)state;
	script_queue(0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(run(span_str(rows[i]), answer, sizeof(answer)), 0);
		assert_int_equal(contents("queued", answer, sizeof(answer)), 0);
	}
	assert_int_equal(run(span_of("14:0:,3:a\0b,3:c@d,,", 19), answer, sizeof(answer)), 0);
	assert_int_equal(contents("queued", answer, sizeof(answer)), 0);
}

/* A program that hears nothing and does not end is ended. */
static void
deaf_program(void **state)
{
	char answer[10];

	(void)state;
	script("trap '' TERM; exec sleep 1000");
	assert_int_equal(run(span_of(package, 20), answer, sizeof(answer)), 0);
}

static void
exit_statuses(void **state)
{
	static const struct {
		unsigned status;
		char letter;
	} rows[] = {{0, 'K'}, {11, 'D'}, {31, 'D'}, {12, 'D'}, {40, 'D'}, {41, 'Z'}, {51, 'Z'},
	    {52, 'Z'}, {53, 'Z'}, {54, 'Z'}, {55, 'Z'}, {56, 'Z'}, {61, 'Z'}, {66, 'Z'}, {71, 'Z'},
	    {72, 'Z'}, {73, 'Z'}, {74, 'Z'}, {81, 'Z'}, {82, 'Z'}, {91, 'Z'}, {100, 'Z'},
	    {111, 'Z'}, {120, 'Z'}, {255, 'Z'}, {10, 'Z'}, {1, 'Z'}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(queue_exit(rows[i].status)->letter, rows[i].letter);
	script_queue(31);
	assert_answer("Dmail server permanently rejected message (#5.3.0)");
	script_queue(53);
	assert_answer("Zqq write error or disk full (#4.3.0)");
	script("cat >/dev/null; cat <&1 >/dev/null; kill -9 $$");
	assert_answer("Zqq temporary problem (#4.3.0)");
	/* It ends without reading anything. */
	script("exit 55");
	assert_answer("Zqq unable to read configuration (#4.3.0)");
	snprintf(program, sizeof(program), "%s/absent", directory);
	assert_answer("Zunable to exec qq (#4.3.0)");
}

static void
custom_texts(void **state)
{
	(void)state;
	script("cat >/dev/null; cat <&1 >/dev/null; echo 'Dno spam here' >&6; exit 82");
	assert_answer("Dno spam here");
	script("cat >/dev/null; cat <&1 >/dev/null; printf 'Zlater\\nmore' >&6; exit 82");
	assert_answer("Zlater");
	script("cat >/dev/null; cat <&1 >/dev/null; printf 'Knot for you to say' >&6; exit 82");
	assert_answer("Zqq refused without a text (#4.3.0)");
	script("cat >/dev/null; cat <&1 >/dev/null; printf 'Da\\002b' >&6; exit 82");
	assert_answer("Zqq refused without a text (#4.3.0)");
	script("cat >/dev/null; cat <&1 >/dev/null; head -c 100000 /dev/zero >&6; exit 82");
	assert_answer("Zqq refused without a text (#4.3.0)");
	/* Only that status has a text. */
	script("cat >/dev/null; cat <&1 >/dev/null; echo 'Dno' >&6; exit 0");
	assert_answer("Kqueued");
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	char path[100];

	(void)state;
	forget();
	path_of(path, sizeof(path), "program");
	unlink(path);
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_the_program_gets),
	    cmocka_unit_test(nothing_without_the_last_comma),
	    cmocka_unit_test(not_a_package),
	    cmocka_unit_test(deaf_program),
	    cmocka_unit_test(exit_statuses),
	    cmocka_unit_test(custom_texts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

#include "lookupd/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The program in one text: kind, status, words. */
static const char *
text_of(const char *command)
{
	static const char *const kinds[] = {
	    "unknown", "exits", "forwards", "delivers", "has-users", "vpopmail", "aliases"};
	static char text[256];
	struct program p;
	int n;

	program_parse(span_str(command), &p);
	n = snprintf(text, sizeof(text), "%s %u%s%s", kinds[p.kind], p.status,
	    p.by_default ? " -d" : "", p.passes ? " -p" : "");
	for (size_t i = 0; p.kind >= PROGRAM_FORWARDS && i < p.word_count; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " [%.*s]", (int)p.words[i].len,
		    (const char *)p.words[i].p);
	return text;
}

static void
known_programs(void **state)
{
	static const char *const rows[][2] = {
	    {"exit 100", "exits 100"},
	    {"  exit   0  # why", "exits 0"},
	    {"exit 256", "exits 0"},
	    {"exit", "exits 0"},
	    {"exit x", "unknown 0"},
	    {"exit 1 2", "unknown 0"},
	    {"true", "exits 0"},
	    {"/bin/false", "exits 1"},
	    {":", "exits 0"},
	    {"bouncesaying 'gone away'", "exits 100"},
	    {"bouncesaying \"gone\" true", "exits 100"},
	    {"bouncesaying gone false", "exits 0"},
	    {"bouncesaying gone exit 111", "exits 111"},
	    {"bouncesaying gone /usr/bin/spam", "unknown 0"},
	    {"/var/qmail/bin/bouncesaying x", "exits 100"},
	    {"except true", "exits 100"},
	    {"except false", "exits 0"},
	    {"except exit 111", "exits 111"},
	    {"forward a@b.example c", "forwards 0 [a@b.example] [c]"},
	    {"forward 'a b'@c", "forwards 0 [a b@c]"},
	    {"forward -n a@b", "unknown 0"},
	    {"condredirect a@b true", "forwards 99 [a@b]"},
	    {"condredirect a@b false", "exits 0"},
	    {"condredirect a@b exit 111", "exits 111"},
	    {"condredirect a@b some program", "unknown 0"},
	    {"qmail-inject -a -f s@x a@b", "forwards 0 [a@b]"},
	    {"qmail-inject -h", "unknown 0"},
	    {"preline -f procmail", "delivers 0"},
	    {"preline /usr/bin/maildrop", "has-users 0"},
	    {"ezmlm-send /lists/x", "delivers 0 [/lists/x]"},
	    {"/home/vpopmail/bin/vdelivermail '' bounce-no-mailbox",
		"vpopmail 0 [bounce-no-mailbox]"},
	    {"vdelivermail bounce-no-mailbox", "exits 111"},
	    {"fastforward -d /etc/aliases.cdb", "aliases 0 -d [/etc/aliases.cdb]"},
	    {"fastforward -pd x.cdb", "aliases 0 -d -p [x.cdb]"},
	    {"fastforward -x x.cdb", "unknown 0"},
	    {"", "unknown 0"},
	    {"# nothing", "unknown 0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = text_of(rows[i][0]);

		/* What stands for delivering programs behind their kind does not matter. */
		if (strncmp(text, rows[i][1], strlen(rows[i][1])) != 0)
			print_error("%s\n", rows[i][0]);
		assert_memory_equal(text, rows[i][1], strlen(rows[i][1]));
	}
}

/* Whatever a shell does more with is not guessed. */
static void
shell_is_not_guessed(void **state)
{
	static const char *const rows[] = {"exit 0; exit 100", "true && exit 100", "exit $N",
	    "forward \"$DEFAULT\"@b", "forward `x`", "exit 0 > /tmp/x", "(exit 0)", "exit 0 | x",
	    "forward a\\ b", "true \"", "! true", "forward *@b", "{ true"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(text_of(rows[i]), "unknown 0");
}

static void
statuses(void **state)
{
	static const unsigned hard[] = {64, 65, 70, 76, 77, 78, 100, 112};
	static const unsigned soft[] = {1, 2, 63, 66, 67, 71, 75, 98, 111, 113, 127, 255};

	(void)state;
	assert_int_equal(program_end(0), PROGRAM_NEXT);
	assert_int_equal(program_end(99), PROGRAM_STOP);
	for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++)
		assert_int_equal(program_end(hard[i]), PROGRAM_BOUNCE);
	for (size_t i = 0; i < sizeof(soft) / sizeof(soft[0]); i++)
		assert_int_equal(program_end(soft[i]), PROGRAM_TEMPORARY);
}

static void
too_many_words(void **state)
{
	char command[4000] = "forward";

	(void)state;
	for (int i = 0; i < PROGRAM_WORDS; i++)
		strcat(command, " a@b");
	assert_string_equal(text_of(command), "unknown 0");
	memset(command + 8, 'x', 3000);
	command[3008] = '\0';
	assert_string_equal(text_of(command), "unknown 0");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_programs),
	    cmocka_unit_test(shell_is_not_guessed),
	    cmocka_unit_test(statuses),
	    cmocka_unit_test(too_many_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

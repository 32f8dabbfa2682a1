/* Holds the program against docs/smtp-states.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "smtpd/command.h"
#include "tests/smtpd/stage.h"

enum { COLUMNS = 6 };

static char doc[16384];

static const struct {
	const char *verb, *line;
} arguments[] = {
    {"HELO", "HELO x"},
    {"EHLO", "EHLO x"},
    {"MAIL", "MAIL FROM:<a@b.example>"},
    {"RCPT", "RCPT TO:<v@ours.example>"},
    {"VRFY", "VRFY x"},
    {"BDAT", "BDAT 5\r\nA:b"},
    {"BDAT LAST", "BDAT 5 LAST\r\nA:b"},
    {"GET", "GET / HTTP/1.1"},
};

/* How to get into the state of each column. */
static const char *const ways[COLUMNS] = {
    "",
    "EHLO x\r\n",
    "EHLO x\r\n|MAIL FROM:<a@b.example>\r\n",
    "EHLO x\r\n|MAIL FROM:<a@b.example>\r\n|RCPT TO:<unknown@ours.example>\r\n",
    "EHLO x\r\n|MAIL FROM:<a@b.example>\r\n|RCPT TO:<u@ours.example>\r\n",
    "EHLO x\r\n|MAIL FROM:<a@b.example>\r\n|RCPT TO:<u@ours.example>\r\n|BDAT 4\r\nX:\r\n",
};

static void
walk(struct stage *g, const char *way)
{
	while (*way != '\0') {
		size_t len = strcspn(way, "|");

		stage_say(g, way, len);
		way += len + (way[len] == '|');
	}
	g->heard_len = 0;
}

static const char *
line_for(const char *verb)
{
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
		if (strcmp(arguments[i].verb, verb) == 0)
			return arguments[i].line;
	return verb;
}

/* In: cell, "250 READY". */
static void
check_cell(const char *verb, int column, const char *cell)
{
	struct stage *g = stage_new();
	char line[200], got[64];
	const char *state;

	stage_connect(g);
	stage_run(g);
	walk(g, ways[column]);
	snprintf(line, sizeof(line), "%s\r\n", line_for(verb));
	stage_say(g, line, strlen(line));
	assert_true(g->heard_len > 3);
	state = worker_sessions_open(&g->worker) == 0 ? "CLOSED" : state_name(g->session->state);
	snprintf(got, sizeof(got), "%.3s %s", (const char *)g->heard, state);
	if (strcmp(got, cell) != 0) {
		print_error("%s in column %d: the document says %s, the program %s\n", verb, column,
		    cell, got);
		fail();
	}
	stage_free(g);
}

/* Splits "| a | b |" in place. Returns: cells. */
static int
split_row(char *row, char **cells, int most)
{
	int n = 0;

	for (char *at = strtok(row, "|"); at != NULL && n < most; at = strtok(NULL, "|")) {
		at += strspn(at, " ");
		for (size_t len = strlen(at); len > 0 && at[len - 1] == ' '; len--)
			at[len - 1] = '\0';
		cells[n++] = at;
	}
	return n;
}

/* Calls fn with each row of the table whose head begins so. */
static int
each_row(const char *head, void (*fn)(char **cells, int n))
{
	const char *at = strstr(doc, head);
	int rows = 0;

	assert_non_null(at);
	at = strchr(strchr(at, '\n') + 1, '\n') + 1;
	while (*at == '|') {
		char row[512];
		char *cells[8];
		size_t len = strcspn(at, "\n");

		assert_true(len < sizeof(row));
		memcpy(row, at, len);
		row[len] = '\0';
		fn(cells, split_row(row, cells, 8));
		at += len + 1;
		rows++;
	}
	return rows;
}

static void
check_row(char **cells, int n)
{
	assert_int_equal(n, COLUMNS + 1);
	for (int i = 0; i < COLUMNS; i++)
		check_cell(cells[0], i, cells[i + 1]);
}

static void
commands_do_what_the_document_says(void **state)
{
	(void)state;
	assert_int_equal(each_row("| command |", check_row), 16);
}

/* Every command that is offered has a row. */
static void
every_offered_command_is_in_the_document(void **state)
{
	size_t count;
	const struct command *table = command_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		char row[64];

		snprintf(row, sizeof(row), "\n| %s |", table[i].verb);
		if (table[i].apply != NULL)
			assert_non_null(strstr(doc, row));
	}
}

static void
check_transition(char **cells, int n)
{
	char allowed[256];
	unsigned from = 0;

	while (from < STATE_COUNT && strcmp(state_name((enum session_state)from), cells[0]) != 0)
		from++;
	assert_true(from < STATE_COUNT);
	snprintf(allowed, sizeof(allowed), " %s ", n > 1 ? cells[1] : "");
	for (unsigned to = 0; to < STATE_CLOSING; to++) {
		char word[32];

		snprintf(word, sizeof(word), " %s ", state_name((enum session_state)to));
		assert_int_equal(state_may_follow((enum session_state)from, (enum session_state)to),
		    strstr(allowed, word) != NULL);
	}
}

static void
transitions_are_those_of_the_document(void **state)
{
	(void)state;
	assert_int_equal(each_row("| from |", check_transition), STATE_COUNT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_do_what_the_document_says),
	    cmocka_unit_test(every_offered_command_is_in_the_document),
	    cmocka_unit_test(transitions_are_those_of_the_document),
	};
	FILE *f = fopen("docs/smtp-states.md", "r");

	if (f == NULL || fread(doc, 1, sizeof(doc) - 1, f) == 0)
		return 1;
	fclose(f);
	log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

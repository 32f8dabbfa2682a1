#include "lookupd/dotqmail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char seen[512];

static void
see(const char *what, struct span s)
{
	size_t n = strlen(seen);

	snprintf(seen + n, sizeof(seen) - n, "%s%.*s ", what, (int)s.len, (const char *)s.p);
}

static enum leaf_verdict
file(void *ctx, struct span path)
{
	(void)ctx;
	see("file=", path);
	return span_find(path, 'X') < path.len ? LEAF_DEFER : LEAF_ACCEPT;
}

static void
forward(void *ctx, struct span address, uint32_t line)
{
	char what[32];

	(void)ctx;
	snprintf(what, sizeof(what), "to%u=", line);
	see(what, address);
}

static bool
program(void *ctx, const struct program *p, uint32_t line, enum leaf_verdict *v_out)
{
	(void)ctx;
	(void)line;
	see("program=", p->name);
	*v_out = span_eq(p->name, SPAN("no"))      ? LEAF_UNKNOWN
	         : span_eq(p->name, SPAN("later")) ? LEAF_DEFER
	                                           : LEAF_ACCEPT;
	return !span_eq(p->name, SPAN("what"));
}

static void
error(void *ctx, uint32_t line, const char *message, struct span detail)
{
	(void)ctx;
	(void)line;
	(void)message;
	see("error ", detail);
}

static const struct dotqmail_world world = {NULL, file, forward, program, error};

/* "accept 3 delivered stores unverified | what was seen" */
static const char *
text_of(struct dotqmail *d, bool good)
{
	static const char *const verdicts[LEAF_VERDICTS] = {[LEAF_ACCEPT] = "accept",
	    [LEAF_UNKNOWN] = "bounce",
	    [LEAF_DEFER] = "defer",
	    [LEAF_DISCARD] = "discard",
	    [LEAF_TABLE] = "table"};
	static char text[1024];

	snprintf(text, sizeof(text), "%s %u%s%s%s | %s", good ? verdicts[d->verdict] : "error",
	    good ? d->line : 0, good && d->delivered ? " delivered" : "",
	    good && d->stores ? " stores" : "", good && d->unverified ? " unverified" : "", seen);
	return text;
}

static const char *
run(const char *lines, bool executable)
{
	struct dotqmail d;
	bool good;

	seen[0] = '\0';
	good = dotqmail_run(span_str(lines), executable, &world, &d);
	return text_of(&d, good);
}

static void
lines(void **state)
{
	static const struct {
		const char *text;
		bool executable;
		const char *result;
	} rows[] = {
	    {"./Mailbox\n", false, "accept 0 delivered stores | file=./Mailbox "},
	    {"./Mailbox", false, "accept 0 delivered stores | file=./Mailbox "},
	    {"./Mailbox \t\n", false, "accept 0 delivered stores | file=./Mailbox "},
	    {"./Mailbox\r\n", false, "accept 0 delivered stores | file=./Mailbox\r "},
	    {"/X/y\n", false, "defer 1 | file=/X/y "},
	    {"\n./Mailbox\n", false, "defer 1 | "},
	    {"  \t\n", false, "defer 1 | "},
	    {"# x\n\n./Mailbox\n", false, "accept 0 delivered stores | file=./Mailbox "},
	    {"# x\n", false, "discard 0 | "},
	    {"+foo\n", false, "discard 0 | "},
	    {"./Mailbox\n", true, "defer 1 | "},
	    {"|true\n", true, "defer 1 | "},
	    {"a@b\n", true, "accept 0 | to1=a@b "},
	    {"+list\n./Mailbox\n", false, "defer 2 | "},
	    {"+list\n&a@b\n", false, "accept 0 | to2=a@b "},
	    {"&\n", false, "accept 0 | to1= "},
	    {"& x\n", false, "accept 0 | to1= x "},
	    {"x\n|exit 99\ny\n", false, "accept 0 delivered | to1=x "},
	    {"x\n|exit 100\ny\n", false, "bounce 2 delivered | to1=x "},
	    {"|exit 67\n", false, "defer 1 delivered | "},
	    {"|true\n./Mailbox\n", false, "accept 0 delivered stores | file=./Mailbox "},
	    {"|forward a b\n", false, "accept 0 delivered | to1=a to1=b "},
	    {"|condredirect a true\nb\n", false, "accept 0 delivered | to1=a "},
	    {"|some\n", false, "accept 0 delivered stores unverified | program=some "},
	    {"|no\n./Mailbox\n", false, "bounce 1 | program=no "},
	    {"|later\n", false, "defer 1 | program=later "},
	    {"|what\n", false, "error 0 | program=what "},
	    {"|v/vdelivermail '' delete\n# x\n\n", false, "table 1 | "},
	    {"|true\n|vdelivermail '' delete\n", false, "table 2 delivered | "},
	    {"a@b\n|vdelivermail '' delete\n", false, "error 0 | to1=a@b error vdelivermail "},
	    {"|vdelivermail '' delete\na@b\n", false, "error 0 | error  "},
	    {"|vdelivermail delete\n", false, "defer 1 delivered | "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(run(rows[i].text, rows[i].executable), rows[i].result);
}

static void
lines_of_vpopmail(void **state)
{
	static const char *const rows[][2] = {
	    {"# x\n", "accept 0 delivered | "},
	    {"\n&a@b\n", "accept 0 delivered | to2=a@b "},
	    {"/m/Maildir/\n", "accept 0 delivered stores | file=/m/Maildir/ "},
	    {"|exit 100\n", "bounce 1 delivered | "},
	    {"|exit 99\na\n", "accept 0 delivered | "},
	    {"|vdelivermail '' delete\n", "error 0 | error  "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dotqmail d;
		bool good;

		seen[0] = '\0';
		good = dotqmail_run_vpopmail(span_str(rows[i][0]), &world, &d);
		assert_string_equal(text_of(&d, good), rows[i][1]);
	}
}

/* The words of a table borrow from the result, not from the line. */
static void
table_words(void **state)
{
	char text[] = "|vdelivermail '' bounce-no-mailbox\n";
	struct dotqmail d;

	(void)state;
	assert_true(dotqmail_run(span_str(text), false, &world, &d));
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(d.table.word_count, 1);
	assert_true(span_eq(d.table.words[0], SPAN("bounce-no-mailbox")));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(lines_of_vpopmail),
	    cmocka_unit_test(table_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "lookupd/qmail_control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
entries(void **state)
{
	static const char text[] = "a.example\n\n# comment\n  b.example \t\n"
				   "c\r\nx\0y\0\n#d\n \nlast";
	static const struct {
		const char *entry;
		uint32_t line;
	} rows[] = {{"a.example", 1}, {"  b.example", 4}, {"c\r", 5}, {"x", 6}, {"y", 6}, {"", 6},
	    {"last", 9}};
	struct control c = control_over(span_of(text, sizeof(text) - 1));
	struct span entry;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(control_next(&c, &entry));
		assert_true(span_eq(entry, span_str(rows[i].entry)));
		assert_int_equal(c.number, rows[i].line);
	}
	assert_false(control_next(&c, &entry));
	assert_false(control_next(&c, &entry));
}

static void
first_lines(void **state)
{
	(void)state;
	assert_true(span_eq(control_first_line(SPAN("me.example \t\nx\n")), SPAN("me.example")));
	assert_true(span_eq(control_first_line(SPAN(" a")), SPAN(" a")));
	assert_int_equal(control_first_line(SPAN("")).len, 0);
	assert_int_equal(control_first_line(SPAN("\nx")).len, 0);
	assert_null(control_suspicious(SPAN("a.example")));
	assert_non_null(control_suspicious(SPAN(" a.example")));
	assert_non_null(control_suspicious(SPAN("a.example\r")));
}

static void
assign_lines(void **state)
{
	struct assign_line a;

	(void)state;
	assert_int_equal(
	    assign_parse(SPAN("+Joe-:joe:500:501:/home/joe:-:x-:more"), &a), ASSIGN_LINE);
	assert_true(a.wild && span_eq(a.local, SPAN("Joe-")) && span_eq(a.user, SPAN("joe")));
	assert_true(span_eq(a.home, SPAN("/home/joe")) && span_eq(a.dash, SPAN("-")));
	assert_true(span_eq(a.pre, SPAN("x-")));
	assert_int_equal(assign_number(a.uid), 500);
	assert_int_equal(assign_number(a.gid), 501);
	assert_int_equal(assign_parse(SPAN("#hash:joe:1:1:/h:::"), &a), ASSIGN_LINE);
	assert_true(!a.wild && span_eq(a.local, SPAN("hash")));
	assert_int_equal(assign_parse(SPAN("+:joe:1:1:/h:-::"), &a), ASSIGN_LINE);
	assert_true(a.wild && a.local.len == 0);
	assert_int_equal(assign_parse(SPAN("."), &a), ASSIGN_END);
	assert_int_equal(assign_parse(SPAN(".x"), &a), ASSIGN_END);
	assert_int_equal(assign_parse(SPAN(""), &a), ASSIGN_BAD);
	assert_int_equal(assign_parse(SPAN(":x:1:1:/h:::"), &a), ASSIGN_BAD);
	assert_int_equal(assign_parse(SPAN("=joe:joe:1:1:/h:-"), &a), ASSIGN_BAD);
	assert_int_equal(assign_parse(SPAN("=joe:joe:1:1:/h:-:\0:"), &a), ASSIGN_BAD);
}

static void
assign_values(void **state)
{
	struct assign_line a;

	(void)state;
	assert_true(assign_value(SPAN("joe\0"
				      "1\0"
				      "2\0/home\0-\0pre"),
	    &a));
	assert_true(span_eq(a.home, SPAN("/home")) && span_eq(a.dash, SPAN("-")));
	assert_true(span_eq(a.pre, SPAN("pre")));
	assert_true(assign_value(SPAN("joe\0"
				      "1\0"
				      "2\0/home\0\0"),
	    &a));
	assert_int_equal(a.dash.len + a.pre.len, 0);
	assert_false(assign_value(SPAN("joe\0"
				       "1\0"
				       "2\0/home\0"),
	    &a));
	assert_false(assign_value(SPAN("joe"), &a));
	assert_false(assign_value(SPAN(""), &a));
	assert_int_equal(assign_number(SPAN("12x")), 12);
	assert_int_equal(assign_number(SPAN("x")), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries),
	    cmocka_unit_test(first_lines),
	    cmocka_unit_test(assign_lines),
	    cmocka_unit_test(assign_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

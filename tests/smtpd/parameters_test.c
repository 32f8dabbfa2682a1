/* Arguments of MAIL and RCPT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtpd/parameters.h"

static const struct {
	struct span argument;
	enum path_status status;
	struct span path, rest;
} rows[] = {
    {SPAN("FROM:<a@b>"), PATH_OK, SPAN("a@b"), SPAN("")},
    {SPAN("from:<a@b> X=Y Z"), PATH_OK, SPAN("a@b"), SPAN(" X=Y Z")},
    {SPAN("FROM:<>"), PATH_OK, SPAN(""), SPAN("")},
    {SPAN("FROM:   <a@b>"), PATH_OK, SPAN("a@b"), SPAN("")},
    {SPAN("FROM:<\"a>b\"@c>"), PATH_OK, SPAN("\"a>b\"@c"), SPAN("")},
    {SPAN("FROM:<\"a\\\">b\"@c>"), PATH_OK, SPAN("\"a\\\">b\"@c"), SPAN("")},
    {SPAN("FROM:<a@b>x"), PATH_MALFORMED, SPAN(""), SPAN("")},
    {SPAN("FROM:<a@b>>"), PATH_MALFORMED, SPAN(""), SPAN("")},
    {SPAN("FROM:<a@b"), PATH_MALFORMED, SPAN(""), SPAN("")},
    {SPAN("FROM:<\"a@b>"), PATH_MALFORMED, SPAN(""), SPAN("")},
    {SPAN("FROM:<\"a\\"), PATH_MALFORMED, SPAN(""), SPAN("")},
    {SPAN("FROM:a@b"), PATH_NO_PATH, SPAN(""), SPAN("")},
    {SPAN("FROM:"), PATH_NO_PATH, SPAN(""), SPAN("")},
    {SPAN("FROM"), PATH_NO_PATH, SPAN(""), SPAN("")},
    {SPAN("FROM <a@b>"), PATH_NO_PATH, SPAN(""), SPAN("")},
    {SPAN(""), PATH_NO_PATH, SPAN(""), SPAN("")},
};

static void
paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span path, rest;
		enum path_status status = path_split(rows[i].argument, SPAN("FROM:"), &path, &rest);

		if (status != rows[i].status ||
		    (status == PATH_OK &&
			(!span_eq(path, rows[i].path) || !span_eq(rest, rows[i].rest)))) {
			print_error("row %zu: %d\n", i, (int)status);
			fail();
		}
	}
}

/* Out: the statuses of all parameters, as letters. */
static void
check_list(struct span rest, const char *expected)
{
	struct parameter p;
	char got[16] = "";
	size_t n = 0;

	while (n < sizeof(got) - 1) {
		enum parameter_status status = parameter_next(&rest, &p);

		got[n++] = status == PARAMETER_OK    ? (p.has_value ? 'v' : 'k')
		           : status == PARAMETER_END ? '.'
		                                     : '!';
		if (status != PARAMETER_OK)
			break;
	}
	got[n] = '\0';
	assert_string_equal(got, expected);
}

static void
row_074_parameters(void **state)
{
	(void)state;
	check_list(SPAN(""), ".");
	check_list(SPAN("   "), ".");
	check_list(SPAN(" SIZE=1"), "v.");
	check_list(SPAN(" SIZE=1 BODY=8BITMIME  SMTPUTF8 "), "vvk.");
	check_list(SPAN(" =x"), "!");
	check_list(SPAN(" x="), "!");
	check_list(SPAN(" =="), "!");
	check_list(SPAN(" x=y=z"), "!");
	check_list(SPAN(" -x=y"), "!");
	check_list(SPAN(" x-=y"), "v.");
	check_list(SPAN(" x\xc3=y"), "!");
	check_list(SPAN(" x=\x7f"), "!");
	check_list(SPAN(" x=\t"), "!");
	check_list(SPAN(" a b=\xff"), "k!");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths),
	    cmocka_unit_test(row_074_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

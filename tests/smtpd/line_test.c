/* Rows 29 to 34 and 77: command lines, whole and octet by octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "smtpd/line.h"

/*
 * Plays a session's part: what line_find does not use is shown again with more behind it.
 * Out: *left_out, octets that were not taken.
 */
static enum line_status
run(struct span in, size_t step, struct span *line_out, size_t *left_out)
{
	struct line_finder f = {0};
	size_t start = 0, end = 0;
	enum line_status status = LINE_MORE;

	while (status == LINE_MORE && end < in.len) {
		size_t used;
		struct span shown;

		end = end + step < in.len ? end + step : in.len;
		shown = span_of(in.p + start, end - start);
		status = line_find(&f, shown, line_out, &used);
		/* A second look finds the same. */
		assert_int_equal(line_find(&f, shown, line_out, &used), status);
		line_take(&f, status, shown, used);
		start += used;
		/* A line that is not complete never holds more than a session can keep. */
		assert_true(end - start < COMMAND_LINE_MAX);
		if (status != LINE_MORE && status != LINE_FLOOD)
			assert_true(f.discarded == 0);
	}
	*left_out = in.len - start;
	return status;
}

static const struct {
	const char *name;
	struct span in;
	enum line_status status;
	struct span line;
} rows[] = {
    {"simple", SPAN("NOOP\r\n"), LINE_GOOD, SPAN("NOOP")},
    {"two lines", SPAN("A\r\nB\r\n"), LINE_GOOD, SPAN("A")},
    {"row_037 empty", SPAN("\r\n"), LINE_GOOD, SPAN("")},
    {"half", SPAN("NOO"), LINE_MORE, SPAN("")},
    {"half end", SPAN("NOOP\r"), LINE_MORE, SPAN("")},
    {"row_031 bare LF", SPAN("HELO a\n"), LINE_BARE_LF, SPAN("")},
    {"row_031 only LF", SPAN("\n"), LINE_BARE_LF, SPAN("")},
    {"row_032 bare CR", SPAN("A\rB\r\n"), LINE_BAD, SPAN("")},
    {"row_033 CR CR LF", SPAN("NOOP\r\r\n"), LINE_BAD, SPAN("")},
    {"row_034 NUL", SPAN("QU\0IT\r\n"), LINE_BAD, SPAN("")},
};

static void
rows_with_every_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step <= rows[i].in.len; step++) {
			struct span line;
			size_t left;
			enum line_status status = run(rows[i].in, step, &line, &left);

			if (status != rows[i].status || !span_eq(line, rows[i].line)) {
				print_error(
				    "%s, %zu at once: %d\n", rows[i].name, step, (int)status);
				fail();
			}
		}
	}
}

/* In: octets with the line end, which is CR LF, or LF alone. */
static enum line_status
line_of(size_t octets, bool crlf, size_t step)
{
	uint8_t *text = malloc(octets);
	struct span line;
	size_t left;
	enum line_status status;

	assert_non_null(text);
	memset(text, 'A', octets);
	if (crlf)
		text[octets - 2] = '\r';
	text[octets - 1] = '\n';
	status = run(span_of(text, octets), step, &line, &left);
	assert_true(status != LINE_GOOD || line.len == octets - 2);
	assert_true(status == LINE_FLOOD || left == 0);
	free(text);
	return status;
}

static void
row_077_line_limit(void **state)
{
	static const size_t steps[] = {1, 7, 2047, 2048, 2049, 100000};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(line_of(COMMAND_LINE_MAX - 1, true, steps[i]), LINE_GOOD);
		assert_int_equal(line_of(COMMAND_LINE_MAX, true, steps[i]), LINE_GOOD);
		assert_int_equal(line_of(COMMAND_LINE_MAX + 1, true, steps[i]), LINE_TOO_LONG);
		assert_int_equal(line_of(COMMAND_LINE_MAX + 1, false, steps[i]), LINE_BARE_LF);
		assert_int_equal(line_of(60000, true, steps[i]), LINE_TOO_LONG);
	}
}

static void
row_030_endless_line(void **state)
{
	(void)state;
	assert_int_equal(line_of(COMMAND_DISCARD_MAX + 5000, true, 1), LINE_FLOOD);
	assert_int_equal(line_of(COMMAND_DISCARD_MAX + 5000, true, 1000), LINE_FLOOD);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_with_every_step),
	    cmocka_unit_test(row_077_line_limit),
	    cmocka_unit_test(row_030_endless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

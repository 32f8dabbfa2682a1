/*
 * Command lines: found at the same place however the octets are cut, and the arguments of MAIL
 * and RCPT split into parts that lie inside them.
 */
#include <stdlib.h>

#include "smtpd/line.h"
#include "smtpd/parameters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
	if (!good)
		abort();
}

/* Out: *end_out, octets of `in` up to the end of the line. */
static enum line_status
find(struct span in, size_t step, struct span *line_out, size_t *end_out)
{
	struct line_finder f = {0};
	enum line_status status = LINE_MORE;
	size_t start = 0, end = 0, used;

	while (status == LINE_MORE && end < in.len) {
		struct span shown;

		end = end + step < in.len ? end + step : in.len;
		shown = span_of(in.p + start, end - start);
		status = line_find(&f, shown, line_out, &used);
		check(used <= shown.len);
		line_take(&f, status, shown, used);
		start += used;
		check(status != LINE_MORE || end - start < COMMAND_LINE_MAX);
	}
	*end_out = start;
	return status;
}

static void
check_lines(struct span in, size_t step)
{
	struct span whole, cut;
	size_t whole_end, cut_end;
	enum line_status a = find(in, in.len, &whole, &whole_end);
	enum line_status b = find(in, step, &cut, &cut_end);

	/* How early a flood is noticed depends on how it comes. */
	if (a == LINE_FLOOD || b == LINE_FLOOD)
		return;
	check(a == b);
	if (a == LINE_GOOD)
		check(whole_end == cut_end && span_eq(whole, cut) &&
		      whole.len + 2 <= COMMAND_LINE_MAX);
}

static void
check_path(struct span argument)
{
	struct span path, rest;
	struct parameter p;
	enum parameter_status status = PARAMETER_OK;

	if (path_split(argument, SPAN("TO:"), &path, &rest) != PATH_OK)
		return;
	check(path.len + rest.len + 5 <= argument.len && path.p[-1] == '<' &&
	      path.p[path.len] == '>');
	while (status == PARAMETER_OK) {
		size_t before = rest.len;

		status = parameter_next(&rest, &p);
		check(status != PARAMETER_OK || (rest.len < before && p.keyword.len > 0));
		check(status != PARAMETER_OK || p.has_value == (p.value.len > 0));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	check_lines(span_of(data + 1, size - 1), data[0] % 50u + 1);
	check_path(span_of(data + 1, size - 1));
	return 0;
}

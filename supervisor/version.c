#include "supervisor/version.h"

/* What stands before the number at the beginning of `rest`, if anything; taken off it. */
static struct span
take_run(struct span *rest, bool digits)
{
	struct span run = span_of(rest->p, 0);

	while (run.len < rest->len && ascii_is_digit(rest->p[run.len]) == digits)
		run.len++;
	*rest = span_from(*rest, run.len);
	return run;
}

/* A tilde comes before the end, the end before a letter, and a letter before anything else. */
static int
weight(struct span run, size_t i)
{
	if (i >= run.len)
		return 0;
	if (run.p[i] == '~')
		return -1;
	return ascii_is_alpha(run.p[i]) ? run.p[i] : run.p[i] + 256;
}

static int
compare_text(struct span a, struct span b)
{
	for (size_t i = 0; i < a.len || i < b.len; i++)
		if (weight(a, i) != weight(b, i))
			return weight(a, i) - weight(b, i);
	return 0;
}

/* Of any length; no digits are zero. */
static int
compare_numbers(struct span a, struct span b)
{
	while (a.len > 0 && a.p[0] == '0')
		a = span_from(a, 1);
	while (b.len > 0 && b.p[0] == '0')
		b = span_from(b, 1);
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len > 0 ? memcmp(a.p, b.p, a.len) : 0;
}

static int
compare_part(struct span a, struct span b)
{
	int order = 0;

	while (order == 0 && (a.len > 0 || b.len > 0)) {
		order = compare_text(take_run(&a, false), take_run(&b, false));
		if (order == 0)
			order = compare_numbers(take_run(&a, true), take_run(&b, true));
	}
	return order;
}

/* Up to the first colon. */
static struct span
take_epoch(struct span *version)
{
	size_t colon = span_find(*version, ':');
	struct span epoch = span_head(*version, colon < version->len ? colon : 0);

	*version = span_from(*version, colon < version->len ? colon + 1 : 0);
	return epoch;
}

int
version_compare(struct span a, struct span b)
{
	int order = compare_part(take_epoch(&a), take_epoch(&b));
	size_t a_end = span_find_last(a, '-'), b_end = span_find_last(b, '-');

	if (order == 0)
		order = compare_part(span_head(a, a_end), span_head(b, b_end));
	if (order == 0)
		order = compare_part(span_from(a, a_end + 1), span_from(b, b_end + 1));
	return order;
}

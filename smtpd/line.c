#include "smtpd/line.h"

static enum line_status
unfinished(const struct line_finder *f, struct span in, size_t *used_out)
{
	bool discard = f->discarded > 0 || in.len >= COMMAND_LINE_MAX;

	*used_out = discard ? in.len : 0;
	return discard && f->discarded + in.len > COMMAND_DISCARD_MAX ? LINE_FLOOD : LINE_MORE;
}

static bool
ends_in_cr(const struct line_finder *f, struct span line)
{
	return line.len > 0 ? line.p[line.len - 1] == '\r' : f->after_cr;
}

enum line_status
line_find(const struct line_finder *f, struct span in, struct span *line_out, size_t *used_out)
{
	size_t lf = span_find(in, '\n');
	struct span line = span_head(in, lf);

	*line_out = span_of(NULL, 0);
	if (lf == in.len)
		return unfinished(f, in, used_out);
	*used_out = lf + 1;
	if (!ends_in_cr(f, line))
		return LINE_BARE_LF;
	if (f->discarded > 0 || lf + 1 > COMMAND_LINE_MAX)
		return LINE_TOO_LONG;
	line.len--;
	if (span_find(line, '\r') < line.len || span_find(line, '\0') < line.len)
		return LINE_BAD;
	*line_out = line;
	return LINE_GOOD;
}

void
line_take(struct line_finder *f, enum line_status status, struct span in, size_t used)
{
	if (status != LINE_MORE) {
		*f = (struct line_finder){0};
	} else if (used > 0) {
		if (f->discarded == 0)
			memcpy(f->verb, in.p, sizeof(f->verb));
		f->discarded += used;
		f->after_cr = in.p[used - 1] == '\r';
	}
}

bool
line_began_with(const struct line_finder *f, struct span in, struct span verb)
{
	struct span begin = f->discarded > 0 ? span_of(f->verb, sizeof(f->verb)) : in;

	return span_eq_nocase(span_head(begin, verb.len), verb);
}

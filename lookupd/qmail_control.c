#include "lookupd/qmail_control.h"

static struct span
trim_end(struct span s)
{
	while (s.len > 0 &&
	       (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t' || s.p[s.len - 1] == '\n'))
		s.len--;
	return s;
}

/* Takes the next line that is neither empty nor a comment. */
static bool
next_line(struct control *c)
{
	while (c->rest.len > 0) {
		size_t end = span_find(c->rest, '\n');

		c->line = trim_end(span_head(c->rest, end));
		c->rest = span_from(c->rest, end + 1);
		c->number++;
		if (c->line.len > 0 && c->line.p[0] != '#' && c->line.p[0] != '\0')
			return true;
	}
	return false;
}

bool
control_next(struct control *c, struct span *entry_out)
{
	size_t end;

	if (!c->in_line && !next_line(c))
		return false;
	end = span_find(c->line, '\0');
	*entry_out = span_head(c->line, end);
	c->in_line = end < c->line.len;
	c->line = span_from(c->line, end + 1);
	return true;
}

struct span
control_first_line(struct span text)
{
	return trim_end(span_head(text, span_find(text, '\n')));
}

const char *
control_suspicious(struct span entry)
{
	if (entry.len > 0 && (entry.p[0] == ' ' || entry.p[0] == '\t'))
		return "a blank before the entry is part of it, which so never matches";
	if (span_find(entry, '\r') < entry.len)
		return "the carriage return is part of the entry, which so never matches";
	return NULL;
}

/* ---- users/assign ------------------------------------------------------------------------------ */

static bool
take_colon(struct span *rest, struct span *field_out)
{
	size_t n = span_find(*rest, ':');

	if (n == rest->len)
		return false;
	*field_out = span_head(*rest, n);
	*rest = span_from(*rest, n + 1);
	return true;
}

enum assign_status
assign_parse(struct span line, struct assign_line *a_out)
{
	struct span rest = span_from(line, 1);

	*a_out = (struct assign_line){0};
	if (line.len > 0 && line.p[0] == '.')
		return ASSIGN_END;
	if (line.len == 0 || line.p[0] == ':' || span_find(line, '\0') < line.len)
		return ASSIGN_BAD;
	a_out->wild = line.p[0] == '+';
	if (!take_colon(&rest, &a_out->local) || !take_colon(&rest, &a_out->user) ||
	    !take_colon(&rest, &a_out->uid) || !take_colon(&rest, &a_out->gid) ||
	    !take_colon(&rest, &a_out->home) || !take_colon(&rest, &a_out->dash) ||
	    !take_colon(&rest, &a_out->pre))
		return ASSIGN_BAD;
	return ASSIGN_LINE;
}

static struct span
take_nul(struct span *rest, bool *more_out)
{
	size_t n = span_find(*rest, '\0');
	struct span field = span_head(*rest, n);

	*more_out = n < rest->len;
	*rest = span_from(*rest, n + 1);
	return field;
}

bool
assign_value(struct span value, struct assign_line *a_out)
{
	bool more = true;

	*a_out = (struct assign_line){0};
	a_out->user = take_nul(&value, &more);
	if (more)
		a_out->uid = take_nul(&value, &more);
	if (more)
		a_out->gid = take_nul(&value, &more);
	if (more)
		a_out->home = take_nul(&value, &more);
	if (more)
		a_out->dash = take_nul(&value, &more);
	if (!more)
		return false;
	a_out->pre = take_nul(&value, &more);
	return true;
}

uint64_t
assign_number(struct span s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.len && ascii_is_digit(s.p[i]); i++)
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	return v;
}

#include "lookupd/vpasswd.h"

static struct span
take_field(struct span *rest, uint8_t end)
{
	size_t n = span_find(*rest, end);
	struct span field = span_head(*rest, n);

	*rest = span_from(*rest, n + 1);
	return field;
}

bool
vpasswd_parse(struct span line, struct vpasswd *u_out)
{
	struct span gid;

	*u_out = (struct vpasswd){0};
	u_out->name = take_field(&line, ':');
	take_field(&line, ':');
	take_field(&line, ':');
	gid = take_field(&line, ':');
	take_field(&line, ':');
	u_out->dir = take_field(&line, ':');
	u_out->quota = take_field(&line, ':');
	if (gid.len > 0 && !span_decimal(gid, UINT32_MAX, &u_out->flags))
		return false;
	return u_out->name.len > 0 && u_out->dir.len > 0 && u_out->dir.p[0] == '/';
}

bool
quota_parse(struct span text, struct quota *q_out)
{
	*q_out = (struct quota){0};
	while (text.len > 0) {
		struct span part = take_field(&text, ',');
		uint64_t v;
		uint8_t unit = part.len > 0 ? part.p[part.len - 1] : 0;

		if (ascii_is_digit(unit))
			unit = 'S';
		else
			part = span_head(part, part.len - 1);
		if (!span_decimal(part, UINT64_MAX / 2, &v))
			continue;
		if (unit == 'S' || unit == 's')
			q_out->octets = v;
		else if (unit == 'C' || unit == 'c')
			q_out->messages = v;
	}
	return q_out->octets > 0 || q_out->messages > 0;
}

/* A number with a sign at its beginning. */
static int64_t
take_signed(struct span *s)
{
	bool minus = false;
	int64_t v = 0;
	size_t i = 0;

	while (i < s->len && s->p[i] == ' ')
		i++;
	if (i < s->len && (s->p[i] == '-' || s->p[i] == '+'))
		minus = s->p[i++] == '-';
	for (; i < s->len && ascii_is_digit(s->p[i]); i++)
		if (v < INT64_MAX / 100)
			v = v * 10 + (s->p[i] - '0');
	*s = span_from(*s, i);
	return minus ? -v : v;
}

bool
maildirsize_over(struct span text, const struct quota *quota)
{
	int64_t octets = 0, messages = 0;

	take_field(&text, '\n'); /* the quota, once more */
	while (text.len > 0) {
		struct span line = take_field(&text, '\n');

		/* No file of a user can bring the sum near its limits. */
		if (octets > INT64_MAX / 2 || octets < INT64_MIN / 2)
			return false;
		octets += take_signed(&line);
		messages += take_signed(&line) % INT32_MAX;
	}
	return (quota->octets > 0 && octets > 0 && (uint64_t)octets > quota->octets) ||
	       (quota->messages > 0 && messages > 0 && (uint64_t)messages > quota->messages);
}

#include "queue-handoff/lines.h"

enum { LONGEST = 2 }; /* octets that one octet may become */

/* Octets from the front of in that go as they are. */
static size_t
plain_len(struct span in)
{
	size_t n = span_find(in, '\n');

	return n < in.len ? n : in.len;
}

static bool
is_clean(struct span s)
{
	return span_find(s, '\r') == s.len && span_find(s, '\0') == s.len;
}

bool
lines_put(struct lines *l, struct span in, struct buf *b, size_t *used_out)
{
	size_t used = 0;

	*used_out = 0;
	while (used < in.len && b->cap - b->len >= 2 * LONGEST) {
		struct span rest = span_from(in, used);
		size_t n;

		if (rest.p[0] == '\n') {
			buf_put(b, "\r\n", 2);
			l->inside = false;
			used++;
			continue;
		}
		if (!l->inside && rest.p[0] == '.')
			buf_put_u8(b, '.');
		n = plain_len(rest);
		if (n > b->cap - b->len)
			n = b->cap - b->len;
		if (!is_clean(span_head(rest, n)))
			return false;
		buf_put(b, rest.p, n);
		l->inside = true;
		used += n;
	}
	*used_out = used;
	return true;
}

bool
lines_finish(struct lines *l, struct buf *b)
{
	if (!l->inside)
		return true;
	if (b->cap - b->len < 2)
		return false;
	buf_put(b, "\r\n", 2);
	l->inside = false;
	return true;
}

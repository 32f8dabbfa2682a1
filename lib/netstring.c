#include "lib/netstring.h"

#include "lib/bug.h"

size_t
netstring_size(size_t len)
{
	size_t digits = 1;

	for (size_t rest = len; rest >= 10; rest /= 10)
		digits++;
	return digits + 1 + len + 1;
}

void
netstring_put_head(struct buf *b, uint64_t len)
{
	buf_put_decimal(b, len);
	buf_put_u8(b, ':');
}

void
netstring_put(struct buf *b, struct span content)
{
	netstring_put_head(b, content.len);
	buf_put_span(b, content);
	buf_put_u8(b, ',');
}

void
netstring_reader_init(struct netstring_reader *r, void *p, size_t cap)
{
	/* So that one more digit never overflows the length. */
	BUG_ON(cap > SIZE_MAX / 10 - 10);
	*r = (struct netstring_reader){.p = p, .cap = cap};
}

/* [len] of netstrings.txt: no leading zero, at least one digit. */
static enum netstring_status
feed_length(struct netstring_reader *r, uint8_t c)
{
	if (c == ':' && r->digits > 0) {
		r->in_content = true;
		return NETSTRING_MORE;
	}
	if (!ascii_is_digit(c) || (r->digits > 0 && r->length == 0))
		return NETSTRING_BAD;
	r->length = r->length * 10 + (size_t)(c - '0');
	r->digits++;
	return r->length > r->cap ? NETSTRING_BAD : NETSTRING_MORE;
}

/* As much of the content as there is. Returns: octets taken. */
static size_t
feed_content(struct netstring_reader *r, struct span in)
{
	struct span part = span_head(in, r->length - r->have);

	if (part.len > 0)
		memcpy(r->p + r->have, part.p, part.len);
	r->have += part.len;
	return part.len;
}

enum netstring_status
netstring_reader_feed(struct netstring_reader *r, struct span in, size_t *used_out)
{
	size_t used = 0;
	enum netstring_status status = NETSTRING_MORE;

	while (used < in.len && status == NETSTRING_MORE) {
		if (!r->in_content)
			status = feed_length(r, in.p[used++]);
		else if (r->have < r->length)
			used += feed_content(r, span_from(in, used));
		else
			status = in.p[used++] == ',' ? NETSTRING_DONE : NETSTRING_BAD;
	}
	*used_out = used;
	return status;
}

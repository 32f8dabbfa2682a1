#include "smtpd/output.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/bug.h"

/* To the heap, once and to full size: only a client that does not read gets us here. */
static bool
grow(struct output *o, struct pool *blocks)
{
	uint8_t *p;

	if (o->cap == OUTPUT_MAX || (p = malloc(OUTPUT_MAX)) == NULL)
		return false;
	memcpy(p, o->p + o->sent, o->len - o->sent);
	pool_give(blocks, o->p);
	*o = (struct output){.p = p, .len = o->len - o->sent, .cap = OUTPUT_MAX};
	return true;
}

bool
output_open(struct output *o, struct pool *blocks, size_t octets, struct buf *b_out)
{
	if (o->p == NULL) {
		o->p = pool_take(blocks);
		if (o->p == NULL)
			return false;
		o->cap = OUTPUT_BLOCK;
	}
	if (octets > o->cap - o->len && !grow(o, blocks))
		return false;
	if (octets > o->cap - o->len)
		return false;
	*b_out = buf_over(o->p + o->len, o->cap - o->len);
	return true;
}

void
output_commit(struct output *o, const struct buf *b)
{
	BUG_ON(b->full);
	o->len += b->len;
}

enum output_status
output_flush(struct output *o, struct pool *blocks, int fd)
{
	while (o->sent < o->len) {
		ssize_t n = send(fd, o->p + o->sent, o->len - o->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? OUTPUT_BLOCKED : OUTPUT_BROKEN;
		o->sent += (size_t)n;
	}
	output_clear(o, blocks);
	return OUTPUT_DONE;
}

void
output_clear(struct output *o, struct pool *blocks)
{
	if (o->cap == OUTPUT_BLOCK)
		pool_give(blocks, o->p);
	else
		free(o->p);
	*o = (struct output){0};
}

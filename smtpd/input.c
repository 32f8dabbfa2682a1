#include "smtpd/input.h"

#include <stdlib.h>

static bool
make_room(struct input *in, struct pool *blocks, size_t len)
{
	input_clear(in, blocks);
	in->cap = len <= INPUT_BLOCK ? INPUT_BLOCK : len;
	in->p = in->cap == INPUT_BLOCK ? pool_take(blocks) : malloc(in->cap);
	return in->p != NULL;
}

bool
input_keep(struct input *in, struct pool *blocks, struct span rest)
{
	if (rest.len == 0) {
		input_clear(in, blocks);
		return true;
	}
	if (in->p == NULL && !make_room(in, blocks, rest.len))
		return false;
	/* What is kept was read into that memory, or is new to an empty input. */
	if (rest.p != in->p)
		memmove(in->p, rest.p, rest.len);
	in->len = rest.len;
	return true;
}

void
input_clear(struct input *in, struct pool *blocks)
{
	if (in->cap == INPUT_BLOCK)
		pool_give(blocks, in->p);
	else
		free(in->p);
	*in = (struct input){0};
}

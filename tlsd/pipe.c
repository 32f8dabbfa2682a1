#include "tlsd/pipe.h"

#include <stdlib.h>

#include "lib/bug.h"

bool
pipe_keep(struct pipe *pipe, struct span octets)
{
	BUG_ON(pipe->p != NULL || octets.len == 0);
	pipe->p = malloc(octets.len);
	if (pipe->p == NULL)
		return false;
	memcpy(pipe->p, octets.p, octets.len);
	pipe->at = 0;
	pipe->len = octets.len;
	return true;
}

struct span
pipe_waiting(const struct pipe *pipe)
{
	return pipe->p != NULL ? span_of(pipe->p + pipe->at, pipe->len - pipe->at)
	                       : span_of(NULL, 0);
}

void
pipe_passed(struct pipe *pipe, size_t n)
{
	BUG_ON(n > pipe->len - pipe->at);
	pipe->at += n;
	if (pipe->at == pipe->len)
		pipe_clear(pipe);
}

void
pipe_clear(struct pipe *pipe)
{
	free(pipe->p);
	*pipe = (struct pipe){NULL, 0, 0};
}

/*
 * What one side of a session could not take yet: at most one scratch buffer of octets, allocated
 * only while there are some. While a pipe holds octets its source is not read.
 */
#ifndef TLSD_PIPE_H
#define TLSD_PIPE_H

#include "lib/span.h"

struct pipe {
	uint8_t *p; /* NULL: empty */
	size_t at, len;
};

/* Keeps a copy; the pipe must be empty. Returns: false when memory is out. */
bool pipe_keep(struct pipe *pipe, struct span octets);

/* The octets that wait; empty when there are none. */
struct span pipe_waiting(const struct pipe *pipe);

/* The first n of them were passed on. */
void pipe_passed(struct pipe *pipe, size_t n);

void pipe_clear(struct pipe *pipe);

#endif

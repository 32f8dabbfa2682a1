/* Octets of a session that were read but not used yet: half a line, or commands that must wait. */
#ifndef SMTPD_INPUT_H
#define SMTPD_INPUT_H

#include "lib/span.h"
#include "smtpd/pool.h"

enum {
	INPUT_BLOCK = 4096,       /* octets read at once while commands come in */
	INPUT_LARGE = 128 * 1024, /* octets read at once while content comes in */
};

struct input {
	uint8_t *p; /* from the pool when cap is INPUT_BLOCK, else from the heap */
	size_t len, cap;
};

static inline struct span
input_span(const struct input *in)
{
	return span_of(in->p, in->len);
}

/*
 * Keeps `rest`, which may lie inside what is kept already, and nothing else.
 * Returns: false when memory is out.
 */
bool input_keep(struct input *in, struct pool *blocks, struct span rest);

void input_clear(struct input *in, struct pool *blocks);

#endif

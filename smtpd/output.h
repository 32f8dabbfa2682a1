/* Replies of a session, gathered and written once at the end of a turn. */
#ifndef SMTPD_OUTPUT_H
#define SMTPD_OUTPUT_H

#include "lib/buf.h"
#include "smtpd/pool.h"

enum {
	OUTPUT_BLOCK = 4096,     /* octets of the common buffer, from a pool */
	OUTPUT_MAX = 128 * 1024, /* octets that may wait for a client that does not read */
};

struct output {
	uint8_t *p; /* from the pool when cap is OUTPUT_BLOCK, else from the heap */
	size_t sent, len, cap;
};

static inline bool
output_empty(const struct output *o)
{
	return o->len == o->sent;
}

/*
 * Makes room for `octets` more.
 * Out: *b_out writes behind what is there; output_commit takes what was written.
 * Returns: false when memory is out or too much is waiting.
 */
bool output_open(struct output *o, struct pool *blocks, size_t octets, struct buf *b_out);
void output_commit(struct output *o, const struct buf *b);

enum output_status { OUTPUT_DONE, OUTPUT_BLOCKED, OUTPUT_BROKEN };

/* Writes what the socket takes; memory goes back when all is out. */
enum output_status output_flush(struct output *o, struct pool *blocks, int fd);

void output_clear(struct output *o, struct pool *blocks);

#endif

/*
 * A message on its way to SMTP or LMTP: lines end with CR LF, and a line that begins with a dot
 * gets another one in front (RFC 5321 4.5.2). Works on any pieces of it.
 */
#ifndef QUEUE_HANDOFF_LINES_H
#define QUEUE_HANDOFF_LINES_H

#include "lib/buf.h"

struct lines {
	bool inside; /* of a line */
};

/*
 * In: in, octets in LF form.
 * Out: as many as fit are appended to b; *used_out, how many were taken.
 * Returns: false for an octet that such a message cannot hold (NUL, CR): some servers take a
 * bare CR for the end of a line, and what follows for a command.
 */
bool lines_put(struct lines *l, struct span in, struct buf *b, size_t *used_out);

/* Appends the end of a last line that has none. Returns: false when it does not fit. */
bool lines_finish(struct lines *l, struct buf *b);

#endif

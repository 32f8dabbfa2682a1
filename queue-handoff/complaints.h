/*
 * Whether a permanent answer of a back end is about the message, or about us.
 *
 * D is free text, and one wrong line in a back end's access list would make it the answer to
 * all mail. So it becomes 5xx only from a server that has shown that it takes our mail, and
 * only when its text is none of the known complaints about us.
 */
#ifndef QUEUE_HANDOFF_COMPLAINTS_H
#define QUEUE_HANDOFF_COMPLAINTS_H

#include "lib/span.h"

struct complaint {
	const char *text;
	const char *about;  /* authorisation, framing, size, configuration, recipients */
	const char *source; /* the program and file that has the text */
};

/* Returns: the known complaint that the text holds, or NULL. */
const struct complaint *complaint_find(struct span text);

/* The whole table, for the check of docs/backends.md. */
const struct complaint *complaints(size_t *count_out);

#endif

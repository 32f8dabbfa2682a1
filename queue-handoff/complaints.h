/*
 * Whether a permanent answer of a back end is about the message, or about us.
 *
 * D is free text, and one wrong line in a back end's access list would make it the answer to
 * all mail. So it becomes 5xx only from a server that has shown that it takes our mail, and
 * only when its text is none of the known complaints about us. SMTP and LMTP say more: codes
 * about syntax and order, about policy (X.7.x), the protocol (X.5.x), the size and the system are
 * about us. What the operator has named in the configuration comes before all of that.
 */
#ifndef QUEUE_HANDOFF_COMPLAINTS_H
#define QUEUE_HANDOFF_COMPLAINTS_H

#include "queue-handoff/answer.h"
#include "queue-handoff/backends.h"

struct complaint {
	const char *text;
	const char *about;  /* authorisation, framing, size, configuration, recipients */
	const char *source; /* the program and file that has the text */
};

/* Returns: the known complaint that the text holds, or NULL. */
const struct complaint *complaint_find(struct span text);

/*
 * Why a refusal for good is not believed: the word for the log; NULL when it is believed.
 * In: trusted, whether the server took other mail within the last hour.
 */
const char *refusal_doubt(const struct answer *answer, const struct group *g, bool trusted);

/* The whole table, for the check of docs/backends.md. */
const struct complaint *complaints(size_t *count_out);

#endif

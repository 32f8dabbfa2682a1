/*
 * What the exit status of qmail-queue says (qmail-queue.8, and qmail.c of qmail and notqmail), as an
 * answer of QMQP.
 */
#ifndef QUEUE_HANDOFF_QUEUE_EXIT_H
#define QUEUE_HANDOFF_QUEUE_EXIT_H

#include "lib/span.h"

struct queue_exit {
	char letter;      /* K, Z or D */
	const char *text; /* for the log and for the classification of a D */
	bool custom;      /* descriptor 6 has letter and text */
};

/* In: status, as exited with; 0 to 255. */
const struct queue_exit *queue_exit(unsigned status);

/*
 * The letter and text that were written to descriptor 6 (qmail-queue-custom-error).
 * Returns: whether they can be believed to be that; else the status alone speaks.
 */
bool queue_exit_custom(struct span custom, char *letter_out, struct span *text_out);

#endif

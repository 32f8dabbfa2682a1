/*
 * What a back end says about a message or about one recipient of it, whatever the protocol, and
 * what is made of it.
 */
#ifndef QUEUE_HANDOFF_ANSWER_H
#define QUEUE_HANDOFF_ANSWER_H

#include "lib/catalogue.h"
#include "lib/span.h"

enum answer_kind { ANSWER_TAKEN, ANSWER_DEFERRED, ANSWER_REFUSED };

/* As the back end gave it. */
struct answer {
	enum answer_kind kind;
	unsigned code;      /* SMTP and LMTP: 250, 550, ...; 0 elsewhere */
	struct span status; /* their enhanced status code, as "5.7.1"; may be empty */
	struct span text;   /* for the log and the classification */
};

/* As it is believed. */
enum verdict {
	VERDICT_NONE, /* no answer, or only that it may go on */
	VERDICT_TAKEN,
	VERDICT_DEFERRED,
	VERDICT_REFUSED,
	VERDICT_DOUBTED, /* refused for good, and not believed */
	VERDICTS,
};

/*
 * The outcome of a message by the verdicts on its recipients.
 * In: verdicts, one for each of count recipients, at least one.
 */
enum handoff_outcome verdicts_outcome(const uint8_t *verdicts, unsigned count);

#endif

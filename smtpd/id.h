/*
 * Transaction ids: what stands in a reply and finds the log line.
 *
 * [0-9A-Za-z]{16}: when the worker began (milliseconds), which process it is, and a counter.
 * Two processes with the same instance number cannot begin in the same millisecond, so an id
 * is unique over workers and restarts. The counter is scattered by a random factor, since the
 * volume of our mail is nobody's business (P9).
 */
#ifndef SMTPD_ID_H
#define SMTPD_ID_H

#include "lib/span.h"

enum { ID_LEN = 16 };

struct id {
	uint8_t text[ID_LEN];
};

static inline struct span
id_span(const struct id *id)
{
	return span_of(id->text, ID_LEN);
}

struct id_maker {
	uint8_t prefix[10];
	uint64_t counter;
	uint64_t factor; /* has no divisor in common with 62 */
};

/* In: random, any number that outsiders do not know. */
void id_maker_init(struct id_maker *m, uint64_t unix_ms, uint32_t instance, uint64_t random);
void id_next(struct id_maker *m, struct id *id_out);

#endif

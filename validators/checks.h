/*
 * The two checks of a message, as the dispatcher sees them: what the process is told, and what of
 * its answer is kept.
 */
#ifndef VALIDATORS_CHECKS_H
#define VALIDATORS_CHECKS_H

#include "validators/transaction.h"

/* Tells the process at the other end of job->link what to check. Returns: false when that failed. */
bool check_begin(struct job *job);

/* Keeps an answer. Returns: false when no honest process gives it. */
bool check_answered(struct job *job, enum msg_type type, const union msg *m);

/* The envelope check has ended. In: good, there is a result. */
void check_envelope_ended(struct transaction *t, bool good);

void check_message_ended(struct content_state *content, bool good);

#endif

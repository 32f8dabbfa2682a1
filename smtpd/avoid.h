/*
 * No group starves behind a sick one. A client whose message has recipients of several groups is
 * told 452 for all but the first group's, and when that group then defers the message, it would
 * begin with it again, for ever. So for an hour, once, the same client network and sender is told
 * 452 for that group first, and another group has its turn.
 *
 * All workers share the memory: the repeat reaches any of them.
 */
#ifndef SMTPD_AVOID_H
#define SMTPD_AVOID_H

#include <stdbool.h>

#include "lib/span.h"

struct session;

enum { AVOID_S = 3600 };

/* The transaction was deferred by its group, and recipients of others had been turned away. */
void avoid_record(const struct session *s);

/*
 * Whether a transaction that has no recipient yet should not begin with this group. If so, the
 * transaction remembers it, and another group will have had its turn when it ends.
 */
bool avoid_now(const struct session *s, struct span route);

/* The transaction ends. */
void avoid_end(const struct session *s);

#endif

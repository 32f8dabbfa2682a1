/*
 * No group starves behind a sick one. A client whose message has recipients of several groups is
 * told 452 for all but the first group's, and when that group then defers the message, it would
 * begin with it again, for ever. So for an hour, once, the same client network and sender is told
 * 452 for that group first, and another group has its turn.
 */
#ifndef SMTPD_AVOID_H
#define SMTPD_AVOID_H

#include "lib/span.h"

struct avoid;
struct session;

enum { AVOID_SETS = 512, AVOID_WAYS = 4, AVOID_MS = 3600 * 1000 };

/* Returns: NULL when memory or entropy is out. */
struct avoid *avoid_new(void);
void avoid_free(struct avoid **a);

/* The transaction was deferred by its group, and recipients of others had been turned away. */
void avoid_record(const struct session *s);

/* Whether a transaction that has no recipient yet should not begin with this group. */
bool avoid_now(const struct session *s, struct span route);

/* Another group had its turn, or there was none. */
void avoid_done(const struct session *s);

#endif

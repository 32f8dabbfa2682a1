/*
 * Which transactions of one smtpd worker have been handed off: each number is taken once, so
 * that a grant serves one transaction only. A window of the newest numbers in constant memory;
 * what is older is refused, as it cannot be known whether it was taken.
 */
#ifndef QUEUE_HANDOFF_GRANTS_H
#define QUEUE_HANDOFF_GRANTS_H

#include "lib/catalogue.h"
#include "lib/grant.h"

/* Numbers in the window: more than an hour, the longest session, of a thousand transactions per
 * second and worker. */
enum { GRANTS_WINDOW = 1 << 22 };

struct grants_window;

/* Returns: NULL when memory is out. */
struct grants_window *grants_window_new(void);
void grants_window_free(struct grants_window **w);

/* Forgets everything: a new process has its own numbers. */
void grants_window_reset(struct grants_window *w);

/* Returns: whether the number had not been taken and is taken now. */
bool grants_spend(struct grants_window *w, uint64_t transaction);

/*
 * Checks the grants of every recipient of a message: made by lookupd for this worker, this
 * transaction, route and class; not expired; not for a smaller message.
 * Returns: NULL, or why not, for the log.
 */
const char *grants_check(
    const struct grant_key *key, uint32_t instance, const struct msg_deliver *m, uint64_t now_s);

#endif

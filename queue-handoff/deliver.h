/*
 * A `deliver` message: checked as if it came from an enemy, then made a hand-off.
 *
 * What is checked: one back-end group; a grant of lookupd for every recipient; the transaction
 * not handed off before; the content of the size that was said, and in a memory file that
 * nobody can change any more; a sender that no qmail system takes for a command.
 */
#ifndef QUEUE_HANDOFF_DELIVER_H
#define QUEUE_HANDOFF_DELIVER_H

#include "queue-handoff/grants.h"
#include "queue-handoff/handoff.h"

struct deliver;

/*
 * In: conf and backends, borrowed for its lifetime.
 * Returns: NULL when memory is out.
 */
struct deliver *deliver_new(struct handoff *h, struct backends *backends, const struct conf *conf,
    const uint8_t key[GRANT_KEY_LEN]);
void deliver_free(struct deliver **d);

/* From now on recipients that have got a message already are left out of it. In: borrowed. */
void deliver_use(struct deliver *d, const struct repeats *repeats);

/*
 * In: now_ms, as repeats have it; window, of the worker that m names; *fd, the descriptor that came with it, or -1; taken over
 * (set to -1) when the hand-off starts.
 * Returns: true when a job was started, which tells its own end; else false and what to tell
 * smtpd in *outcome_out, after a line in the log.
 */
bool deliver_start(struct deliver *d, const struct msg_deliver *m, struct grants_window *window,
    int *fd, uint64_t now_ms, enum handoff_outcome *outcome_out);

#endif

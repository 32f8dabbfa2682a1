/*
 * Refusals that belong to a recipient of a message that other recipients got, or could not get for
 * the same moment: the client was told 451 for all of them, and hears each one's own answer at the
 * RCPT of its repeat. queue-handoff tells; each entry serves once, in whatever worker.
 *
 * An entry is a keyed hash of sender, recipient and the size that MAIL announced, so that another
 * message of the same sender is not taken for the repeat.
 */
#ifndef SMTPD_RECALL_H
#define SMTPD_RECALL_H

#include "lib/catalogue.h"
#include "smtpd/reply.h"

struct worker;
struct recall;

enum { RECALL_SETS = 512, RECALL_WAYS = 4 };

/* Returns: NULL when memory or entropy is out. */
struct recall *recall_new(void);
void recall_free(struct recall **r);

/* queue-handoff tells of a refusal; or that another worker has used one. */
void recall_on_refusal(struct worker *w, const struct msg_recall *m);
void recall_on_used(struct worker *w, const struct msg_recall_used *m);

/*
 * The answer that this recipient is still owed; it is used up by that.
 * Returns: REPLY_NONE when there is none.
 */
enum reply_id recall_take(
    struct worker *w, struct span sender, struct span recipient, uint64_t declared_size);

#endif

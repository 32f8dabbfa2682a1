/*
 * A database that changes in the middle of a transaction (row 269): when an accepted recipient was
 * granted by another generation than the one in service at the end of data, lookupd is asked about
 * all of them again, and what it says now is what counts.
 *
 * A single recipient that is not accepted any more gets its own reply. One reply cannot say that
 * of one of several: the message is deferred, and RCPT says it when the client tries again.
 */
#ifndef SMTPD_RECHECK_H
#define SMTPD_RECHECK_H

#include "smtpd/session.h"

/* Whether the grants are of another generation than the current one, as far as that is known. */
bool recheck_needed(const struct session *s);

/* In state CONTENT, with content that is good. Submits it when the answers are. */
void recheck_begin(struct session *s);

/* In state RECHECK, as the others. The session goes on when it was the last answer. */
void recheck_on_answer(struct session *s, const struct msg_rcpt_answer *answer);

/* lookupd took too long. */
void recheck_overdue(struct session *s);

/* No answer will come: the message is deferred. The session does not go on by itself. */
void recheck_give_up(struct session *s);

#endif

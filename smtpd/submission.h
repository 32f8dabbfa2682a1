/*
 * A complete message on its way: to the validators, which judge it and hand it on; the question
 * of queue-handoff whether the client is still there; the outcome; the reply.
 */
#ifndef SMTPD_SUBMISSION_H
#define SMTPD_SUBMISSION_H

#include "smtpd/session.h"

/* The content is good as far as this program can tell: submits it. */
void submission_begin(struct session *s);

/* The transaction ends with that reply. In state CONTENT or SUBMITTED. */
void submission_refuse(struct session *s, enum reply_id id);

/* The same, with what the details add to the reply. In state RECHECK or SUBMITTED. */
void submission_finish(struct session *s, enum reply_id id, const struct reply_details *details);

/* After the end of data: milliseconds until the reply is due. */
uint64_t submission_time_left(const struct session *s);

/* The reply to what validators refuse. In: reason, enum refusal, or what is none. */
enum reply_id submission_refusal(unsigned reason);

void submission_on_refused(struct worker *w, const struct msg_refused *refused);
void submission_on_commit_ask(struct worker *w, const struct msg_commit_ask *ask);
void submission_on_outcome(struct worker *w, const struct msg_outcome *outcome);

/* The reply is due. */
void submission_overdue(struct session *s);

/* A link on the way ended: what had not been committed is deferred at once, and so is what had. */
void submission_on_validators_lost(struct session *s);
void submission_on_handoff_lost(struct session *s);

/* The session has ended. When nothing shows that its client has heard the last 250, queue-handoff is told. */
void submission_session_ended(struct session *s);

#endif

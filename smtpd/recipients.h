/*
 * The answers to RCPT. Questions go to lookupd without waiting for one another; answers come
 * back in the order of the questions, and so do the replies.
 */
#ifndef SMTPD_RECIPIENTS_H
#define SMTPD_RECIPIENTS_H

#include "smtpd/command.h"

enum { RECIPIENTS_EXCESS_MAX = 100 }; /* RCPTs beyond a full transaction before 421 (row 96) */

/* Answers are outstanding: every other command waits. */
bool recipients_pending(const struct session *s);

/* Room for one more question. In: args of RCPT, checked. */
bool recipients_can_ask(const struct session *s, const union command_args *args);

/* Asks lookupd; the reply follows when it answers. In: to, inside form. */
void recipients_ask(struct session *s, struct span to);

void recipients_on_answer(struct worker *w, const struct msg_rcpt_answer *answer);

/* Whether lookupd accepts the recipient, and says which one. */
bool recipients_accepted(const struct msg_rcpt_answer *answer);

/* In: an answer that does not accept. Out: what the record of the recipient adds to the reply. */
enum reply_id recipients_refusal(const struct msg_rcpt_answer *answer, struct reply_details *d_out);

/* lookupd took too long, or its link ended: the outstanding recipients are deferred, in order. */
void recipients_overdue(struct session *s);
void recipients_on_lookupd_lost(struct session *s);

#endif

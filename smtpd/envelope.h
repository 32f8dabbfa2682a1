/*
 * What validators think of the client and the sender, known by the time a recipient is named: the
 * envelope goes to them at MAIL, and where the configuration can refuse for it, RCPT waits for
 * their answer. Recipients that are exempt are accepted whatever it says, and what it says counts
 * for replies only: validators refuse the message itself too.
 */
#ifndef SMTPD_ENVELOPE_H
#define SMTPD_ENVELOPE_H

#include "smtpd/session.h"

/* MAIL was accepted: asks. */
void envelope_ask(struct session *s);

/* Whether RCPT must wait for the answer. */
bool envelope_awaited(const struct session *s);

/* A RCPT waits: the answer must come in time. */
void envelope_wait(struct session *s);

/*
 * The reply to an accepted recipient that is not exempt, REPLY_NONE when nothing is wrong.
 * Out: *details_out, borrowed from the transaction.
 */
enum reply_id envelope_refusal(const struct session *s, struct reply_details *details_out);

void envelope_on_answer(struct worker *w, const struct msg_envelope_answer *answer);

/* No answer will come, or it would come too late. */
void envelope_give_up(struct session *s);

#endif

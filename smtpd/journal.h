/* What smtpd writes to the log about sessions and transactions: one place for each line. */
#ifndef SMTPD_JOURNAL_H
#define SMTPD_JOURNAL_H

#include "smtpd/session.h"

struct worker;

/* Stress has begun or ended. */
void journal_stress(const struct worker *w);

/* In: balancer, which speaks for the client; NULL: nobody does. */
void journal_connect(const struct session *s, const struct ip *balancer);
void journal_end(const struct session *s);

/* A recipient that was not accepted. */
void journal_recipient(const struct session *s, struct span asked, enum reply_id reply);

/* One that is only accepted because its domain is observed. */
void journal_observed(const struct session *s, struct span asked);

/* The summary of a transaction. */
void journal_transaction(const struct session *s);

/* In: when, "before" or "after" the commit. */
void journal_client_gone(const struct session *s, const char *when);

#endif

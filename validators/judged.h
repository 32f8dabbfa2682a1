/* What follows a verdict: on to queue-handoff, or back to smtpd; and the line in the log. */
#ifndef VALIDATORS_JUDGED_H
#define VALIDATORS_JUDGED_H

#include "validators/dispatcher.h"
#include "validators/policy.h"
#include "validators/policy_client.h"

/* By all rules: those about the client, and those about the envelope and the content. */
struct verdict {
	bool refuse;
	enum refusal reason;
	const char *detail; /* of the reply */
	struct policy_verdict policy;
	struct client_verdict client;
};

void judged_refuse(struct worker *worker, uint64_t session, uint64_t number, enum refusal reason,
    const char *detail);

/*
 * Hands the message on, or refuses it as our own trouble when that fails.
 * In: fd, owned from now on, -1 when the content is inline; t and v, NULL when nothing was checked.
 */
void judged_hand_on(struct worker *worker, const struct msg_submit *m, uint32_t budget_ms, int fd,
    const struct transaction *t, const struct verdict *v);

/* With log_checks: what was found out about the client, and what that and SPF do at RCPT. */
void judged_step(const struct transaction *t, const struct verdict *v);

void judged_log(const struct transaction *t, const struct msg_submit *m, const struct verdict *v);

/* Counts its good signatures, and logs one that comes often. */
void judged_note_replays(const struct transaction *t, const struct msg_submit *m);

/* The message is one that its check did not survive. */
void judged_log_content(const struct transaction *t);

#endif

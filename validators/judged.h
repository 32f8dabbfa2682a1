/* What follows a verdict: on to queue-handoff, or back to smtpd; and the line in the log. */
#ifndef VALIDATORS_JUDGED_H
#define VALIDATORS_JUDGED_H

#include "validators/dispatcher.h"
#include "validators/policy.h"

void judged_refuse(struct worker *worker, uint64_t session, uint64_t number, enum refusal reason,
    const char *detail);

/*
 * Hands the message on, or refuses it as our own trouble when that fails.
 * In: fd, owned from now on, -1 when the content is inline; t, NULL when nothing was checked; spf,
 * as the trace shall say it.
 */
void judged_hand_on(struct worker *worker, const struct msg_submit *m, uint32_t budget_ms, int fd,
    const struct transaction *t, enum auth_result spf);

/* In: observed, a rule that would have refused it; NULL: none. */
void judged_log(const struct transaction *t, const struct msg_submit *m, bool refused,
    enum refusal reason, const char *observed);

/* The message is one that its check did not survive. */
void judged_log_content(const struct transaction *t);

#endif

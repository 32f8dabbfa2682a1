/*
 * The way of one message: envelope check from MAIL on, content check at the end of data, policy,
 * and on to queue-handoff or back to smtpd.
 */
#ifndef VALIDATORS_JUDGE_H
#define VALIDATORS_JUDGE_H

#include "validators/dispatcher.h"

enum {
	HELD_MAX = 4096,                     /* messages waiting for their verdict */
	HELD_OCTETS_MAX = 128 * 1024 * 1024, /* their envelopes and inline contents */
	REPLY_MARGIN_MS = 2000,              /* of the budget, left for the way back */
	DETAIL_MAX = 100,                    /* octets of a detail for a reply */
};

extern const struct job_hooks judge_hooks;

void judge_envelope(struct worker *worker, const struct msg_envelope *m);

/* A client has connected. */
void judge_arrival(struct worker *worker, const struct msg_arrival *m);

void judge_drop(struct worker *worker, const struct msg_envelope_drop *m);

/* In: *fd, taken when the message goes on; else closed by the link. */
void judge_submit(struct worker *worker, const struct msg_submit *m, int *fd);

/* The smtpd process is gone: nobody waits for its messages any more. */
void judge_worker_lost(struct worker *worker);

#endif

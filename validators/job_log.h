/* What the log says about checks that go wrong, and about their processes. */
#ifndef VALIDATORS_JOB_LOG_H
#define VALIDATORS_JOB_LOG_H

#include "validators/jobs.h"

/* Counts it, too. In: end, nothing is said of a good one; p, NULL when it had none. */
void job_log_failure(enum job_kind kind, enum job_end end, const struct process *p);

/* A process has ended: nothing is said of status 0. */
void job_log_process(const struct process *p);

#endif

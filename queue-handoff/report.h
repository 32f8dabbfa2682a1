/* Log lines and counters of hand-offs. Texts of a back end go here, encoded, and nowhere else. */
#ifndef QUEUE_HANDOFF_REPORT_H
#define QUEUE_HANDOFF_REPORT_H

#include "queue-handoff/job.h"

/* The end of a job, as smtpd is told. */
void report_end(const struct job *j, enum handoff_outcome outcome);

/* smtpd is gone before the last octet; nothing is queued. */
void report_abandoned(const struct job *j);

/* The end of a conversation that nobody waited for. */
void report_late(const struct job *j, enum handoff_outcome outcome);

void report_doubt(const struct job *j, const char *about, struct span text);
void report_alarm(const struct job *j, const char *what, struct span text);
void report_server_failed(const struct job *j, enum handoff_outcome outcome, int error);
void report_server_back(const struct job *j);

/* As in the log. */
const char *outcome_name(enum handoff_outcome outcome);

/* The time between the commit octet and the answer, in which a repeat could become a second copy;
 * a cumulative histogram. */
void report_window(uint64_t ms);

#endif

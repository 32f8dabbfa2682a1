#include "validators/job_log.h"

#include "lib/log.h"

#include "validators/counters.h"

void
job_log_failure(enum job_kind kind, enum job_end end, const struct process *p)
{
	static const char *const kinds[JOB_KINDS] = {"envelope", "message"};
	static const struct {
		const char *name;
		enum count counter;
	} ends[] = {
	    [JOB_CRASHED] = {"crashed", COUNT_checks_crashed},
	    [JOB_LATE] = {"late", COUNT_checks_late},
	    [JOB_LIED] = {"lied", COUNT_checks_lied},
	};
	struct log_line line;

	if (end == JOB_ANSWERED || end == JOB_CANCELLED)
		return;
	count(ends[end].counter);
	log_begin(&line, EVENT_check_failed);
	log_str(&line, "check", kinds[kind]);
	log_str(&line, "how", ends[end].name);
	if (p != NULL)
		log_u64(&line, "process", p->serial);
	log_end(&line);
}

void
job_log_process(const struct process *p)
{
	struct log_line line;

	if (p->status == 0)
		return;
	log_begin(&line, EVENT_check_process);
	log_u64(&line, "process", p->serial);
	log_u64(&line, "status", p->status);
	log_end(&line);
}

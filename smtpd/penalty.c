#include "smtpd/penalty.h"

#include "smtpd/worker.h"

enum { FREE_PART = 3 };

bool
penalty_for(struct session *s, uint64_t count, uint64_t limit)
{
	uint64_t most = s->worker->conf->limits.delay;
	uint64_t freely = limit / FREE_PART;
	uint64_t seconds = count > freely ? count - freely : 0;

	if (s->admission.trusted)
		return false;
	if (s->worker->stress)
		return count > (freely > 0 ? freely : 1);
	if (count > limit)
		return true;
	seconds = seconds < most ? seconds : most;
	if (seconds > 0)
		session_hold(s, seconds * 1000);
	return false;
}

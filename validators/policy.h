/* What a result of SPF does to a message: a pure function of the option and the result. */
#ifndef VALIDATORS_POLICY_H
#define VALIDATORS_POLICY_H

#include "lib/catalogue.h"
#include "lib/conf.h"

struct policy_verdict {
	bool refuse;
	enum refusal reason;   /* when refused */
	enum auth_result mark; /* what the trace says when not refused */
};

/*
 * In: rule, CONF_SPF_FAIL_*; spf, the result, AUTH_UNCHECKED when nothing was checked.
 * A fail is refused, deferred, marked or hidden as the rule says. Where a fail would not be
 * let through, a temporary error is deferred too: else whoever makes his own DNS fail gets past.
 */
struct policy_verdict policy_spf(unsigned rule, enum auth_result spf);

#endif

#include "validators/policy.h"

struct policy_verdict
policy_spf(unsigned rule, enum auth_result spf)
{
	static const struct policy_verdict on_fail[] = {
	    [CONF_SPF_FAIL_MARK] = {false, 0, AUTH_FAIL},
	    [CONF_SPF_FAIL_REJECT] = {true, REFUSAL_SPF_FAIL, AUTH_FAIL},
	    [CONF_SPF_FAIL_DEFER] = {true, REFUSAL_SPF_DEFER, AUTH_FAIL},
	    [CONF_SPF_FAIL_IGNORE] = {false, 0, AUTH_UNCHECKED},
	};
	bool strict = on_fail[rule].refuse;

	if (spf == AUTH_FAIL)
		return on_fail[rule];
	if (spf == AUTH_TEMPERROR && strict)
		return (struct policy_verdict){true, REFUSAL_DNS, spf};
	return (struct policy_verdict){false, 0, spf};
}

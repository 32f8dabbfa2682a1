/* The whole table of option and result. */
#include "validators/policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { HAND_ON = -1 };

static void
every_rule_and_result(void **state)
{
	static const struct {
		unsigned rule;
		enum auth_result spf;
		int refusal; /* or HAND_ON */
		enum auth_result mark;
	} rows[] = {
	    {CONF_SPF_FAIL_MARK, AUTH_FAIL, HAND_ON, AUTH_FAIL},
	    {CONF_SPF_FAIL_MARK, AUTH_TEMPERROR, HAND_ON, AUTH_TEMPERROR},
	    {CONF_SPF_FAIL_REJECT, AUTH_FAIL, REFUSAL_SPF_FAIL, AUTH_FAIL},
	    {CONF_SPF_FAIL_REJECT, AUTH_TEMPERROR, REFUSAL_DNS, AUTH_TEMPERROR},
	    {CONF_SPF_FAIL_DEFER, AUTH_FAIL, REFUSAL_SPF_DEFER, AUTH_FAIL},
	    {CONF_SPF_FAIL_DEFER, AUTH_TEMPERROR, REFUSAL_DNS, AUTH_TEMPERROR},
	    {CONF_SPF_FAIL_IGNORE, AUTH_FAIL, HAND_ON, AUTH_UNCHECKED},
	    {CONF_SPF_FAIL_IGNORE, AUTH_TEMPERROR, HAND_ON, AUTH_TEMPERROR},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_verdict v = policy_spf(rows[i].rule, rows[i].spf);

		assert_int_equal(v.refuse, rows[i].refusal != HAND_ON);
		if (v.refuse)
			assert_int_equal(v.reason, rows[i].refusal);
		else
			assert_int_equal(v.mark, rows[i].mark);
	}
}

/* Neither a permanent error nor anything weaker than fail is held against a message. */
static void
row_247_never_refused(void **state)
{
	static const enum auth_result results[] = {
	    AUTH_UNCHECKED, AUTH_NONE, AUTH_PASS, AUTH_SOFTFAIL, AUTH_NEUTRAL, AUTH_PERMERROR};

	(void)state;
	for (unsigned rule = CONF_SPF_FAIL_MARK; rule <= CONF_SPF_FAIL_IGNORE; rule++) {
		for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
			struct policy_verdict v = policy_spf(rule, results[i]);

			assert_false(v.refuse);
			assert_int_equal(v.mark, results[i]);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_rule_and_result),
	    cmocka_unit_test(row_247_never_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

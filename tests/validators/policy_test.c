/* The rules: every clause with every rule, and every result that has none. */
#include "validators/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PASSES = -1 };

static struct conf *conf;

static void
set(const char *path, const char *value)
{
	char error[200];

	if (!conf_set(conf, path, value, error, sizeof(error)))
		fail_msg("%s = %s: %s", path, value, error);
}

static int
setup(void **state)
{
	(void)state;
	conf = conf_new();
	return conf != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	conf_free(&conf);
	return 0;
}

/* An ordinary message: signed by its author's domain, and sent by who may. */
static struct policy_facts
good_facts(void)
{
	return (struct policy_facts){
	    .spf = AUTH_PASS,
	    .helo = AUTH_PASS,
	    .dkim_checked = true,
	    .signatures = 1,
	    .passed = 1,
	    .dmarc_checked = true,
	    .from = FROM_GOOD,
	    .author_count = 1,
	    .authors = {{DMARC_FOUND, DMARC_POLICY_REJECT, DMARC_ALIGNED, AUTH_PASS}},
	};
}

/* One that a clause is about, and no other. */
static struct policy_facts
facts_for(enum policy_clause clause)
{
	struct policy_facts f = good_facts();
	struct policy_author *a = &f.authors[0];

	switch (clause) {
	case CLAUSE_SPF_NO_MAIL:
		f.no_mail = true;
		f.spf = AUTH_FAIL;
		break;
	case CLAUSE_SPF_FAIL:
		f.spf = AUTH_FAIL;
		break;
	case CLAUSE_SPF_SOFTFAIL:
		f.spf = AUTH_SOFTFAIL;
		break;
	case CLAUSE_SPF_PERMERROR:
		f.spf = AUTH_PERMERROR;
		break;
	case CLAUSE_SPF_TEMPERROR:
		f.spf = AUTH_TEMPERROR;
		break;
	case CLAUSE_HELO_FAIL:
		f.helo = AUTH_FAIL;
		break;
	case CLAUSE_SENDER_UNKNOWN:
		f.sender = SENDER_UNKNOWN;
		break;
	case CLAUSE_SENDER_NULL_MX:
		f.sender = SENDER_NULL_MX;
		break;
	case CLAUSE_SENDER_TEMPERROR:
		f.sender = SENDER_TROUBLE;
		break;
	case CLAUSE_FROM_MALFORMED:
		f.from = FROM_MALFORMED;
		f.author_count = 0;
		break;
	case CLAUSE_FROM_SEVERAL:
		f.from = FROM_SEVERAL;
		f.author_count = 0;
		break;
	case CLAUSE_DKIM_NO_PASS:
		f.passed = 0;
		f.author_count = 0;
		f.from = FROM_NO_DOMAIN;
		break;
	case CLAUSE_DKIM_NOT_ALIGNED:
		a->dkim = AUTH_FAIL;
		break;
	case CLAUSE_DMARC_REJECT:
	case CLAUSE_DMARC_QUARANTINE:
		*a = (struct policy_author){DMARC_FOUND,
		    clause == CLAUSE_DMARC_REJECT ? DMARC_POLICY_REJECT : DMARC_POLICY_QUARANTINE,
		    DMARC_APART, AUTH_FAIL};
		break;
	default:
		a->dkim = AUTH_TEMPERROR;
		a->spf = DMARC_APART;
		break;
	}
	return f;
}

static const struct {
	enum policy_clause clause;
	bool soft;
	int reject, defer;
	bool mark_is_quarantine;
} rows[] = {
    {CLAUSE_SPF_NO_MAIL, false, REFUSAL_SPF_FAIL, REFUSAL_SPF_DEFER, false},
    {CLAUSE_SPF_FAIL, false, REFUSAL_SPF_FAIL, REFUSAL_SPF_DEFER, false},
    {CLAUSE_SPF_SOFTFAIL, false, REFUSAL_SPF_FAIL, REFUSAL_SPF_DEFER, false},
    {CLAUSE_SPF_PERMERROR, false, REFUSAL_SPF_ERROR, REFUSAL_SPF_DEFER, false},
    {CLAUSE_SPF_TEMPERROR, true, 0, REFUSAL_DNS, false},
    {CLAUSE_HELO_FAIL, false, REFUSAL_HELO, REFUSAL_SPF_DEFER, false},
    {CLAUSE_SENDER_UNKNOWN, false, REFUSAL_SENDER_UNKNOWN, REFUSAL_DEFERRED, false},
    {CLAUSE_SENDER_NULL_MX, false, REFUSAL_SENDER_NULL_MX, REFUSAL_DEFERRED, false},
    {CLAUSE_SENDER_TEMPERROR, true, 0, REFUSAL_DNS, false},
    {CLAUSE_FROM_MALFORMED, false, REFUSAL_FROM_MALFORMED, REFUSAL_DEFERRED, true},
    {CLAUSE_FROM_SEVERAL, false, REFUSAL_FROM_SEVERAL, REFUSAL_DEFERRED, true},
    {CLAUSE_DKIM_NO_PASS, false, REFUSAL_DKIM_NONE, REFUSAL_DEFERRED, false},
    {CLAUSE_DKIM_NOT_ALIGNED, false, REFUSAL_DKIM_UNALIGNED, REFUSAL_DEFERRED, false},
    {CLAUSE_DMARC_REJECT, false, REFUSAL_DMARC, REFUSAL_DEFERRED, true},
    {CLAUSE_DMARC_QUARANTINE, false, REFUSAL_DMARC, REFUSAL_DEFERRED, true},
    {CLAUSE_DMARC_TEMPERROR, true, 0, REFUSAL_DNS, false},
};

static const char *const words[CONF_RULES] = {
    "mark", "reject", "defer", "ignore", "observe-mark", "observe-reject", "observe-defer"};

/* Every other rule says mark, so that only the one in question can refuse. */
static void
set_rule(enum policy_clause clause, const char *word)
{
	for (unsigned c = 0; c < CLAUSES; c++)
		set(policy_clause_name((enum policy_clause)c), c == clause ? word : "mark");
}

static void
expect(const char *what, const struct policy_verdict *v, int refusal, bool quarantine,
    bool observed, enum policy_clause clause)
{
	int found = v->refuse ? (int)v->reason : PASSES;

	if (found != refusal || v->quarantine != quarantine ||
	    ((v->observed >> clause) & 1) != observed)
		fail_msg("%s = %s: refusal %d, quarantine %d, observed %x",
		    policy_clause_name(clause), what, found, v->quarantine, v->observed);
	if (v->refuse)
		assert_int_equal(v->clause, clause);
}

static bool
of_dmarc(enum policy_clause clause)
{
	return clause >= CLAUSE_DMARC_REJECT;
}

static void
row_243_every_clause_and_rule(void **state)
{
	(void)state;
	assert_int_equal(sizeof(rows) / sizeof(rows[0]), CLAUSES);
	for (size_t i = 0; i < CLAUSES; i++) {
		enum policy_clause c = rows[i].clause;
		struct policy_facts f = facts_for(c);

		/* A message that dmarc.reject is about is not signed by its author either. */
		for (unsigned r = 0; r < CONF_RULES; r++) {
			struct policy_verdict v;

			if (rows[i].soft &&
			    (r == CONF_RULE_REJECT || r == CONF_RULE_OBSERVE_REJECT))
				continue;
			set_rule(c, words[r]);
			v = policy_message(conf, &f);
			expect(words[r], &v,
			    r == CONF_RULE_REJECT  ? rows[i].reject
			    : r == CONF_RULE_DEFER ? rows[i].defer
						   : PASSES,
			    r == CONF_RULE_MARK && rows[i].mark_is_quarantine,
			    r >= CONF_RULE_OBSERVE_MARK, c);
			/* What is ignored is not shown; what is observed is. */
			assert_int_equal(
			    v.spf == AUTH_UNCHECKED, r == CONF_RULE_IGNORE && c < CLAUSE_HELO_FAIL);
			assert_int_equal(v.helo == AUTH_UNCHECKED,
			    r == CONF_RULE_IGNORE && c == CLAUSE_HELO_FAIL);
			assert_int_equal(
			    v.dkim, !(r == CONF_RULE_IGNORE && c == CLAUSE_DKIM_NO_PASS));
			assert_int_equal(v.dmarc == AUTH_UNCHECKED,
			    r == CONF_RULE_IGNORE && (of_dmarc(c) || c == CLAUSE_FROM_MALFORMED ||
							 c == CLAUSE_FROM_SEVERAL));
		}
	}
}

/* The envelope's clauses decide the same when a recipient is named, and the others do not yet. */
static void
row_243_envelope(void **state)
{
	(void)state;
	for (size_t i = 0; i < CLAUSES; i++) {
		enum policy_clause c = rows[i].clause;
		struct policy_facts f = facts_for(c);
		struct policy_verdict v;

		set_rule(c, rows[i].soft ? "defer" : "reject");
		v = policy_envelope(conf, &f);
		assert_int_equal(v.refuse, c < CLAUSES_OF_ENVELOPE);
		if (v.refuse)
			assert_int_equal(v.reason, rows[i].soft ? rows[i].defer : rows[i].reject);
	}
}

/* What refuses nothing, whatever it is about. */
static void
excuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < CLAUSES; i++) {
		enum policy_clause c = rows[i].clause;

		set_rule(c, rows[i].soft ? "defer" : "reject");
		for (int excuse = 0; excuse < 6; excuse++) {
			struct policy_facts f = facts_for(c);
			bool excused =
			    excuse == 0 || (excuse == 1 && c < CLAUSES_OF_ENVELOPE) || of_dmarc(c);
			struct policy_verdict v;

			f.exempt = excuse == 0;
			f.forwarder = excuse == 1;
			f.sealed = excuse == 2;
			f.client_unknown = excuse == 3;
			set("dmarc.enforce", excuse == 4 ? "false" : "true");
			if (excuse == 5)
				f.spf = c < CLAUSE_HELO_FAIL ? f.spf : AUTH_UNCHECKED;
			v = policy_message(conf, &f);
			expect("reject", &v,
			    excused        ? PASSES
			    : rows[i].soft ? rows[i].defer
					   : rows[i].reject,
			    false, excused, c);
		}
		set("dmarc.enforce", "true");
	}
}

/* Rows 247, 250: trouble of the DNS is neither a pass nor a reason for a 5xx, by any rule. */
static void
row_247_trouble_is_never_for_good(void **state)
{
	(void)state;
	for (unsigned c = 0; c < CLAUSES; c++)
		set(policy_clause_name((enum policy_clause)c),
		    c == CLAUSE_SPF_TEMPERROR || c == CLAUSE_DMARC_TEMPERROR ||
			    c == CLAUSE_SENDER_TEMPERROR
			? "defer"
			: "reject");
	for (unsigned i = 0; i < 3u * 3 * 3 * 4; i++) {
		struct policy_facts f = good_facts();
		struct policy_verdict v;

		f.spf = AUTH_TEMPERROR;
		f.passed = 0;
		f.key_trouble = true;
		f.authors[0] = (struct policy_author){(enum dmarc_found)(i / 27),
		    (enum dmarc_policy)(i % 3), (enum dmarc_match)(i / 3 % 3), AUTH_TEMPERROR};
		v = policy_message(conf, &f);
		assert_true(v.refuse);
		assert_int_equal(v.reason, REFUSAL_DNS);
		assert_int_not_equal(v.dmarc, AUTH_PASS);
		assert_int_not_equal(v.dmarc, AUTH_FAIL);
	}
}

static enum auth_result
dmarc_of(
    enum dmarc_found found, enum dmarc_match match, enum auth_result spf, enum auth_result dkim)
{
	struct policy_author a = {found, DMARC_POLICY_REJECT, match, dkim};

	return policy_dmarc(&a, spf);
}

static void
row_243_dmarc_result(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4u * 3 * 8 * 3; i++) {
		static const enum auth_result dkims[] = {AUTH_PASS, AUTH_FAIL, AUTH_TEMPERROR};
		enum dmarc_found found = (enum dmarc_found)(i % 4);
		enum dmarc_match match = (enum dmarc_match)(i / 4 % 3);
		enum auth_result spf = (enum auth_result)(i / 12 % 8), dkim = dkims[i / 96];
		enum auth_result want = AUTH_FAIL;

		if (found != DMARC_FOUND)
			want = found == DMARC_TROUBLE    ? AUTH_TEMPERROR
			       : found == DMARC_UNUSABLE ? AUTH_PERMERROR
			                                 : AUTH_NONE;
		else if (dkim == AUTH_PASS || (match == DMARC_ALIGNED && spf == AUTH_PASS))
			want = AUTH_PASS;
		else if (dkim == AUTH_TEMPERROR ||
			 (match != DMARC_APART && spf == AUTH_TEMPERROR) ||
			 (match == DMARC_UNSURE && spf == AUTH_PASS))
			want = AUTH_TEMPERROR;
		assert_int_equal(dmarc_of(found, match, spf, dkim), want);
	}
}

/* What a new installation does: nothing that hurts forwarded mail. */
static void
row_247_defaults(void **state)
{
	static const struct {
		enum policy_clause clause;
		int refusal;
		bool quarantine;
	} wanted[] = {
	    {CLAUSE_SPF_NO_MAIL, REFUSAL_SPF_FAIL, false},
	    {CLAUSE_SPF_FAIL, PASSES, false},
	    {CLAUSE_SPF_SOFTFAIL, PASSES, false},
	    {CLAUSE_SPF_PERMERROR, PASSES, false},
	    {CLAUSE_SPF_TEMPERROR, PASSES, false},
	    {CLAUSE_HELO_FAIL, PASSES, false},
	    {CLAUSE_SENDER_UNKNOWN, PASSES, false},
	    {CLAUSE_SENDER_NULL_MX, PASSES, false},
	    {CLAUSE_SENDER_TEMPERROR, REFUSAL_DNS, false},
	    {CLAUSE_FROM_MALFORMED, REFUSAL_FROM_MALFORMED, false},
	    {CLAUSE_FROM_SEVERAL, REFUSAL_FROM_SEVERAL, false},
	    {CLAUSE_DKIM_NO_PASS, PASSES, false},
	    {CLAUSE_DKIM_NOT_ALIGNED, PASSES, false},
	    {CLAUSE_DMARC_REJECT, REFUSAL_DMARC, false},
	    {CLAUSE_DMARC_QUARANTINE, PASSES, true},
	    {CLAUSE_DMARC_TEMPERROR, REFUSAL_DNS, false},
	};

	(void)state;
	for (size_t i = 0; i < CLAUSES; i++) {
		struct policy_facts f = facts_for(wanted[i].clause);
		struct policy_verdict v = policy_message(conf, &f);

		expect("default", &v, wanted[i].refusal, wanted[i].quarantine, false,
		    wanted[i].clause);
	}
}

/* The policy that is not known to be reject does not defer (row 247), whatever else is missing. */
static void
row_247_only_known_policies_defer(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4u * 3; i++) {
		struct policy_facts f = good_facts();
		struct policy_verdict v;

		f.spf = AUTH_TEMPERROR;
		f.authors[0] = (struct policy_author){(enum dmarc_found)(i % 4),
		    (enum dmarc_policy)(i / 4), DMARC_ALIGNED, AUTH_TEMPERROR};
		v = policy_message(conf, &f);
		assert_int_equal(v.refuse, f.authors[0].found == DMARC_FOUND &&
					       f.authors[0].requested == DMARC_POLICY_REJECT);
	}
}

/* A notice of a machine that says nobody wrote it is DMARC none. */
static void
row_200_null_sender(void **state)
{
	static const enum from_status froms[] = {FROM_MALFORMED, FROM_MISSING, FROM_NO_DOMAIN};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct policy_facts f = good_facts();
		struct policy_verdict v;

		f.from = froms[i];
		f.author_count = 0;
		f.null_sender = true;
		v = policy_message(conf, &f);
		assert_false(v.refuse);
		assert_int_equal(v.dmarc, AUTH_NONE);
		f.null_sender = false;
		v = policy_message(conf, &f);
		assert_int_equal(v.refuse, froms[i] != FROM_NO_DOMAIN);
	}
}

/* The worst author decides, in whatever place. */
static void
row_192_worst_author(void **state)
{
	const struct policy_author good = {
	    DMARC_FOUND, DMARC_POLICY_REJECT, DMARC_APART, AUTH_PASS};
	const struct policy_author lax = {DMARC_FOUND, DMARC_POLICY_NONE, DMARC_APART, AUTH_FAIL};
	const struct policy_author bad = {DMARC_FOUND, DMARC_POLICY_REJECT, DMARC_APART, AUTH_FAIL};

	(void)state;
	for (size_t at = 0; at < 3; at++) {
		struct policy_facts f = good_facts();
		struct policy_verdict v;

		f.author_count = 3;
		f.authors[0] = f.authors[1] = f.authors[2] = good;
		f.authors[(at + 1) % 3] = lax;
		v = policy_message(conf, &f);
		assert_int_equal(v.author, (at + 1) % 3);
		assert_false(v.refuse);
		f.authors[at] = bad;
		v = policy_message(conf, &f);
		assert_int_equal(v.author, at);
		assert_int_equal(v.reason, REFUSAL_DMARC);
	}
}

/* A reason for good goes before one for now, and of equals the first. */
static void
order_of_refusals(void **state)
{
	struct policy_facts f = facts_for(CLAUSE_DMARC_REJECT);
	struct policy_verdict v;

	(void)state;
	f.spf = AUTH_FAIL;
	set("spf.fail", "defer");
	v = policy_message(conf, &f);
	assert_int_equal(v.reason, REFUSAL_DMARC);
	set("spf.fail", "reject");
	v = policy_message(conf, &f);
	assert_int_equal(v.reason, REFUSAL_SPF_FAIL);
	set("dmarc.reject", "mark");
	set("spf.fail", "defer");
	v = policy_message(conf, &f);
	assert_int_equal(v.reason, REFUSAL_SPF_DEFER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(row_243_every_clause_and_rule, setup, teardown),
	    cmocka_unit_test_setup_teardown(row_243_envelope, setup, teardown),
	    cmocka_unit_test_setup_teardown(excuses, setup, teardown),
	    cmocka_unit_test_setup_teardown(row_247_trouble_is_never_for_good, setup, teardown),
	    cmocka_unit_test(row_243_dmarc_result),
	    cmocka_unit_test_setup_teardown(row_247_defaults, setup, teardown),
	    cmocka_unit_test_setup_teardown(row_247_only_known_policies_defer, setup, teardown),
	    cmocka_unit_test_setup_teardown(row_200_null_sender, setup, teardown),
	    cmocka_unit_test_setup_teardown(row_192_worst_author, setup, teardown),
	    cmocka_unit_test_setup_teardown(order_of_refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

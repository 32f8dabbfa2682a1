/* Discovery, organisations and alignment of DMARC over zones of ours; the truth table of the verdict. */
#include "validators/dmarc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "tests/validators/zone.h"

#include <cmocka.h>

#define TXT(name, text) \
	{ \
		name, DNS_TYPE_TXT, 0, SPAN(text) \
	}
#define LIVES(name) \
	{ \
		name, DNS_TYPE_A, 0, SPAN("\300\0\2\1") \
	}

static const struct zone_record records[] = {
    TXT("_dmarc.reject.example", "v=DMARC1; p=reject"),
    LIVES("reject.example"),
    LIVES("there.reject.example"),
    TXT("_dmarc.own.reject.example", "v=DMARC1; p=none; aspf=s; adkim=s"),
    TXT("_dmarc.mixed.example", "other"),
    TXT("_dmarc.mixed.example", "v=DMARC1; p=quarantine; sp=reject; np=none"),
    LIVES("there.mixed.example"),
    {"trouble.mixed.example", ZONE_TIMEOUT, 0, {NULL, 0}},
    TXT("_dmarc.two.example", "v=DMARC1; p=reject"),
    TXT("_dmarc.two.example", "v=DMARC1; p=none"),
    TXT("_dmarc.test.example", "v=DMARC1; p=reject; t=y"),
    TXT("_dmarc.testq.example", "v=DMARC1; p=quarantine; t=y"),
    TXT("_dmarc.bad.example", "v=DMARC1; p=what"),
    TXT("_dmarc.alias-target.example", "v=DMARC1; p=reject"),
    {"_dmarc.alias.example", ZONE_CNAME, 0, SPAN("_dmarc.alias-target.example")},
    {"_dmarc.lost.example", ZONE_TIMEOUT, 0, {NULL, 0}},
    /* a public suffix that says so, one that does not, and a company that is one organisation */
    TXT("_dmarc.bank", "v=DMARC1; p=reject; sp=reject; np=reject; psd=y"),
    TXT("_dmarc.mail.one.bank", "v=DMARC1; p=quarantine"),
    LIVES("two.bank"),
    TXT("_dmarc.github.io", "v=DMARC1; p=reject"),
    TXT("_dmarc.corp.example", "v=DMARC1; p=reject"),
    TXT("_dmarc.unit.corp.example", "v=DMARC1; p=reject; psd=n"),
    TXT("_dmarc.co.uk", "v=DMARC1; p=reject"),
    {"_dmarc.deaf", ZONE_TIMEOUT, 0, {NULL, 0}},
    TXT("_dmarc.corp.deaf", "v=DMARC1; p=reject"),
    TXT("_dmarc.deep.example", "v=DMARC1; p=reject; sp=quarantine"),
    TXT("_dmarc.middle.deep.example", "v=DMARC1; p=none; sp=none"),
    TXT("_dmarc.quiet.example", "v=DMARC1; p=what; rua=mailto:a@quiet.example"),
    TXT("_dmarc.1.2.3.4.5.6.eight.example", "v=DMARC1; p=quarantine"),
    TXT("_dmarc.2.3.4.5.6.eight.example", "v=DMARC1; p=reject; psd=n"),
    TXT("_dmarc.registry", "v=DMARC1; p=quarantine; psd=y"),
};

/* "d=result" of each signature, separated by spaces */
struct row {
	const char *name, *from, *envelope, *signatures;
	enum dmarc_found found;
	enum dmarc_policy requested;
	const char *policy_domain;
	enum dmarc_match spf;
	enum auth_result dkim;
	unsigned questions; /* at most */
};

#define NO_POLICY DMARC_NO_RECORD, DMARC_POLICY_NONE, "", DMARC_APART, AUTH_FAIL

static const struct row rows[] = {
    {"exact", "reject.example", "reject.example", "reject.example=pass", DMARC_FOUND,
	DMARC_POLICY_REJECT, "reject.example", DMARC_ALIGNED, AUTH_PASS, 1},
    {"exact, failed", "reject.example", "reject.example", "reject.example=fail", DMARC_FOUND,
	DMARC_POLICY_REJECT, "reject.example", DMARC_ALIGNED, AUTH_FAIL, 2},
    {"relaxed, subdomain signs", "reject.example", "bounce.reject.example",
	"mail.reject.example=pass", DMARC_FOUND, DMARC_POLICY_REJECT, "reject.example",
	DMARC_ALIGNED, AUTH_PASS, 4},
    {"relaxed, parent signs", "there.reject.example", "reject.example", "reject.example=pass",
	DMARC_FOUND, DMARC_POLICY_REJECT, "reject.example", DMARC_ALIGNED, AUTH_PASS, 3},
    {"relaxed, siblings", "there.reject.example", "c.reject.example", "b.reject.example=pass",
	DMARC_FOUND, DMARC_POLICY_REJECT, "reject.example", DMARC_ALIGNED, AUTH_PASS, 5},
    {"strict", "own.reject.example", "reject.example", "reject.example=pass", DMARC_FOUND,
	DMARC_POLICY_NONE, "own.reject.example", DMARC_APART, AUTH_FAIL, 4},
    {"strict, exact", "own.reject.example", "own.reject.example", "own.reject.example=pass",
	DMARC_FOUND, DMARC_POLICY_NONE, "own.reject.example", DMARC_ALIGNED, AUTH_PASS, 1},
    {"no record, not signed", "none.example", "none.example", "other.example=pass", NO_POLICY, 2},
    {"no record, own signature", "none.example", "", "x.example=pass none.example=pass",
	DMARC_NO_RECORD, DMARC_POLICY_NONE, "", DMARC_APART, AUTH_PASS, 2},
    {"no record, signed by the organisation", "mail.none.example", "", "none.example=pass",
	DMARC_NO_RECORD, DMARC_POLICY_NONE, "", DMARC_APART, AUTH_PASS, 3},
    {"no record, own signature failed", "none.example", "", "none.example=fail", NO_POLICY, 2},
    {"no record, another customer of a hoster", "a.blogspot.com", "", "b.blogspot.com=pass",
	NO_POLICY, 3},
    {"row_214 missing subdomain, sp", "gone.reject.example", "", "", DMARC_FOUND,
	DMARC_POLICY_REJECT, "reject.example", DMARC_APART, AUTH_FAIL, 3},
    {"row_214 missing subdomain, np", "gone.mixed.example", "", "", DMARC_FOUND, DMARC_POLICY_NONE,
	"mixed.example", DMARC_APART, AUTH_FAIL, 4},
    {"sp, not np", "there.mixed.example", "", "", DMARC_FOUND, DMARC_POLICY_REJECT, "mixed.example",
	DMARC_APART, AUTH_FAIL, 4},
    {"np, not known", "trouble.mixed.example", "", "", DMARC_FOUND, DMARC_POLICY_REJECT,
	"mixed.example", DMARC_APART, AUTH_FAIL, 4},
    {"p, not sp", "mixed.example", "", "", DMARC_FOUND, DMARC_POLICY_QUARANTINE, "mixed.example",
	DMARC_APART, AUTH_FAIL, 2},
    {"row_244 two records are none", "two.example", "", "", NO_POLICY, 2},
    {"row_244 no policy", "bad.example", "", "", DMARC_UNUSABLE, DMARC_POLICY_NONE, "bad.example",
	DMARC_APART, AUTH_FAIL, 2},
    {"t=y, reject", "test.example", "", "", DMARC_FOUND, DMARC_POLICY_QUARANTINE, "test.example",
	DMARC_APART, AUTH_FAIL, 2},
    {"t=y, quarantine", "testq.example", "", "", DMARC_FOUND, DMARC_POLICY_NONE, "testq.example",
	DMARC_APART, AUTH_FAIL, 2},
    {"alias", "alias.example", "alias.example", "", DMARC_FOUND, DMARC_POLICY_REJECT,
	"alias.example", DMARC_ALIGNED, AUTH_FAIL, 3},
    {"row_247 policy not known", "lost.example", "lost.example", "lost.example=pass", DMARC_TROUBLE,
	DMARC_POLICY_NONE, "", DMARC_APART, AUTH_PASS, 2},
    {"row_247 whose domain is not known", "reject.example", "x.y.reject.example",
	"lost.reject.example=pass", DMARC_FOUND, DMARC_POLICY_REJECT, "reject.example",
	DMARC_ALIGNED, AUTH_PASS, 8},
    {"row_247 key not known", "reject.example", "", "reject.example=temperror", DMARC_FOUND,
	DMARC_POLICY_REJECT, "reject.example", DMARC_APART, AUTH_TEMPERROR, 2},
    {"row_247 key of another not known", "reject.example", "", "attack.example=temperror",
	DMARC_FOUND, DMARC_POLICY_REJECT, "reject.example", DMARC_APART, AUTH_FAIL, 2},
    {"row_241 order", "reject.example", "attack.example", "reject.example=fail attack.example=pass",
	DMARC_FOUND, DMARC_POLICY_REJECT, "reject.example", DMARC_APART, AUTH_FAIL, 2},
    {"row_241 other order", "reject.example", "attack.example",
	"attack.example=pass reject.example=fail", DMARC_FOUND, DMARC_POLICY_REJECT,
	"reject.example", DMARC_APART, AUTH_FAIL, 2},
    {"one of five passes", "reject.example", "",
	"a.example=pass b.example=pass c.example=fail reject.example=pass e.example=fail",
	DMARC_FOUND, DMARC_POLICY_REJECT, "reject.example", DMARC_APART, AUTH_PASS, 1},
    {"row_242 suffix trick", "reject.example", "reject.example.attack.example",
	"attackreject.example=pass reject.example.attack.example=pass", DMARC_FOUND,
	DMARC_POLICY_REJECT, "reject.example", DMARC_APART, AUTH_FAIL, 2},
    {"row_245 long name",
	"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g.h.i.j.deep.example",
	"deep.example", "deep.example=pass", DMARC_FOUND, DMARC_POLICY_QUARANTINE, "deep.example",
	DMARC_ALIGNED, AUTH_PASS, 8},
    {"a record between author and organisation is not asked", "x.middle.deep.example",
	"deep.example", "middle.deep.example=pass", DMARC_FOUND, DMARC_POLICY_QUARANTINE,
	"deep.example", DMARC_ALIGNED, AUTH_PASS, 4},
    {"its own record goes before, whose organisation is above", "middle.deep.example",
	"deep.example", "y.deep.example=pass", DMARC_FOUND, DMARC_POLICY_NONE,
	"middle.deep.example", DMARC_ALIGNED, AUTH_PASS, 4},
    {"wrong policy with somebody to tell", "quiet.example", "", "", DMARC_FOUND, DMARC_POLICY_NONE,
	"quiet.example", DMARC_APART, AUTH_FAIL, 2},
    {"row_245 nine labels, the parent is not asked", "0.1.2.3.4.5.6.eight.example", "", "",
	DMARC_FOUND, DMARC_POLICY_REJECT, "2.3.4.5.6.eight.example", DMARC_APART, AUTH_FAIL, 2},
    {"row_245 eight labels", "1.2.3.4.5.6.eight.example", "x.1.2.3.4.5.6.eight.example", "",
	DMARC_FOUND, DMARC_POLICY_QUARANTINE, "1.2.3.4.5.6.eight.example", DMARC_ALIGNED, AUTH_FAIL,
	3},
    {"row_245 its parent of seven is asked", "0.2.3.4.5.6.eight.example", "", "", DMARC_FOUND,
	DMARC_POLICY_REJECT, "2.3.4.5.6.eight.example", DMARC_APART, AUTH_FAIL, 8},
    {"row_246 the registry's own mail", "registry", "", "", NO_POLICY, 0},
    {"row_246 registrant without a record", "reg.registry", "reg.registry", "reg.registry=pass",
	DMARC_FOUND, DMARC_POLICY_QUARANTINE, "registry", DMARC_ALIGNED, AUTH_PASS, 4},
    {"registry does not answer, policy", "mail.corp.deaf", "corp.deaf", "", DMARC_FOUND,
	DMARC_POLICY_REJECT, "corp.deaf", DMARC_ALIGNED, AUTH_FAIL, 4},
    {"registry does not answer, no policy", "none.deaf", "none.deaf", "", DMARC_TROUBLE,
	DMARC_POLICY_NONE, "", DMARC_APART, AUTH_FAIL, 2},
    {"row_246 suffix with psd=y", "one.bank", "two.bank", "two.bank=pass", DMARC_FOUND,
	DMARC_POLICY_REJECT, "bank", DMARC_APART, AUTH_FAIL, 3},
    {"row_246 below it, aligned", "www.one.bank", "one.bank", "mail.one.bank=pass", DMARC_FOUND,
	DMARC_POLICY_REJECT, "bank", DMARC_ALIGNED, AUTH_PASS, 6},
    {"row_246 the suffix itself", "bank", "bank", "one.bank=pass", NO_POLICY, 0},
    {"row_246 suffix that does not say so", "a.github.io", "b.github.io", "b.github.io=pass",
	DMARC_FOUND, DMARC_POLICY_REJECT, "github.io", DMARC_APART, AUTH_FAIL, 5},
    {"row_246 the suffix as author", "github.io", "b.github.io", "b.github.io=pass", DMARC_FOUND,
	DMARC_POLICY_REJECT, "github.io", DMARC_APART, AUTH_FAIL, 4},
    {"row_246 registry", "a.co.uk", "b.co.uk", "co.uk=pass", DMARC_FOUND, DMARC_POLICY_REJECT,
	"co.uk", DMARC_APART, AUTH_FAIL, 3},
    {"psd=n parts a company", "x.unit.corp.example", "corp.example", "y.unit.corp.example=pass",
	DMARC_FOUND, DMARC_POLICY_REJECT, "unit.corp.example", DMARC_APART, AUTH_PASS, 6},
    {"author below psd=n is not of the company", "unit.corp.example", "corp.example",
	"corp.example=pass", DMARC_FOUND, DMARC_POLICY_REJECT, "unit.corp.example", DMARC_APART,
	AUTH_FAIL, 6},
};

static enum auth_result
result_by_name(struct span name)
{
	for (unsigned r = AUTH_NONE; r <= AUTH_PERMERROR; r++)
		if (span_eq(name, span_str(auth_result_name(r))))
			return (enum auth_result)r;
	fail_msg("%.*s", (int)name.len, name.p);
	return AUTH_NONE;
}

static size_t
identities(const char *text, struct dmarc_identity *out)
{
	struct span rest = span_str(text);
	size_t n = 0;

	while (rest.len > 0) {
		struct span one = span_head(rest, span_find(rest, ' '));
		size_t equals = span_find(one, '=');

		out[n].domain = span_head(one, equals);
		out[n++].result = result_by_name(span_from(one, equals + 1));
		rest = span_from(rest, one.len + 1);
	}
	return n;
}

static struct dmarc *dmarc;
static struct zone zone;

static void
judge(const char *from, const char *envelope, const char *signatures, struct from_authors *authors,
    struct dmarc_author *found)
{
	struct resolver resolver = {zone_ask, &zone};
	struct dmarc_identity list[8];
	char value[300];
	size_t n = identities(signatures, list);

	zone = (struct zone){records, sizeof(records) / sizeof(records[0]), 0};
	snprintf(value, sizeof(value), " a@%s", from);
	from_parse(span_str(value), authors);
	if (authors->status == FROM_GOOD)
		dmarc_check(dmarc, &resolver, authors, list, n, span_str(envelope), found);
}

static void
every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct from_authors authors;
		struct dmarc_author a[FROM_DOMAINS_MAX] = {0};

		a[0].dkim = AUTH_FAIL;
		judge(r->from, r->envelope, r->signatures, &authors, a);
		if (a[0].found != r->found || a[0].requested != r->requested ||
		    a[0].spf != r->spf || a[0].dkim != r->dkim ||
		    !span_eq(from_domain_span(&a[0].policy_domain), span_str(r->policy_domain)) ||
		    zone.questions > r->questions)
			fail_msg(
			    "%s: found %d, requested %d at %.*s, spf %d, dkim %s, questions %u",
			    r->name, a[0].found, a[0].requested, a[0].policy_domain.len,
			    a[0].policy_domain.name, a[0].spf, auth_result_name(a[0].dkim),
			    zone.questions);
	}
}

/* Row 192: several authors are refused only when they are of different organisations. */
static void
row_192_several_authors(void **state)
{
	static const struct {
		const char *from;
		enum from_status status;
		size_t count;
	} cases[] = {
	    {"reject.example, b@reject.example", FROM_GOOD, 1},
	    {"reject.example, b@there.reject.example", FROM_GOOD, 2},
	    {"reject.example, b@mixed.example", FROM_SEVERAL, 0},
	    {"a.none.example, b@b.none.example", FROM_GOOD, 2},
	    {"a.github.io, b@b.github.io", FROM_SEVERAL, 0},
	    {"a.co.uk, b@b.co.uk", FROM_SEVERAL, 0},
	    {"lost.example, b@x.lost.example", FROM_GOOD, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct from_authors authors;
		struct dmarc_author a[FROM_DOMAINS_MAX];

		judge(cases[i].from, "", "", &authors, a);
		if (authors.status != cases[i].status || authors.count != cases[i].count)
			fail_msg("%s: status %d", cases[i].from, authors.status);
	}
}

/* Row 243: every pair of pairs; the verdict does not depend on their order. */
static void
row_241_243_truth_table(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3 * 8 * 3 * 8; i++) {
		struct dmarc_pair p[2] = {
		    {(enum dmarc_match)(i % 3), (enum auth_result)(i / 3 % 8)},
		    {(enum dmarc_match)(i / 24 % 3), (enum auth_result)(i / 72)},
		};
		struct dmarc_pair reversed[2] = {p[1], p[0]};
		bool pass = false, unsure = false;
		enum auth_result expect, found = dmarc_verdict(p, 2);

		for (int k = 0; k < 2; k++) {
			pass = pass || (p[k].match == DMARC_ALIGNED && p[k].result == AUTH_PASS);
			unsure = unsure ||
			         (p[k].match == DMARC_ALIGNED && p[k].result == AUTH_TEMPERROR) ||
			         (p[k].match == DMARC_UNSURE &&
				     (p[k].result == AUTH_PASS || p[k].result == AUTH_TEMPERROR));
		}
		expect = pass ? AUTH_PASS : unsure ? AUTH_TEMPERROR : AUTH_FAIL;
		assert_int_equal(found, expect);
		assert_int_equal(dmarc_verdict(reversed, 2), found);
	}
	assert_int_equal(dmarc_verdict(NULL, 0), AUTH_FAIL);
}

static void
row_242_alignment(void **state)
{
	const struct span none = {NULL, 0}, x = SPAN("x.ex"), a = SPAN("a.x.ex"), y = SPAN("y.ex");

	(void)state;
	assert_int_equal(dmarc_align(true, x, none, x, none), DMARC_ALIGNED);
	assert_int_equal(dmarc_align(false, x, none, x, none), DMARC_ALIGNED);
	assert_int_equal(dmarc_align(true, x, x, a, x), DMARC_APART);
	assert_int_equal(dmarc_align(false, x, x, a, x), DMARC_ALIGNED);
	assert_int_equal(dmarc_align(false, a, x, x, x), DMARC_ALIGNED);
	assert_int_equal(dmarc_align(false, x, x, y, y), DMARC_APART);
	assert_int_equal(dmarc_align(false, x, none, y, y), DMARC_UNSURE);
	assert_int_equal(dmarc_align(false, x, x, y, none), DMARC_UNSURE);
	assert_int_equal(dmarc_align(false, x, x, none, none), DMARC_APART);
	assert_int_equal(dmarc_align(false, none, none, none, none), DMARC_APART);
}

static void
signatures_worth_it(void **state)
{
	struct from_authors authors;

	(void)state;
	from_parse(SPAN("a@mail.x.example"), &authors);
	assert_true(dmarc_may_align(&authors, SPAN("x.example")));
	assert_true(dmarc_may_align(&authors, SPAN("mail.x.example")));
	assert_true(dmarc_may_align(&authors, SPAN("y.x.example")));
	assert_false(dmarc_may_align(&authors, SPAN("ax.example")));
	assert_false(dmarc_may_align(&authors, SPAN("example")));
	assert_false(dmarc_may_align(&authors, SPAN("y.example")));
	assert_false(dmarc_may_align(&authors, SPAN("x.example.com")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row),
	    cmocka_unit_test(row_192_several_authors),
	    cmocka_unit_test(row_241_243_truth_table),
	    cmocka_unit_test(row_242_alignment),
	    cmocka_unit_test(signatures_worth_it),
	};
	int rc;

	dmarc = dmarc_new(&(struct conf_strings){0, NULL});
	if (dmarc == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	dmarc_free(&dmarc);
	return rc;
}

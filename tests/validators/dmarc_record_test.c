/* Row 244 and RFC 9989 4.7, 4.10.1: what a record says. */
#include "validators/dmarc_record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N = DMARC_POLICY_NONE, Q = DMARC_POLICY_QUARANTINE, R = DMARC_POLICY_REJECT };

static const struct {
	const char *text;
	bool usable;
	unsigned p, sp, np;
	bool strict_dkim, strict_spf, test;
	enum dmarc_psd psd;
} rows[] = {
    {"v=DMARC1; p=none", true, N, N, N, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1;p=reject;", true, R, R, R, false, false, false, DMARC_PSD_UNSAID},
    {"V = DMARC1 ; P = Reject ; SP = None", true, R, N, N, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; sp=none; p=reject", true, R, N, N, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=quarantine; np=reject", true, Q, Q, R, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=none; sp=reject; np=none", true, N, R, N, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; adkim=s; aspf=r", true, R, R, R, true, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; adkim=r; aspf=s", true, R, R, R, false, true, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; adkim=x; aspf=", true, R, R, R, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; t=y", true, R, R, R, false, false, true, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; t=n; psd=y", true, R, R, R, false, false, false, DMARC_PSD_YES},
    {"v=DMARC1; p=reject; psd=n", true, R, R, R, false, false, false, DMARC_PSD_NO},
    {"v=DMARC1; p=reject; psd=u", true, R, R, R, false, false, false, DMARC_PSD_UNSAID},
    /* pct went with RFC 9989; so did rf and ri; what is not known is not looked at */
    {"v=DMARC1; p=reject; pct=0; rf=afrf; ri=1; x=y; nonsense", true, R, R, R, false, false, false,
	DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; rua=mailto:a@x.example!10m,mailto:b@y.example", true, R, R, R, false,
	false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1", true, N, N, N, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; psd=n", true, N, N, N, false, false, false, DMARC_PSD_NO},
    {"v=DMARC1; p=rejekt", false, N, N, N, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=rejekt; rua=mailto:a@x.example", true, N, N, N, false, false, false,
	DMARC_PSD_UNSAID},
    {"v=DMARC1; p=rejekt; rua=https://x.example", true, N, N, N, false, false, false,
	DMARC_PSD_UNSAID},
    {"v=DMARC1; p=rejekt; rua=nobody , mailto:a@x.example!10m", true, N, N, N, false, false, false,
	DMARC_PSD_UNSAID},
    {"v=DMARC1; p=rejekt; rua=", false, N, N, N, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=rejekt; rua=a@x.example,:b,1x:y,mailto:a@,mail to:a@b", false, N, N, N, false,
	false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=rejekt; rua=mailto:a@x.example; rua=mailto:a@x.example", false, N, N, N, false,
	false, false, DMARC_PSD_UNSAID},
    /* no p= is p=none, and what sp= says holds below */
    {"v=DMARC1; sp=reject", true, N, R, R, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; psd=x; t=yes", true, R, R, R, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; psd=y; psd=n", true, R, R, R, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=rejekt; rua=mailto:@x.example", false, N, N, N, false, false, false,
	DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; sp=nonne", false, N, N, N, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; np=; rua=mailto:a@x.example", true, N, N, N, false, false, false,
	DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; p=none", false, N, N, N, false, false, false, DMARC_PSD_UNSAID},
    {"v=DMARC1; p=reject; adkim=s; adkim=s", true, R, R, R, false, false, false, DMARC_PSD_UNSAID},
};

static void
row_244_every_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span text = span_str(rows[i].text);
		struct dmarc_record r;

		assert_true(dmarc_record_is_one(text));
		dmarc_record_parse(text, &r);
		if (r.usable != rows[i].usable || r.p != rows[i].p || r.sp != rows[i].sp ||
		    r.np != rows[i].np || r.strict_dkim != rows[i].strict_dkim ||
		    r.strict_spf != rows[i].strict_spf || r.test != rows[i].test ||
		    r.psd != rows[i].psd)
			fail_msg("%s", rows[i].text);
	}
}

static void
row_244_no_records(void **state)
{
	static const char *const texts[] = {"", "v", "v=", "v=DMARC", "v=dmarc1; p=none",
	    "v=DMARC1x; p=none", "v=DMARC2; p=none", "p=reject; v=DMARC1", "; v=DMARC1",
	    "vv=DMARC1", "v=spf1 -all", "v=DMARC1,p=none", "x v=DMARC1; p=none"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (dmarc_record_is_one(span_str(texts[i])))
			fail_msg("%s", texts[i]);
}

static void
row_244_odd_octets(void **state)
{
	struct dmarc_record r;
	static uint8_t big[65536];

	(void)state;
	dmarc_record_parse(SPAN("v=DMARC1; p=rej\0ect"), &r);
	assert_false(r.usable);
	assert_false(dmarc_record_is_one(SPAN("v=DMARC1\0; p=reject")));
	memset(big, ';', sizeof(big));
	memcpy(big, "v=DMARC1", 8);
	memcpy(big + 65000, "p=reject", 8);
	dmarc_record_parse(span_of(big, sizeof(big)), &r);
	assert_int_equal(r.p, DMARC_POLICY_REJECT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_244_every_record),
	    cmocka_unit_test(row_244_no_records),
	    cmocka_unit_test(row_244_odd_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPF as a whole, where strangers try to be expensive or to be believed. */
#include "validators/spf.h"

#include "tests/validators/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct spf *spf;
static struct spf_answer answer;
static unsigned questions;

static enum auth_result
check(const struct zone_record *records, size_t count, const char *client, const char *helo,
    const char *sender)
{
	struct spf_question q = {.helo = span_str(helo), .sender = span_str(sender)};
	struct zone zone = {records, count, 0};
	struct resolver resolver = {zone_ask, &zone};

	assert_true(ip_parse(span_str(client), &q.client));
	spf_check(spf, &q, &resolver, &answer);
	questions = zone.questions;
	return answer.result;
}

static enum auth_result
check_record(const char *text)
{
	const struct zone_record zone[] = {{"x.example", DNS_TYPE_TXT, 0, span_str(text)}};

	return check(zone, 1, "192.0.2.1", "helo.example", "u@x.example");
}

static void
row_213_null_sender(void **state)
{
	const struct zone_record zone[] = {
	    {"helo.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 exists:%{l}.%{o}.check.example -all")},
	    {"postmaster.helo.example.check.example", DNS_TYPE_A, 0, SPAN("\x7f\0\0\2")},
	};

	(void)state;
	assert_int_equal(check(zone, 2, "192.0.2.1", "helo.example", ""), AUTH_PASS);
	assert_int_equal(answer.domain_len, strlen("helo.example"));
	assert_memory_equal(answer.domain, "helo.example", answer.domain_len);
}

/* RFC 8616 4: the policy of an U-label stands at its A-label; the local part is in no name. */
static void
utf8_senders(void **state)
{
	const struct zone_record zone[] = {
	    {"xn--bcher-kva.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 exists:%{l}.%{o} -all")},
	    {"postmaster.xn--bcher-kva.example", DNS_TYPE_A, 0, SPAN("\x7f\0\0\2")},
	};

	(void)state;
	assert_int_equal(check(zone, 2, "192.0.2.1", "h.example",
			     "\xc3\xbc@b\xc3\xbc"
			     "cher.example"),
	    AUTH_PASS);
	assert_memory_equal(answer.domain, "xn--bcher-kva.example", answer.domain_len);
	assert_int_equal(check(zone, 2, "192.0.2.1", "h.example",
			     "u@b\xc3\xbc"
			     "cher.example"),
	    AUTH_FAIL);
	assert_int_equal(
	    check(zone, 2, "192.0.2.1", "h.example", "u@\xc3\xbc-.example"), AUTH_NONE);
}

static void
no_policy_possible(void **state)
{
	static const char *const senders[] = {"u@[192.0.2.1]", "u@localhost", "u@a..b", "u@", "u"};

	(void)state;
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		assert_int_equal(check(NULL, 0, "192.0.2.1", "h.example", senders[i]), AUTH_NONE);
		assert_int_equal(questions, 0);
	}
}

/* The library alone lets these pass without a look. */
static void
loopback_is_no_pass(void **state)
{
	const struct zone_record zone[] = {{"x.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 -all")}};

	(void)state;
	assert_int_equal(check(zone, 1, "127.0.0.1", "h.example", "u@x.example"), AUTH_FAIL);
	assert_int_equal(check(zone, 1, "::1", "h.example", "u@x.example"), AUTH_FAIL);
}

static void
row_215_two_records(void **state)
{
	const struct zone_record zone[] = {
	    {"x.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 +all")},
	    {"x.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 -all")},
	};

	(void)state;
	assert_int_equal(check(zone, 2, "192.0.2.1", "h.example", "u@x.example"), AUTH_PERMERROR);
}

/* Nobody is shown an explanation, so nobody asks for one; its macros are still read. */
static void
row_221_explanation_is_not_fetched(void **state)
{
	(void)state;
	assert_int_equal(check_record("v=spf1 exp=e.%{d} -all"), AUTH_FAIL);
	assert_int_equal(questions, 1);
	assert_int_equal(check_record("v=spf1 exp=e.%{d -all"), AUTH_PERMERROR);
}

static void
row_216_large_and_odd_records(void **state)
{
	static char text[4096 + 1];
	size_t len = 0;

	(void)state;
	len += (size_t)snprintf(text, sizeof(text), "v=spf1");
	while (len < 4000)
		len +=
		    (size_t)snprintf(text + len, sizeof(text) - len, " ip4:10.%zu.1.1", len % 200);
	snprintf(text + len, sizeof(text) - len, " -all");
	/* far past the 511 octets after which the library alone forgets the rest */
	assert_int_equal(check_record(text), AUTH_FAIL);
	{
		const struct zone_record nul[] = {
		    {"x.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 +all\0-all")}};

		assert_int_equal(
		    check(nul, 1, "192.0.2.1", "h.example", "u@x.example"), AUTH_PERMERROR);
	}
}

/* Every name l<N>.<i>.bomb has a record with ten includes one level down. */
static void
bomb_ask(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	unsigned *asked = arg, level = 0;
	uint8_t room[1000];
	struct buf text = BUF_OVER(room), b = BUF_OVER(reply_out->encoded);
	struct msg_dns_record record = {0, {NULL, 0}};

	(void)type;
	sscanf((const char *)name.p, "l%u", &level);
	buf_put_str(&text, "v=spf1");
	for (unsigned i = 0; i < 10; i++)
		buf_printf(&text, " include:l%u.n%u.bomb.example", level + 1, i);
	++*asked;
	record.data = buf_span(&text);
	msg_list_put(&b, RECORD_dns_record, &record);
	reply_out->status = DNS_OK;
	reply_out->count = 1;
	reply_out->len = b.len;
}

static void
row_217_include_tree(void **state)
{
	struct spf_question q = {.helo = SPAN("h.example"), .sender = SPAN("u@l0.bomb.example")};
	unsigned asked = 0;
	struct resolver resolver = {bomb_ask, &asked};

	(void)state;
	assert_true(ip_parse(SPAN("192.0.2.1"), &q.client));
	spf_check(spf, &q, &resolver, &answer);
	assert_int_equal(answer.result, AUTH_PERMERROR);
	assert_true(asked <= 11);
}

static void
row_218_void_lookups(void **state)
{
	(void)state;
	assert_int_equal(
	    check_record("v=spf1 a:a.n.example a:b.n.example a:c.n.example a:d.n.example ?all"),
	    AUTH_PERMERROR);
	assert_true(questions <= 4);
	assert_int_equal(check_record("v=spf1 a:a.n.example a:b.n.example ?all"), AUTH_NEUTRAL);
}

static void
row_219_many_hosts(void **state)
{
	static struct zone_record zone[120];
	static char names[100][32];
	size_t n = 0;

	(void)state;
	zone[n++] = (struct zone_record){"x.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 mx ?all")};
	for (size_t i = 0; i < 50; i++) {
		snprintf(names[i], sizeof(names[i]), "m%zu.x.example", i);
		zone[n++] = (struct zone_record){"x.example", DNS_TYPE_MX, 10, span_str(names[i])};
		zone[n++] = (struct zone_record){names[i], DNS_TYPE_A, 0, SPAN("\x0a\0\0\1")};
	}
	assert_int_equal(check(zone, n, "192.0.2.1", "h.example", "u@x.example"), AUTH_PERMERROR);
	assert_true(questions <= 12);
}

static void
row_219_many_reverse_names(void **state)
{
	static struct zone_record zone[120];
	static char names[100][32];
	size_t n = 0;

	(void)state;
	zone[n++] = (struct zone_record){"x.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 ptr -all")};
	for (size_t i = 0; i < 100; i++) {
		snprintf(names[i], sizeof(names[i]), "p%zu.x.example", i);
		zone[n++] = (struct zone_record){
		    "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, 0, span_str(names[i])};
	}
	assert_int_equal(check(zone, n, "192.0.2.1", "h.example", "u@x.example"), AUTH_FAIL);
	assert_true(questions <= 12);
}

/* What makes the packaged library end the process, or worse. */
static void
row_220_221_records_that_overrun(void **state)
{
	static char text[4000];
	size_t len = (size_t)snprintf(text, sizeof(text), "v=spf1 exists:");

	(void)state;
	for (int i = 0; i < 127; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%%{d}");
	memset(text + len, 'A', 3000);
	snprintf(text + len + 3000, sizeof(text) - len - 3000, ".example -all");
	assert_int_equal(check_record(text), AUTH_FAIL);
	assert_int_equal(check_record("v=spf1 -all exp=%{d}%{d}%{d}%{d}.example"), AUTH_FAIL);
	assert_int_equal(questions, 1); /* the explanation is never fetched */
	assert_int_equal(check_record("v=spf1 include:%{h%}.example -all"), AUTH_PERMERROR);
}

static void
row_222_loops(void **state)
{
	(void)state;
	assert_int_equal(check_record("v=spf1 redirect=x.example"), AUTH_PERMERROR);
	assert_int_equal(check_record("v=spf1 include:x.example -all"), AUTH_PERMERROR);
	assert_int_equal(check_record("v=spf1 include:x.example redirect=%{d}"), AUTH_PERMERROR);
	assert_true(questions <= 11);
}

static void
row_224_everybody(void **state)
{
	(void)state;
	assert_int_equal(check_record("v=spf1 +all"), AUTH_PASS);
	assert_true(answer.everybody);
	assert_int_equal(check_record("v=spf1 ip4:0.0.0.0/0"), AUTH_PASS);
	assert_true(answer.everybody);
	assert_int_equal(check_record("v=spf1 ip4:192.0.2.1 all"), AUTH_PASS);
	assert_false(answer.everybody); /* what is behind a match is not looked at */
	assert_int_equal(check_record("v=spf1 ip4:192.0.2.0/24 -all"), AUTH_PASS);
	assert_false(answer.everybody);
	assert_int_equal(check_record("v=spf1 ip6:::/0 -all"), AUTH_FAIL);
	assert_false(answer.everybody);
	assert_int_equal(check_record("v=spf1 ?all"), AUTH_NEUTRAL);
	assert_false(answer.everybody);
}

/* Placeholders are ours: a record that speaks of them is only one with odd names. */
static void
placeholders_cannot_be_named(void **state)
{
	const struct zone_record zone[] = {
	    {"x.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 include:n0.g include:helo.g a:n1.g -all")},
	    {"n0.g", DNS_TYPE_TXT, 0, SPAN("v=spf1 -all")},
	    {"helo.g", DNS_TYPE_TXT, 0, SPAN("v=spf1 -all")},
	    {"n1.g", DNS_TYPE_A, 0, SPAN("\xc0\0\2\2")},
	};

	(void)state;
	assert_int_equal(check(zone, 4, "198.51.100.1", "h.example", "u@x.example"), AUTH_FAIL);
	/* the addresses that the library works with are nobody's privilege */
	assert_int_equal(check(zone, 4, "192.0.2.2", "h.example", "u@x.example"), AUTH_PASS);
	assert_int_equal(check(zone, 4, "192.0.2.1", "h.example", "u@x.example"), AUTH_FAIL);
}

static void
row_250_no_answer(void **state)
{
	const struct zone_record zone[] = {
	    {"x.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 a:slow.example +all")},
	    {"slow.example", ZONE_TIMEOUT, 0, {NULL, 0}},
	    {"dead.example", ZONE_TIMEOUT, 0, {NULL, 0}},
	};

	(void)state;
	assert_int_equal(check(zone, 3, "192.0.2.1", "h.example", "u@x.example"), AUTH_TEMPERROR);
	assert_int_equal(
	    check(zone, 3, "192.0.2.1", "h.example", "u@dead.example"), AUTH_TEMPERROR);
	assert_int_equal(check(zone, 3, "192.0.2.1", "h.example", "u@gone.example"), AUTH_NONE);
}

static int
set_up(void **state)
{
	(void)state;
	spf = spf_new();
	return spf != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	spf_free(&spf);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_213_null_sender),
	    cmocka_unit_test(utf8_senders),
	    cmocka_unit_test(no_policy_possible),
	    cmocka_unit_test(loopback_is_no_pass),
	    cmocka_unit_test(row_215_two_records),
	    cmocka_unit_test(row_221_explanation_is_not_fetched),
	    cmocka_unit_test(row_216_large_and_odd_records),
	    cmocka_unit_test(row_217_include_tree),
	    cmocka_unit_test(row_218_void_lookups),
	    cmocka_unit_test(row_219_many_hosts),
	    cmocka_unit_test(row_219_many_reverse_names),
	    cmocka_unit_test(row_220_221_records_that_overrun),
	    cmocka_unit_test(row_222_loops),
	    cmocka_unit_test(row_224_everybody),
	    cmocka_unit_test(placeholders_cannot_be_named),
	    cmocka_unit_test(row_250_no_answer),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/*
 * Results of DKIM for messages of an independent signer, of RFC 8463, and of people who mean no
 * good. Ends with `N passed, M failed`.
 */
#include "validators/dkim.h"
#include "validators/dkim_signature.h"
#include "validators/dkim_warm_up.h"

#include "tests/validators/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

enum { CASES_MAX = 200, KEYS_MAX = 4 };

struct test_case {
	const char *name, *expect;
	struct span message;
	struct span key_names[KEYS_MAX], keys[KEYS_MAX], temporary[KEYS_MAX];
	size_t key_count, temporary_count;
};

static struct test_case cases[CASES_MAX];
static size_t case_count;
static struct dkim *dkim;

/* ---- a world of one message ---------------------------------------------------------------------- */

/* Never more than 1000 octets at a time, so that everything is read in pieces. */
static long
read_message(void *arg, uint64_t offset, void *p, size_t len)
{
	const struct test_case *c = arg;
	struct span rest = span_head(span_head(span_from(c->message, (size_t)offset), len), 1000);

	if (rest.len > 0)
		memcpy(p, rest.p, rest.len);
	return (long)rest.len;
}

static void
ask(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	const struct test_case *c = arg;
	struct buf b = BUF_OVER(reply_out->encoded);

	assert_int_equal(type, DNS_TYPE_TXT);
	assert_true(dns_name_ok(name));
	reply_out->status = DNS_NO_NAME;
	reply_out->count = 0;
	for (size_t i = 0; i < c->temporary_count; i++)
		if (span_eq(c->temporary[i], name))
			reply_out->status = DNS_TROUBLE;
	for (size_t i = 0; i < c->key_count; i++) {
		struct msg_dns_record record = {0, c->keys[i]};

		if (!span_eq(c->key_names[i], name))
			continue;
		reply_out->status = DNS_OK;
		reply_out->count++;
		assert_true(msg_list_put(&b, RECORD_dns_record, &record));
	}
	reply_out->len = b.len;
}

static bool
check_at(const struct test_case *c, uint64_t now, struct dkim_answer *answer_out)
{
	struct dkim_content content = {read_message, (void *)(uintptr_t)c};
	struct resolver resolver = {ask, (void *)(uintptr_t)c};

	return dkim_check(dkim, &content, &resolver, now, answer_out);
}

/* The results as a list. */
static void
results(const struct dkim_answer *answer, char text_out[200])
{
	size_t len = 0;

	text_out[0] = '\0';
	for (size_t i = 0; i < answer->count; i++)
		len += (size_t)snprintf(text_out + len, 200 - len, "%s%s", i > 0 ? "," : "",
		    result_name(answer->results[i].result));
}

static void
expect(const struct test_case *c)
{
	struct dkim_answer answer;
	char text[200];

	assert_true(check_at(c, (uint64_t)time(NULL), &answer));
	results(&answer, text);
	if (strcmp(text, c->expect) != 0)
		fail_msg("%s: expected %s, got %s (%s)", c->name, c->expect, text,
		    answer.count > 0 ? answer.results[0].reason : "");
}

static void
run_case(void **state)
{
	expect(*state);
}

static void
take_line(char *line)
{
	char *value = strchr(line, ' '), *second;
	struct test_case *c = &cases[case_count];

	value = value != NULL ? value + 1 : line + strlen(line);
	if (strncmp(line, "CASE ", 5) == 0)
		c->name = case_text(value);
	else if (strncmp(line, "EXPECT ", 7) == 0)
		c->expect = case_text(value);
	else if (strncmp(line, "MESSAGE ", 8) == 0)
		c->message = case_octets(value);
	else if (strncmp(line, "TEMP ", 5) == 0)
		c->temporary[c->temporary_count++] = case_octets(value);
	else if (strncmp(line, "KEY ", 4) == 0 && (second = strchr(value, ' ')) != NULL) {
		*second = '\0';
		c->key_names[c->key_count] = case_octets(value);
		c->keys[c->key_count++] = case_octets(second + 1);
	} else if (strcmp(line, "END") == 0 && case_count < CASES_MAX - 1)
		case_count++;
}

/* ---- RFC 8463 -------------------------------------------------------------------------------- */

static void
rfc8463_vector(void **state)
{
	struct test_case c = {.name = "RFC 8463", .expect = "pass,pass", .key_count = 2};

	(void)state;
	c.message = span_str(dkim_sample_message);
	c.key_names[0] = SPAN("brisbane._domainkey.football.example.com");
	c.key_names[1] = SPAN("test._domainkey.football.example.com");
	c.keys[0] = dkim_sample_key(c.key_names[0]);
	c.keys[1] = dkim_sample_key(c.key_names[1]);
	expect(&c);
}

/* ---- what would hurt the library ------------------------------------------------------------------- */

#define SIGNATURE(tags) \
	"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s; bh=AAAA; b=AAAA; " tags "\n"
#define REST "From: a@example.com\nTo: b@example.com\n\nhi\n"

static void
hostile(const char *message, size_t len, const char *wanted)
{
	struct test_case c = {.name = "hostile", .key_count = 1};
	char *exact = malloc(len);

	memcpy(exact, message, len);
	c.message = span_of(exact, len);
	c.expect = wanted;
	c.key_names[0] = SPAN("s._domainkey.example.com");
	c.keys[0] = dkim_sample_key(SPAN("test._domainkey.football.example.com"));
	expect(&c);
	free(exact);
}

/* h= names every field of the message and one more: the library alone writes beyond its memory. */
static void
header_names_overflow(void **state)
{
	static const char poc[] =
	    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s; "
	    "h=from:to:dkim-signature:subject; "
	    "bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; b=AAAA\n" REST;

	(void)state;
	for (int i = 0; i < 20; i++)
		hostile(poc, sizeof(poc) - 1, "fail");
}

static void
identity_over_read(void **state)
{
	static char longer[1000];
	static const char equals[] = SIGNATURE("h=from; i=a=@example.com=") REST;

	(void)state;
	hostile(equals, sizeof(equals) - 1, "permerror");
	snprintf(longer, sizeof(longer), SIGNATURE("h=from; i=%0300d@example.com") REST, 0);
	hostile(longer, strlen(longer), "permerror");
}

static void
nul_and_cr_in_header(void **state)
{
	static const char nul[] = SIGNATURE("h=from") "X: a\0b\n" REST;
	static const char cr[] = SIGNATURE("h=from") "X: a\rb\n" REST;

	(void)state;
	hostile(nul, sizeof(nul) - 1, "permerror");
	hostile(cr, sizeof(cr) - 1, "permerror");
}

static void
header_without_end(void **state)
{
	static const char some[] = SIGNATURE("h=from") "From: a@example.com";
	size_t len = DKIM_HEADER_MAX + 5000;
	char *big = malloc(len);

	(void)state;
	hostile(some, sizeof(some) - 1, "fail"); /* no body at all */
	memset(big, 'x', len);
	memcpy(big, some, sizeof(some) - 1);
	hostile(big, len, "permerror");
	free(big);
}

static void
row_226_thousand_signatures(void **state)
{
	static char message[200000];
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		len += (size_t)snprintf(message + len, sizeof(message) - len, SIGNATURE("h=from"));
	len += (size_t)snprintf(message + len, sizeof(message) - len, REST);
	hostile(message, len, "fail,fail,fail,fail,fail,neutral,neutral,neutral");
}

static void
ask_sample(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	struct buf b = BUF_OVER(reply_out->encoded);
	struct msg_dns_record record = {0, dkim_sample_key(name)};

	(void)type;
	++*(unsigned *)arg;
	reply_out->status = record.data.len > 0 ? DNS_OK : DNS_NO_NAME;
	reply_out->count = record.data.len > 0;
	if (record.data.len > 0)
		assert_true(msg_list_put(&b, RECORD_dns_record, &record));
	reply_out->len = b.len;
}

static bool
is_football(void *arg, struct span domain)
{
	(void)arg;
	return span_eq(domain, SPAN("football.example.com"));
}

/* The signatures of the author's domain are verified, however many others stand before them. */
static void
row_226_aligned_first(void **state)
{
	static char message[100000];
	struct test_case c = {.name = "aligned first"};
	struct dkim_content content = {read_message, &c};
	const struct dkim_fields *fields;
	struct dkim_answer answer;
	unsigned asked = 0;
	struct resolver resolver = {ask_sample, &asked};
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		len += (size_t)snprintf(message + len, sizeof(message) - len, SIGNATURE("h=from"));
	len += (size_t)snprintf(message + len, sizeof(message) - len, "%s", dkim_sample_message);
	c.message = span_of(message, len);
	for (int preferring = 0; preferring < 2; preferring++) {
		unsigned passed = 0;

		assert_true(dkim_read_header(dkim, &content, &fields));
		assert_true(dkim_verify_signatures(dkim, &content, &resolver, DKIM_SAMPLE_TIME,
		    preferring ? is_football : NULL, NULL, &answer));
		assert_int_equal(answer.count, DKIM_REPORTED_MAX);
		for (size_t i = 0; i < answer.count; i++)
			passed += answer.results[i].result == AUTH_PASS;
		assert_int_equal(passed, preferring ? 2 : 0);
	}
	assert_true(asked <= 2 * DKIM_VERIFIED_MAX);
}

/* header.a and header.b: what tells signatures of one domain apart. */
static void
algorithm_and_tag(void **state)
{
	struct test_case c = {.message = span_str(dkim_sample_message)};
	struct dkim_content content = {read_message, &c};
	unsigned asked = 0;
	struct resolver resolver = {ask_sample, &asked};
	struct dkim_answer answer;

	(void)state;
	assert_true(dkim_check(dkim, &content, &resolver, DKIM_SAMPLE_TIME, &answer));
	assert_int_equal(answer.count, 2);
	assert_int_equal(answer.results[0].algorithm, DKIM_ED25519_SHA256);
	assert_int_equal(answer.results[1].algorithm, DKIM_RSA_SHA256);
	assert_memory_equal(answer.results[0].tag, "/gCrinpc", 8);
	assert_memory_equal(answer.results[1].tag, "F45dVWDf", 8);
}

/* What resolverd refuses to hand on, a key over its bounds among it, is no temporary failure. */
static void
ask_unusable(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	(void)arg;
	(void)name;
	(void)type;
	*reply_out = (struct dns_reply){.status = DNS_UNUSABLE};
}

static void
row_234_oversized_key(void **state)
{
	struct test_case c = {.message = span_str(dkim_sample_message)};
	struct dkim_content content = {read_message, &c};
	static struct dns_reply room;
	struct resolver resolver = {ask_unusable, &room};
	struct dkim_answer answer;

	(void)state;
	assert_true(dkim_check(dkim, &content, &resolver, DKIM_SAMPLE_TIME, &answer));
	assert_int_equal(answer.count, 2);
	assert_int_equal(answer.results[0].result, AUTH_PERMERROR);
	assert_int_equal(answer.results[1].result, AUTH_PERMERROR);
}

/* Empty lines and blanks without an end: what canonicalization throws away costs no more than the rest. */
static void
row_239_runs(void **state)
{
	static const char fill[] = {'\n', ' '};
	size_t head = strlen(dkim_sample_message), len = head + (4 << 20);
	char *message = malloc(len);

	(void)state;
	assert_non_null(message);
	for (size_t i = 0; i < 2; i++) {
		struct test_case c = {.message = span_of(message, len)};
		struct dkim_content content = {read_message, &c};
		unsigned asked = 0;
		struct resolver resolver = {ask_sample, &asked};
		struct dkim_answer answer;

		memcpy(message, dkim_sample_message, head);
		memset(message + head, fill[i], len - head);
		assert_true(dkim_check(dkim, &content, &resolver, DKIM_SAMPLE_TIME, &answer));
		/* relaxed: what ends in nothing but these is as signed (RFC 6376 3.4.4) */
		assert_int_equal(answer.results[0].result, AUTH_PASS);
	}
	free(message);
}

/* ---- signature fields ------------------------------------------------------------------------------ */

#define GOOD "v=1; a=rsa-sha256; d=example.com; s=s; bh=AA; b=AA; "

enum { UNREADABLE = -1 };

static void
row_229_230_236_237_signature_fields(void **state)
{
	static const struct {
		const char *value;
		int decided;
	} rows[] = {
	    {GOOD "h=from:to", AUTH_UNCHECKED},
	    {" v=1;a=rsa-sha256;d=Example.COM;s=A.b;bh=A\n A;b=A\n\tA;h=to\n :from;",
		AUTH_UNCHECKED},
	    {GOOD "h=from; i=@sub.example.com; q=dns/txt; x=99999999999; t=1", AUTH_UNCHECKED},
	    /* row 236: what the message looked like for its signer does not matter to us */
	    {GOOD "h=from; z=From:a@b.example|Subject:x", AUTH_UNCHECKED},
	    /* rows 229, 230 */
	    {GOOD "h=from; l=0", AUTH_NEUTRAL},
	    {GOOD "h=from; l=100", AUTH_NEUTRAL},
	    {GOOD "h=from; l=999999999999999999999999999999", AUTH_PERMERROR},
	    {GOOD "h=from; l=-1", AUTH_PERMERROR},
	    {GOOD "h=from; l=", AUTH_PERMERROR},
	    /* row 237 */
	    {GOOD "h=from; x=999", AUTH_FAIL},
	    {GOOD "h=from; x=2000; t=3000", AUTH_PERMERROR},
	    {GOOD "h=from; t=1000300", AUTH_UNCHECKED},
	    {GOOD "h=from; t=1000301", AUTH_PERMERROR},
	    {GOOD "h=from; t=-1", AUTH_PERMERROR},
	    {GOOD "h=from; x=9999999999999", AUTH_PERMERROR},
	    {GOOD "h=to", AUTH_PERMERROR},
	    {GOOD "h=", AUTH_PERMERROR},
	    {GOOD "h=from::to", AUTH_PERMERROR},
	    {GOOD, AUTH_PERMERROR},
	    {GOOD "h=from; h=to", AUTH_PERMERROR},
	    {GOOD "h=from; nonsense", AUTH_PERMERROR},
	    {GOOD "h=from; 1=x", AUTH_PERMERROR},
	    {GOOD "h=from; x=\x80", AUTH_PERMERROR},
	    {GOOD "h=from; d=other.example", AUTH_PERMERROR},
	    {"v=2; a=rsa-sha256; d=example.com; s=s; bh=AA; b=AA; h=from", AUTH_PERMERROR},
	    {"a=rsa-sha256; d=example.com; s=s; bh=AA; b=AA; h=from", AUTH_PERMERROR},
	    {"v=1; a=rsa-sha1; d=example.com; s=s; bh=AA; b=AA; h=from", AUTH_PERMERROR},
	    {"v=1; a=dsa-sha256; d=example.com; s=s; bh=AA; b=AA; h=from", AUTH_PERMERROR},
	    {"v=1; d=example.com; s=s; bh=AA; b=AA; h=from", AUTH_PERMERROR},
	    {"v=1; a=rsa-sha256; d=example.com; s=s; b=AA; h=from", AUTH_PERMERROR},
	    {"v=1; a=rsa-sha256; d=example.com; s=s; bh=AA; b=; h=from", AUTH_PERMERROR},
	    {"v=1; a=rsa-sha256; d=com; s=s; bh=AA; b=AA; h=from", AUTH_PERMERROR},
	    {"v=1; a=rsa-sha256; d=legit.example'a.attack.example; s=s; bh=AA; b=AA; h=from",
		UNREADABLE},
	    {"v=1; a=rsa-sha256; d=legit.example(.attack.example; s=s; bh=AA; b=AA; h=from",
		UNREADABLE},
	    {"v=1; a=rsa-sha256; d=example.com; s=s/t; bh=AA; b=AA; h=from", UNREADABLE},
	    {"v=1; a=rsa-sha256; d=example..com; s=s; bh=AA; b=AA; h=from", UNREADABLE},
	    {"v=1; a=rsa-sha256; d=example.com; bh=AA; b=AA; h=from", UNREADABLE},
	    {"v=1; a=rsa-sha256; d=exam ple.com; s=s; bh=AA; b=AA; h=from", UNREADABLE},
	    {"", UNREADABLE},
	    {";", UNREADABLE},
	    {"=", UNREADABLE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].value);
		char *exact = malloc(len + 1);
		struct dkim_signature s;
		bool readable;

		memcpy(exact, rows[i].value, len);
		readable = dkim_signature_read(span_of(exact, len), 1000000, &s);
		free(exact);
		if (readable != (rows[i].decided != UNREADABLE) ||
		    (readable && (int)s.decided != rows[i].decided))
			fail_msg("%s: %s %s", rows[i].value,
			    readable ? result_name(s.decided) : "unreadable",
			    readable ? s.reason : "");
	}
}

static void
row_231_selector_with_a_nul(void **state)
{
	struct dkim_signature s;

	(void)state;
	assert_false(
	    dkim_signature_read(SPAN("v=1; a=rsa-sha256; d=a.example; "
				     "s=sel._domainkey.attack.example.\0.any; b=A; bh=A; h=from"),
		0, &s));
}

static void
row_227_228_large_signatures(void **state)
{
	static char text[1 << 20];
	struct dkim_signature s;
	size_t len;

	(void)state;
	len = (size_t)snprintf(text, sizeof(text), GOOD "h=from");
	while (len < sizeof(text) - 20)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ":from");
	assert_true(dkim_signature_read(span_of(text, len), 0, &s));
	assert_int_equal(s.decided, AUTH_PERMERROR);
	len = (size_t)snprintf(text, sizeof(text), GOOD "h=from");
	for (int i = 0; i < 100; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ":to");
	assert_true(dkim_signature_read(span_of(text, len), 0, &s));
	assert_int_equal(s.decided, AUTH_PERMERROR);
	len -= strlen(":to"); /* a hundred names are taken */
	assert_true(dkim_signature_read(span_of(text, len), 0, &s));
	assert_int_equal(s.decided, AUTH_UNCHECKED);
	len = (size_t)snprintf(text, sizeof(text), GOOD "h=from; ");
	for (int i = 0; i < 100000 && len < sizeof(text) - 20; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "a%d=x;", i);
	assert_true(dkim_signature_read(span_of(text, len), 0, &s));
	assert_int_equal(s.decided, AUTH_PERMERROR);
}

/* ---- all ------------------------------------------------------------------------------------- */

int
main(void)
{
	static struct CMUnitTest tests[CASES_MAX + 20] = {
	    cmocka_unit_test(rfc8463_vector),
	    cmocka_unit_test(header_names_overflow),
	    cmocka_unit_test(identity_over_read),
	    cmocka_unit_test(nul_and_cr_in_header),
	    cmocka_unit_test(header_without_end),
	    cmocka_unit_test(row_226_thousand_signatures),
	    cmocka_unit_test(row_226_aligned_first),
	    cmocka_unit_test(row_234_oversized_key),
	    cmocka_unit_test(row_239_runs),
	    cmocka_unit_test(algorithm_and_tag),
	    cmocka_unit_test(row_229_230_236_237_signature_fields),
	    cmocka_unit_test(row_231_selector_with_a_nul),
	    cmocka_unit_test(row_227_228_large_signatures),
	};
	size_t n = 0;
	int failed;

	cases_read("tests/validators/dkim_cases.py", "", take_line);
	dkim = dkim_new();
	while (tests[n].name != NULL)
		n++;
	for (size_t i = 0; i < case_count; i++)
		tests[n++] = (struct CMUnitTest){
		    .name = cases[i].name, .test_func = run_case, .initial_state = &cases[i]};
	failed = _cmocka_run_group_tests("dkim", tests, n, NULL, NULL);
	dkim_destroy(&dkim);
	printf("%zu passed, %d failed\n", n - (size_t)failed, failed);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

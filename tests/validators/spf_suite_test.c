/*
 * Runs a suite of SPF cases: spf_suite_test [FILE.json], the RFC 7208 test suite by default.
 * Ends with `N passed, M failed`.
 */
#include "validators/spf.h"

#include "tests/validators/cases.h"
#include "tests/validators/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASES_MAX = 4000, RECORDS_MAX = 120 };

struct test_case {
	char *name;
	struct ip client;
	struct span helo, sender;
	char *expect;
	struct zone_record *records;
	size_t count;
};

static struct test_case cases[CASES_MAX];
static size_t case_count;
static unsigned passed_count, failed_count;
static struct spf *spf;

static int
type_of(const char *text)
{
	static const struct {
		const char *name;
		int type;
	} types[] = {
	    {"A", DNS_TYPE_A},
	    {"AAAA", DNS_TYPE_AAAA},
	    {"MX", DNS_TYPE_MX},
	    {"PTR", DNS_TYPE_PTR},
	    {"TXT", DNS_TYPE_TXT},
	    {"CNAME", ZONE_CNAME},
	    {"TIMEOUT", ZONE_TIMEOUT},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, text) == 0)
			return types[i].type;
	return -1;
}

static struct span
address(struct span text)
{
	struct ip *ip = case_memory(sizeof(*ip));

	if (!ip_parse(text, ip))
		abort();
	return ip_is_v4(ip) ? span_of(ip->octets + 12, 4) : span_of(ip->octets, IP_LEN);
}

static void
add_record(struct test_case *c, const char *line)
{
	char name[2000], type[16], data[20000];
	unsigned preference;
	struct zone_record *r;

	if (sscanf(line, "%1999s %15s %u %19999s", name, type, &preference, data) != 4)
		abort();
	if (c->records == NULL)
		c->records = case_memory(RECORDS_MAX * sizeof(*r));
	if (type_of(type) < 0 || c->count == RECORDS_MAX)
		return; /* a type that nobody asks for */
	r = &c->records[c->count++];
	r->name = (const char *)case_octets(name).p;
	r->type = type_of(type);
	r->preference = preference;
	r->data = case_octets(data);
	if (r->type == DNS_TYPE_A || r->type == DNS_TYPE_AAAA)
		r->data = address(r->data);
}

static void
take_line(char *line)
{
	char *value = strchr(line, ' ');
	struct test_case *c = &cases[case_count];

	value = value != NULL ? value + 1 : line + strlen(line);
	if (strncmp(line, "CASE ", 5) == 0)
		c->name = case_text(value);
	else if (strncmp(line, "IP ", 3) == 0 && !ip_parse(span_str(value), &c->client))
		abort();
	else if (strncmp(line, "HELO ", 5) == 0)
		c->helo = case_octets(value);
	else if (strncmp(line, "FROM ", 5) == 0)
		c->sender = case_octets(value);
	else if (strncmp(line, "EXPECT ", 7) == 0)
		c->expect = case_text(value);
	else if (strncmp(line, "RR ", 3) == 0)
		add_record(c, value);
	else if (strcmp(line, "END") == 0 && case_count < CASES_MAX - 1)
		case_count++;
}

static bool
is_expected(const char *list, const char *result)
{
	size_t len = strlen(result);

	for (const char *p = list; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, result, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return false;
}

static void
run_case(void **state)
{
	const struct test_case *c = *state;
	struct spf_question q = {c->client, c->helo, c->sender};
	struct zone zone = {c->records, c->count, 0};
	struct resolver resolver = {zone_ask, &zone};
	struct spf_answer answer;

	spf_check(spf, &q, &resolver, &answer);
	failed_count++;
	if (!is_expected(c->expect, result_name(answer.result)))
		fail_msg("%s: expected %s, got %s (%.*s)", c->name, c->expect,
		    result_name(answer.result), (int)answer.reason_len,
		    (const char *)answer.reason);
	failed_count--;
	passed_count++;
	assert_true(zone.questions <= 60);
}

int
main(int argc, char **argv)
{
	static struct CMUnitTest tests[CASES_MAX];

	cases_read("tests/validators/spf_cases.py",
	    argc > 1 ? argv[1] : "tests/validators/data/spf_cases_rfc7208.json", take_line);
	spf = spf_new();
	for (size_t i = 0; i < case_count; i++)
		tests[i] = (struct CMUnitTest){
		    .name = cases[i].name, .test_func = run_case, .initial_state = &cases[i]};
	_cmocka_run_group_tests("spf_suite", tests, case_count, NULL, NULL);
	spf_free(&spf);
	printf("%u passed, %u failed\n", passed_count, failed_count);
	return failed_count == 0 && passed_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * Runs a suite of SPF cases: spf_suite_test [FILE.json], the RFC 7208 test suite by default.
 * Ends with `N passed, M failed`.
 */
#include "validators/spf.h"

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

/* Memory for all cases, never given back. */
static void *
keep(size_t len)
{
	static _Alignas(16) uint8_t room[8 << 20];
	static size_t used;
	void *p = room + used;

	used += (len + 15) / 16 * 16;
	if (used > sizeof(room))
		abort();
	return p;
}

static char *
keep_text(const char *text)
{
	return strcpy(keep(strlen(text) + 1), text);
}

/* "=6162" gives the octets of it, and a NUL behind. */
static struct span
unhex(const char *text)
{
	size_t len = strlen(text + 1) / 2;
	uint8_t *p = keep(len + 1);

	for (size_t i = 0; i < len; i++) {
		unsigned v = 0;

		sscanf(text + 1 + 2 * i, "%2x", &v);
		p[i] = (uint8_t)v;
	}
	p[len] = 0;
	return span_of(p, len);
}

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
	struct ip *ip = keep(sizeof(*ip));

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
		c->records = keep(RECORDS_MAX * sizeof(*r));
	if (type_of(type) < 0 || c->count == RECORDS_MAX)
		return; /* a type that nobody asks for */
	r = &c->records[c->count++];
	r->name = (const char *)unhex(name).p;
	r->type = type_of(type);
	r->preference = preference;
	r->data = unhex(data);
	if (r->type == DNS_TYPE_A || r->type == DNS_TYPE_AAAA)
		r->data = address(r->data);
}

static void
take_line(char *line)
{
	char *value = strchr(line, ' ');
	struct test_case *c = &cases[case_count];

	line[strcspn(line, "\n")] = '\0';
	value = value != NULL ? value + 1 : line + strlen(line);
	if (strncmp(line, "CASE ", 5) == 0)
		c->name = keep_text(value);
	else if (strncmp(line, "IP ", 3) == 0 && !ip_parse(span_str(value), &c->client))
		abort();
	else if (strncmp(line, "HELO ", 5) == 0)
		c->helo = unhex(value);
	else if (strncmp(line, "FROM ", 5) == 0)
		c->sender = unhex(value);
	else if (strncmp(line, "EXPECT ", 7) == 0)
		c->expect = keep_text(value);
	else if (strncmp(line, "RR ", 3) == 0)
		add_record(c, value);
	else if (strcmp(line, "END") == 0 && case_count < CASES_MAX - 1)
		case_count++;
}

static void
load(const char *file)
{
	char command[4096], *line = NULL;
	size_t cap = 0;
	FILE *in;

	snprintf(command, sizeof(command), "/usr/bin/python3 tests/validators/spf_cases.py '%s'", file);
	in = popen(command, "r");
	if (in == NULL)
		abort();
	while (getline(&line, &cap, in) > 0)
		take_line(line);
	free(line);
	if (pclose(in) != 0)
		abort();
}

static const char *
result_name(enum auth_result result)
{
	static const char *const names[] = {
	    "unchecked", "none", "pass", "fail", "softfail", "neutral", "temperror", "permerror"};

	return names[result];
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
		fail_msg("%s: expected %s, got %s (%.*s)", c->name, c->expect, result_name(answer.result),
		    (int)answer.reason_len, (const char *)answer.reason);
	failed_count--;
	passed_count++;
	assert_true(zone.questions <= 60);
}

int
main(int argc, char **argv)
{
	static struct CMUnitTest tests[CASES_MAX];

	load(argc > 1 ? argv[1] : "tests/validators/data/spf_cases_rfc7208.json");
	spf = spf_new();
	for (size_t i = 0; i < case_count; i++)
		tests[i] = (struct CMUnitTest){
		    .name = cases[i].name, .test_func = run_case, .initial_state = &cases[i]};
	_cmocka_run_group_tests("spf_suite", tests, case_count, NULL, NULL);
	spf_free(&spf);
	printf("%u passed, %u failed\n", passed_count, failed_count);
	return failed_count == 0 && passed_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

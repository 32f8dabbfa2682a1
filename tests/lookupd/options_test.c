#include "lookupd/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lookupd/accounts.h"

static const char *const known[] = {"root", "passwd", "program:", NULL};
static struct pool pool;
static FILE *nowhere;

static int
open_nowhere(void **state)
{
	(void)state;
	nowhere = fopen("/dev/null", "w");
	return nowhere != NULL ? 0 : -1;
}

static int
close_nowhere(void **state)
{
	(void)state;
	pool_clear(&pool);
	return fclose(nowhere);
}

static int
parse(const char *text, struct options *o)
{
	struct report report = {.to = nowhere};

	return options_parse(&pool, text, known, o, &report);
}

static void
good_options(void **state)
{
	struct options o;
	enum leaf_verdict v;

	(void)state;
	assert_int_equal(parse("/var/qmail", &o), 0);
	assert_string_equal(o.path, "/var/qmail");
	assert_null(options_get(&o, "root"));
	assert_int_equal(parse("/a\\,b\\\\c,root=/x=y,root=/z\\,,program:/bin/a=b=defer", &o), 0);
	assert_string_equal(o.path, "/a,b\\c");
	assert_string_equal(options_get(&o, "root"), "/z,");
	assert_true(options_word(&o, "program:", SPAN("/bin/a=b"), &v));
	assert_int_equal(v, LEAF_DEFER);
	assert_false(options_word(&o, "program:", SPAN("/bin/a"), &v));
	assert_int_equal(parse("/a,program:x=accept,program:y=refuse,program:z=discard", &o), 0);
	assert_true(options_word(&o, "program:", SPAN("y"), &v));
	assert_int_equal(v, LEAF_UNKNOWN);
}

static void
wrong_options(void **state)
{
	static const char *const rows[] = {"/a,x=y", "/a,root", "/a,program:x=maybe",
	    "/a,program:=accept", "/a,program=accept", "/a,rootx=1"};
	struct options o;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(parse(rows[i], &o), -1);
}

static void
accounts(void **state)
{
	static const char text[] =
	    "root:x:0:0:root:/root:/bin/sh\n# x\n\njoe:x:500:501:J:/home/joe:\n"
	    "joe:x:600:601::/other:\n+::::::\nbad\nno:x:a:1::/h:\n"
	    "Cap:*:502:502::/home/cap";
	struct report report = {.to = nowhere};
	struct accounts a;
	const struct account *joe;
	uint32_t gid;

	(void)state;
	accounts_init(&a, &pool, "passwd");
	assert_int_equal(accounts_take(&a, span_str(text), &report), 0);
	assert_int_equal(report.warnings, 2);
	joe = accounts_find(&a, SPAN("joe"));
	assert_non_null(joe);
	assert_int_equal(joe->uid, 500);
	assert_int_equal(joe->gid, 501);
	assert_int_equal(joe->line, 4);
	assert_string_equal(joe->home, "/home/joe");
	assert_non_null(accounts_find(&a, SPAN("Cap")));
	assert_null(accounts_find(&a, SPAN("cap")));
	assert_int_equal(accounts_take_host(&a, &report), 0);
	accounts_clear(&a);
	assert_true(accounts_group(SPAN("a:x:1:\nnofiles:x:7701:x\n"), SPAN("nofiles"), &gid));
	assert_int_equal(gid, 7701);
	assert_false(accounts_group(SPAN("a:x:1:\n"), SPAN("nofiles"), &gid));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_options),
	    cmocka_unit_test(wrong_options),
	    cmocka_unit_test(accounts),
	};

	return cmocka_run_group_tests(tests, open_nowhere, close_nowhere);
}

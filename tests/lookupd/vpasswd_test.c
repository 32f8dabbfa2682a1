#include "lookupd/vpasswd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
users(void **state)
{
	struct vpasswd u;

	(void)state;
	assert_true(vpasswd_parse(
	    SPAN("bob:$1$x:1:16:Bob B:/home/vpopmail/domains/d/bob:10485760S,5C:clear"), &u));
	assert_true(span_eq(u.name, SPAN("bob")));
	assert_true(span_eq(u.dir, SPAN("/home/vpopmail/domains/d/bob")));
	assert_true(span_eq(u.quota, SPAN("10485760S,5C")));
	assert_int_equal(u.flags & VPASSWD_BOUNCES, VPASSWD_BOUNCES);
	assert_true(vpasswd_parse(SPAN("a::::b:/c"), &u));
	assert_int_equal(u.flags, 0);
	assert_false(vpasswd_parse(SPAN("a:x:1:0:b"), &u));
	assert_false(vpasswd_parse(SPAN("a:x:1:-1:b:/c:"), &u));
	assert_false(vpasswd_parse(SPAN("a:x:1:0:b:c:"), &u));
	assert_false(vpasswd_parse(SPAN(":x:1:0:b:/c:"), &u));
	assert_false(vpasswd_parse(SPAN(""), &u));
}

static void
quotas(void **state)
{
	struct quota q;

	(void)state;
	assert_false(quota_parse(SPAN("NOQUOTA"), &q));
	assert_false(quota_parse(SPAN(""), &q));
	assert_true(quota_parse(SPAN("1000S"), &q));
	assert_int_equal(q.octets, 1000);
	assert_true(quota_parse(SPAN("1000"), &q));
	assert_int_equal(q.octets, 1000);
	assert_true(quota_parse(SPAN("1000S,20C"), &q));
	assert_int_equal(q.messages, 20);
	assert_false(quota_parse(SPAN("99999999999999999999999S"), &q));
}

static void
maildir_sizes(void **state)
{
	struct quota q = {.octets = 1000}, few = {.messages = 2};

	(void)state;
	assert_false(maildirsize_over(SPAN("1000S\n"), &q));
	assert_false(maildirsize_over(SPAN("1000S\n600 1\n400 1\n"), &q));
	assert_true(maildirsize_over(SPAN("1000S\n600 1\n401 1\n"), &q));
	assert_false(maildirsize_over(SPAN("1000S\n600 1\n900 1\n-700 -1\n"), &q));
	assert_true(maildirsize_over(SPAN("2C\n1 1\n1 1\n1 1"), &few));
	assert_false(maildirsize_over(SPAN("2C\n1 1\n1 1\n"), &few));
	assert_false(maildirsize_over(SPAN("x\ny\n-- \n\n99999999999999999999999999999\n"), &few));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(users),
	    cmocka_unit_test(quotas),
	    cmocka_unit_test(maildir_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

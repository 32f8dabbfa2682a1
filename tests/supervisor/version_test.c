/* supervisor/version.h: the order of Debian's versions. What each row says dpkg --compare-versions says, too. */
#include "supervisor/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Each is older than the one below it. */
static const char *const ascending[] = {
    "~~",
    "~~a",
    "~",
    "0~rc1",
    "0",
    "0-1",
    "0.1",
    "1.0~beta1~svn1245",
    "1.0~beta1",
    "1.0",
    "1.0-1~deb12u1",
    "1.0-1~deb12u2",
    "1.0-1~deb12u10",
    "1.0-1",
    "1.0-1+b1",
    "1.0-1+b2",
    "1.0-1.1",
    "1.0a",
    "1.0+dfsg",
    "1.0.1",
    "1.2-1-1",
    "1.2-1-2",
    "1.9",
    "1.10",
    "2.36-9+deb12u4",
    "2.36-9+deb12u14",
    "3.0.17-1~deb12u2",
    "3.0.17-1~deb12u3",
    "3.0.18-1~deb12u1",
    "3.5.0-1",
    "20240101",
    "99999999999999999999999999",
    "100000000000000000000000000",
    "1:0.1",
    "1:1.0",
    "2:0~~",
    "10:0",
};

enum { ASCENDING = sizeof(ascending) / sizeof(ascending[0]) };

static int
sign(int order)
{
	return (order > 0) - (order < 0);
}

static void
test_order(void **state)
{
	(void)state;
	for (int i = 0; i < ASCENDING; i++)
		for (int j = 0; j < ASCENDING; j++)
			if (sign(version_compare(span_str(ascending[i]), span_str(ascending[j]))) !=
			    sign(i - j))
				fail_msg("%s and %s", ascending[i], ascending[j]);
}

static void
test_the_same(void **state)
{
	static const char *const pairs[][2] = {
	    {"", ""},
	    {"1.0", "1.0"},
	    {"1.0", "0:1.0"},
	    {"1.0", "00:1.0"},
	    {"1.0", "1.0-0"},
	    {"1.0", "1.00"},
	    {"1.01-02", "1.1-2"},
	    {"1.", "1.0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(version_compare(span_str(pairs[i][0]), span_str(pairs[i][1])), 0);
		assert_int_equal(version_compare(span_str(pairs[i][1]), span_str(pairs[i][0])), 0);
	}
}

/* Whatever the octets are, it ends, and one direction is the opposite of the other. */
static void
test_any_octets(void **state)
{
	static const char *const words[] = {"", ":", "-", ":-", "::", "--", "1:", ":1", "-1", "1-",
	    "a:b", "\xff", "1\xff:", "é~", "0000"};
	enum { WORDS = sizeof(words) / sizeof(words[0]) };

	(void)state;
	for (int i = 0; i < WORDS; i++)
		for (int j = 0; j < WORDS; j++)
			assert_int_equal(
			    sign(version_compare(span_str(words[i]), span_str(words[j]))),
			    -sign(version_compare(span_str(words[j]), span_str(words[i]))));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_the_same),
	    cmocka_unit_test(test_any_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

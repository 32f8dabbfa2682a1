#include "lib/domain_list.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const plain[] = {"lists.example.org", ".example.net"};
static const char *const valued[] = {".example.com=none", "mail.example.com=reject",
    ".sub.example.com=quarantine", "x.example=reject"};

static void
has(void **state)
{
	const struct conf_strings list = {2, plain}, empty = {0, NULL};

	(void)state;
	assert_true(domain_list_has(&list, SPAN("lists.example.org")));
	assert_false(domain_list_has(&list, SPAN("example.org")));
	assert_false(domain_list_has(&list, SPAN("x.lists.example.org")));
	assert_true(domain_list_has(&list, SPAN("example.net")));
	assert_true(domain_list_has(&list, SPAN("a.b.example.net")));
	assert_false(domain_list_has(&list, SPAN("notexample.net")));
	assert_false(domain_list_has(&list, SPAN("")));
	assert_false(domain_list_has(&empty, SPAN("example.net")));
}

static void
best_value(void **state)
{
	static const struct {
		const char *domain, *value;
	} rows[] = {
	    {"example.com", "none"},
	    {"a.example.com", "none"},
	    {"mail.example.com", "reject"},
	    {"x.mail.example.com", "none"},
	    {"sub.example.com", "quarantine"},
	    {"a.sub.example.com", "quarantine"},
	    {"x.example", "reject"},
	    {"y.example", ""},
	    {"com", ""},
	};
	const struct conf_strings list = {4, valued};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!span_eq(domain_list_value(&list, span_str(rows[i].domain)),
			span_str(rows[i].value)))
			fail_msg("%s", rows[i].domain);
}

static void
what_is_wrong(void **state)
{
	static const char *const values[] = {"none", "reject", NULL};
	static const struct {
		const char *element;
		bool valued, good;
	} rows[] = {
	    {"example.com", false, true},
	    {".example.com", false, true},
	    {"example.com=none", true, true},
	    {"..example.com", false, false},
	    {"", false, false},
	    {".", false, false},
	    {"a b", false, false},
	    {"example.com=none", false, false},
	    {"example.com", true, false},
	    {"example.com=", true, false},
	    {"example.com=None", true, false},
	    {"=none", true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const items[] = {"good.example=none", rows[i].element};
		const struct conf_strings list = {rows[i].valued ? 2 : 1, items + !rows[i].valued};
		size_t bad = 99;
		const char *why = domain_list_check(&list, rows[i].valued ? values : NULL, &bad);

		if ((why == NULL) != rows[i].good)
			fail_msg("%s: %s", rows[i].element, why);
		if (why != NULL)
			assert_int_equal(bad, rows[i].valued);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(has),
	    cmocka_unit_test(best_value),
	    cmocka_unit_test(what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

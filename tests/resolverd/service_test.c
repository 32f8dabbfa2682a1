/* Names as the resolving library is given them. */
#include "resolverd/service.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
presentation_rows(void **state)
{
	static const struct {
		struct span name;
		const char *text;
	} rows[] = {
	    {SPAN("a.example"), "a.example."},
	    {SPAN("_spf.A-1.example"), "_spf.A-1.example."},
	    {SPAN("a b.example"), "a\\032b.example."},
	    {SPAN("a\\046b.example"), "a\\092046b.example."},
	    {SPAN("a;\"(b.example"), "a\\059\\034\\040b.example."},
	    {SPAN("\xff@.example"), "\\255\\064.example."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t room[100];
		struct buf b = BUF_OVER(room);

		service_put_presentation(&b, rows[i].name);
		assert_false(b.full);
		assert_string_equal((const char *)room, rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(presentation_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

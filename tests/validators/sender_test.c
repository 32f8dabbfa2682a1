/* Whether a sender's domain takes mail: row 100. */
#include "validators/sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/validators/zone.h"

static const struct zone_record records[] = {
    {"mx.example", DNS_TYPE_MX, 10, SPAN("mail.mx.example")},
    {"null.example", DNS_TYPE_MX, 0, {(const uint8_t *)"", 0}},
    {"two.example", DNS_TYPE_MX, 0, {(const uint8_t *)"", 0}},
    {"two.example", DNS_TYPE_MX, 10, SPAN("mail.two.example")},
    {"v4.example", DNS_TYPE_A, 0, SPAN("\300\0\2\1")},
    {"v6.example", DNS_TYPE_AAAA, 0, SPAN("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1")},
    {"text.example", DNS_TYPE_TXT, 0, SPAN("nothing")},
    {"down.example", ZONE_TIMEOUT, 0, {NULL, 0}},
    {"xn--bcher-kva.example", DNS_TYPE_MX, 10, SPAN("mail.mx.example")},
};

static void
row_100_domains(void **state)
{
	static const struct {
		const char *reverse_path;
		enum sender_domain result;
	} rows[] = {
	    {"", SENDER_UNCHECKED},
	    {"a@[192.0.2.1]", SENDER_UNCHECKED},
	    {"a@mx.example", SENDER_GOOD},
	    {"\"a@b\"@mx.example", SENDER_GOOD},
	    {"a@b\xc3\xbc"
	     "cher.example",
		SENDER_GOOD},
	    {"a@v4.example", SENDER_GOOD},
	    {"a@v6.example", SENDER_GOOD},
	    {"a@null.example", SENDER_NULL_MX},
	    {"a@two.example", SENDER_GOOD},
	    {"a@text.example", SENDER_UNKNOWN},
	    {"a@none.example", SENDER_UNKNOWN},
	    {"a@down.example", SENDER_TROUBLE},
	};
	struct zone zone = {.records = records, .count = sizeof(records) / sizeof(records[0])};
	struct resolver resolver = {.ask = zone_ask, .arg = &zone};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (sender_check(span_str(rows[i].reverse_path), &resolver) != rows[i].result)
			fail_msg("%s", rows[i].reverse_path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(row_100_domains)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

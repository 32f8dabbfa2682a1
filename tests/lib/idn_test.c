#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/idn.h"

static const struct {
	const char *name;
	struct span domain;
	enum idn_status status;
	struct span ascii;
} rows[] = {
    {"ascii", SPAN("example.com"), IDN_OK, SPAN("example.com")},
    {"ascii as it is", SPAN("_x.Example..COM"), IDN_OK, SPAN("_x.Example..COM")},
    {"literal", SPAN("[IPv6:2001:db8::1]"), IDN_OK, SPAN("[IPv6:2001:db8::1]")},
    {"empty", SPAN(""), IDN_OK, SPAN("")},
    {"u-label",
	SPAN("b\xc3\xbc"
	     "cher.example"),
	IDN_OK, SPAN("xn--bcher-kva.example")},
    {"upper case",
	SPAN("B\xc3\x9c"
	     "CHER.Example"),
	IDN_OK, SPAN("xn--bcher-kva.example")},
    {"decomposed",
	SPAN("bu\xcc\x88"
	     "cher.example"),
	IDN_OK, SPAN("xn--bcher-kva.example")},
    {"sharp s", SPAN("fa\xc3\x9f.example"), IDN_OK, SPAN("xn--fa-hia.example")},
    {"mixed", SPAN("xn--bcher-kva.\xc3\xbc"), IDN_OK, SPAN("xn--bcher-kva.xn--tda")},
    {"symbol", SPAN("a\xe2\x82\xac b.example"), IDN_BAD, SPAN("")},
    {"not UTF-8", SPAN("\xff.example"), IDN_BAD, SPAN("")},
    {"control", SPAN("a\xc2\x85.example"), IDN_BAD, SPAN("")},
    {"NUL", SPAN("\xc3\xbc\0.example"), IDN_BAD, SPAN("")},
    {"empty label", SPAN("\xc3\xbc..example"), IDN_BAD, SPAN("")},
    {"hyphen", SPAN("-\xc3\xbc.example"), IDN_BAD, SPAN("")},
};

static void
names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t room[256];
		struct buf b = BUF_OVER(room);

		if (idn_to_ascii(rows[i].domain, &b) != rows[i].status ||
		    !span_eq(buf_span(&b), rows[i].ascii)) {
			print_error("%s: %.*s\n", rows[i].name, (int)b.len, (char *)room);
			fail();
		}
	}
}

static void
lengths(void **state)
{
	uint8_t text[300], room[256];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 2) {
		text[i] = 0xc3;
		text[i + 1] = 0xbc;
	}
	for (size_t len = 2; len <= sizeof(text); len += 2) {
		struct buf b = BUF_OVER(room);
		enum idn_status status = idn_to_ascii(span_of(text, len), &b);

		assert_int_equal(status, b.len > 0 ? IDN_OK : IDN_BAD);
		assert_true(b.len <= 63);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

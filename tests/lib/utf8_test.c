#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/utf8.h"

/* RFC 3629 4, the table as it stands. Returns: octets of a character of that many, or 0. */
static size_t
by_the_table(const uint8_t *p, size_t len)
{
	static const struct {
		size_t len;
		uint8_t least[4], most[4];
	} rows[] = {
	    {1, {0}, {0x7f}},
	    {2, {0xc2, 0x80}, {0xdf, 0xbf}},
	    {3, {0xe0, 0xa0, 0x80}, {0xe0, 0xbf, 0xbf}},
	    {3, {0xe1, 0x80, 0x80}, {0xec, 0xbf, 0xbf}},
	    {3, {0xed, 0x80, 0x80}, {0xed, 0x9f, 0xbf}},
	    {3, {0xee, 0x80, 0x80}, {0xef, 0xbf, 0xbf}},
	    {4, {0xf0, 0x90, 0x80, 0x80}, {0xf0, 0xbf, 0xbf, 0xbf}},
	    {4, {0xf1, 0x80, 0x80, 0x80}, {0xf3, 0xbf, 0xbf, 0xbf}},
	    {4, {0xf4, 0x80, 0x80, 0x80}, {0xf4, 0x8f, 0xbf, 0xbf}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = 0;

		while (n < rows[i].len && n < len && p[n] >= rows[i].least[n] &&
		       p[n] <= rows[i].most[n])
			n++;
		if (n == rows[i].len)
			return n;
	}
	return 0;
}

/* Octets at the borders of all ranges. */
static const uint8_t octets[] = {0x00, 0x1f, 0x41, 0x7e, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
    0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};

enum { OCTETS = sizeof(octets) };

static void
row_095_every_sequence_of_borders(void **state)
{
	(void)state;
	for (size_t i = 0; i < (size_t)OCTETS * OCTETS * OCTETS * OCTETS; i++) {
		uint8_t p[4] = {
			octets[i % OCTETS],
			octets[i / OCTETS % OCTETS],
			octets[i / OCTETS / OCTETS % OCTETS],
			octets[i / OCTETS / OCTETS / OCTETS % OCTETS]
		};

		for (size_t len = 1; len <= 4; len++)
			assert_true(utf8_char(span_of(p, len)) == by_the_table(p, len));
	}
	assert_int_equal(utf8_char(span_of(NULL, 0)), 0);
}

static void
controls_are_not_printable(void **state)
{
	(void)state;
	assert_true(utf8_printable(SPAN("")));
	assert_true(utf8_printable(SPAN("a b~\xc2\xa0\xe2\x82\xac\xf0\x9f\x98\x80")));
	assert_false(utf8_printable(SPAN("a\x1f")));
	assert_false(utf8_printable(SPAN("a\0b")));
	assert_false(utf8_printable(SPAN("\x7f")));
	assert_false(utf8_printable(SPAN("\xc2\x80")));
	assert_false(utf8_printable(SPAN("\xc2\x9f")));
	assert_false(utf8_printable(SPAN("\xc2")));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_095_every_sequence_of_borders),
	    cmocka_unit_test(controls_are_not_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

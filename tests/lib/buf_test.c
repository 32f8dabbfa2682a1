#include "lib/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ROOM = 24 }; /* three words, so that every octet stands at every place of one */

/* Each octet alone among others, at each place of texts of each length. */
static void
lower_case_is_that_of_each_octet(void **state)
{
	static const uint8_t around[] = {0, 'Z', 0x80, 0xff};
	uint8_t text[ROOM], out[ROOM];

	(void)state;
	for (size_t len = 1; len <= ROOM; len++)
		for (unsigned octet = 0; octet < 256; octet++) {
			struct buf b = buf_over(out, len);
			size_t at = octet % len;

			memset(text, around[octet / 64], len);
			text[at] = (uint8_t)octet;
			buf_put_lower(&b, span_of(text, len));
			assert_int_equal(b.len, len);
			for (size_t i = 0; i < len; i++)
				assert_int_equal(out[i], ascii_lower(text[i]));
		}
}

static void
what_does_not_fit_is_not_written(void **state)
{
	uint8_t octets[10] = {0};
	struct buf b = buf_over(octets, 3);

	(void)state;
	buf_put_u16(&b, 0x0201);
	buf_put_u32(&b, 0xffffffff);
	assert_true(b.full);
	buf_put_u8(&b, 3);
	buf_put_lower(&b, SPAN("A"));
	assert_int_equal(b.len, 2);
	assert_memory_equal(octets, "\1\2\0\0", 4);
}

static void
numbers_are_little_endian(void **state)
{
	uint8_t octets[15];
	struct buf b = BUF_OVER(octets);
	struct cursor c;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	(void)state;
	buf_put_u8(&b, 0x01);
	buf_put_u16(&b, 0x0302);
	buf_put_u32(&b, 0x07060504);
	buf_put_u64(&b, 0x0f0e0d0c0b0a0908);
	assert_false(b.full);
	for (size_t i = 0; i < sizeof(octets); i++)
		assert_int_equal(octets[i], i + 1);
	c = cursor_over(buf_span(&b));
	assert_true(cursor_u8(&c, &u8) && cursor_u16(&c, &u16) && cursor_u32(&c, &u32));
	assert_true(cursor_u64(&c, &u64) && c.left == 0);
	assert_true(u8 == 1 && u16 == 0x0302 && u32 == 0x07060504 && u64 == 0x0f0e0d0c0b0a0908);
}

/* A cursor that fails does not move. */
static void
too_few_octets_move_no_cursor(void **state)
{
	struct cursor c = cursor_over(SPAN("\1"));
	struct span s;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	(void)state;
	assert_false(cursor_u16(&c, &u16) || cursor_u32(&c, &u32) || cursor_u64(&c, &u64) ||
		     cursor_bytes(&c, 2, &s));
	assert_int_equal(c.left, 1);
	assert_true(cursor_u8(&c, &u8));
	assert_false(cursor_u8(&c, &u8));
}

static void
ascii_is_seen_at_every_place(void **state)
{
	uint8_t text[ROOM];

	(void)state;
	memset(text, 0x7f, sizeof(text));
	for (size_t len = 0; len <= ROOM; len++) {
		assert_true(span_is_ascii(span_of(text, len)));
		for (size_t i = 0; i < len; i++) {
			text[i] = 0x80;
			assert_false(span_is_ascii(span_of(text, len)));
			text[i] = 0x7f;
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lower_case_is_that_of_each_octet),
	    cmocka_unit_test(what_does_not_fit_is_not_written),
	    cmocka_unit_test(numbers_are_little_endian),
	    cmocka_unit_test(too_few_octets_move_no_cursor),
	    cmocka_unit_test(ascii_is_seen_at_every_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

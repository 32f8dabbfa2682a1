#include "lookupd/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { RECORDS = 200000 }; /* several chunks */

static struct span
name(unsigned i, char text[40])
{
	return span_of(
	    text, (size_t)snprintf(text, 40, "%.*s%u", (int)(i % 17), "aaaaaaaaaaaaaaaaa", i));
}

static void
finds_each_in_its_order_and_nothing_else(void **state)
{
	static const char *const sources[] = {"one", "two"};
	struct records r;
	struct records_at at = {0};
	struct place place, first;
	struct span value;
	char text[40];

	(void)state;
	records_init(&r);
	assert_false(records_next(&r, &at));
	assert_false(records_get(&r, SPAN("x"), NULL, NULL));
	for (unsigned i = 0; i < RECORDS; i++) {
		place = (struct place){sources[i % 2], i};
		assert_int_equal(records_add(&r, name(i, text),
				     i % 3 == 0 ? SPAN("\1\1\0") : SPAN(""), place, &first),
		    RECORDS_ADDED);
		if (i % 1000 == 0)
			assert_int_equal(records_keep(&r, SPAN("kept")).len, 4);
	}
	for (unsigned i = 0; i < RECORDS; i++) {
		assert_true(records_get(&r, name(i, text), &value, &place));
		assert_int_equal(value.len, i % 3 == 0 ? 3 : 0);
		assert_string_equal(place.source, sources[i % 2]);
		assert_int_equal(place.line, i);
		assert_true(records_next(&r, &at));
		assert_true(span_eq(at.key, name(i, text)));
		assert_int_equal(at.value.len, value.len);
		assert_int_equal(at.place.line, i);
	}
	assert_false(records_next(&r, &at));
	assert_false(records_get(&r, SPAN("b"), NULL, NULL));
	assert_int_equal(r.count, RECORDS);
	/* A value that most records share is there once. */
	assert_int_equal(r.values.used, 2);
	records_clear(&r);
}

static void
says_where_it_was_said_first(void **state)
{
	struct records r;
	struct place first;

	(void)state;
	records_init(&r);
	records_add(&r, SPAN("k"), SPAN("v"), (struct place){"a", 3}, &first);
	assert_int_equal(
	    records_add(&r, SPAN("k"), SPAN("v"), (struct place){"b", 4}, &first), RECORDS_SAME);
	assert_string_equal(first.source, "a");
	assert_int_equal(first.line, 3);
	assert_int_equal(records_add(&r, SPAN("k"), SPAN("w"), (struct place){"b", 5}, &first),
	    RECORDS_CONFLICT);
	assert_int_equal(first.line, 3);
	assert_int_equal(r.count, 1);
	records_clear(&r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_each_in_its_order_and_nothing_else),
	    cmocka_unit_test(says_where_it_was_said_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

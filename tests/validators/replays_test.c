/* Row 240: one signed message for many recipients is noticed, and forgotten after an hour. */
#include "validators/replays.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct replays replays;

static int
forget(void **state)
{
	(void)state;
	memset(&replays, 0, sizeof(replays));
	return 0;
}

static uint64_t
note_one(const char *domain, const char *tag, unsigned recipients, uint64_t now_ms)
{
	struct msg_dkim_result s = {.domain = span_str(domain),
	    .selector = SPAN("sel"),
	    .result = AUTH_PASS,
	    .tag = span_str(tag)};

	return replays_note(&replays, &s, recipients, now_ms);
}

static void
row_240_told_at_each_doubling(void **state)
{
	unsigned told = 0;
	uint64_t last = 0;

	(void)state;
	for (unsigned i = 1; i <= 100000; i++) {
		uint64_t n = note_one("a.example", "abcdefgh", 1, 5);

		if (n == 0)
			continue;
		told++;
		assert_int_equal(n, i);
		assert_int_equal(n, last == 0 ? 100 : 2 * last);
		last = n;
	}
	assert_int_equal(told, 10); /* 100 to 51,200 */
}

static void
row_240_recipients_count(void **state)
{
	(void)state;
	assert_int_equal(note_one("a.example", "abcdefgh", 99, 5), 0);
	assert_int_equal(note_one("a.example", "abcdefgh", 1000, 5), 1099);
	assert_int_equal(note_one("a.example", "abcdefgh", 500, 5), 0);
	assert_int_equal(note_one("a.example", "abcdefgh", 1, 5), 1600);
}

static void
row_240_others_are_others(void **state)
{
	(void)state;
	assert_int_equal(note_one("a.example", "abcdefgh", 99, 5), 0);
	assert_int_equal(note_one("b.example", "abcdefgh", 99, 5), 0);
	assert_int_equal(note_one("a.example", "abcdefgi", 99, 5), 0);
	assert_int_equal(note_one("a.example", "abcdefgh", 1, 5), 100);
}

static void
row_240_forgotten(void **state)
{
	(void)state;
	assert_int_equal(note_one("a.example", "abcdefgh", 99, 5), 0);
	assert_int_equal(note_one("a.example", "abcdefgh", 99, 5 + REPLAYS_WINDOW_MS), 0);
	assert_int_equal(note_one("a.example", "abcdefgh", 1, 6 + REPLAYS_WINDOW_MS), 100);
}

/* Ever new signatures do not push out the one that comes often. */
static void
row_240_table_is_bounded(void **state)
{
	char tag[16];

	(void)state;
	assert_int_equal(note_one("a.example", "abcdefgh", 50, 5), 0);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(tag, sizeof(tag), "%x", i);
		note_one("b.example", tag, 1, 6);
	}
	assert_int_equal(note_one("a.example", "abcdefgh", 50, 7), 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(row_240_told_at_each_doubling, forget),
	    cmocka_unit_test_setup(row_240_recipients_count, forget),
	    cmocka_unit_test_setup(row_240_others_are_others, forget),
	    cmocka_unit_test_setup(row_240_forgotten, forget),
	    cmocka_unit_test_setup(row_240_table_is_bounded, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "lib/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned
taken(struct bucket *b, uint64_t now_ms)
{
	unsigned n = 0;

	while (bucket_has(b, now_ms)) {
		bucket_take(b);
		n++;
	}
	return n;
}

static void
burst_then_rate(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 100, 500, 1000);
	assert_int_equal(taken(&b, 1000), 500);
	assert_int_equal(taken(&b, 1009), 0);
	assert_int_equal(taken(&b, 1010), 1);
	assert_int_equal(taken(&b, 1019), 0); /* nothing is lost between refills */
	assert_int_equal(taken(&b, 1020), 1);
	assert_int_equal(taken(&b, 2020), 100);
	assert_int_equal(taken(&b, 1000000), 500);
	assert_int_equal(taken(&b, UINT64_MAX), 500);
	assert_int_equal(taken(&b, 0), 0); /* a clock that went back gives nothing */
	bucket_take(&b);
	assert_int_equal(taken(&b, 10), 1);
	bucket_return(&b);
	assert_int_equal(taken(&b, 10), 1);
	bucket_init(&b, 100, 500, 1000);
	bucket_return(&b); /* never more than the burst */
	assert_int_equal(taken(&b, 1000), 500);
}

static void
spending_takes_what_is_there(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 2, 3, 1000);
	for (int i = 0; i < 3; i++)
		assert_true(bucket_spend(&b, 1000));
	assert_false(bucket_spend(&b, 1000));
	assert_false(bucket_spend(&b, 1499));
	assert_true(bucket_spend(&b, 1500));
	assert_false(bucket_spend(&b, 1500));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(burst_then_rate),
	    cmocka_unit_test(spending_takes_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

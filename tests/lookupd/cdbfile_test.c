#include "lookupd/cdbfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/lookupd/databases.h"

static struct octets
made(unsigned records)
{
	int fd = memfd_create("cdb", MFD_CLOEXEC);
	struct cdbfile_maker *m = cdbfile_maker_new(fd);
	struct octets o;

	assert_non_null(m);
	for (unsigned i = 0; i < records; i++) {
		char key[32];
		int n = snprintf(key, sizeof(key), "key%u", i);

		assert_int_equal(
		    cdbfile_maker_add(m, span_of(key, (size_t)n), span_of(key + 3, (size_t)n - 3)),
		    0);
	}
	assert_int_equal(cdbfile_maker_finish(&m), 0);
	o = octets_of_fd(fd);
	close(fd);
	return o;
}

static void
there_and_back(void **state)
{
	struct octets o = made(3000);
	struct cdbfile c;
	struct cdbfile_check check;
	struct span key, value;
	uint32_t at = CDBFILE_HEAD;
	unsigned records = 0;

	(void)state;
	assert_true(cdbfile_over(&c, span_of(o.p, o.len)));
	assert_int_equal(cdbfile_get(&c, SPAN("key2999"), &value), CDBFILE_FOUND);
	assert_true(span_eq(value, SPAN("2999")));
	assert_int_equal(cdbfile_get(&c, SPAN("key3000"), &value), CDBFILE_NONE);
	assert_int_equal(cdbfile_get(&c, SPAN(""), &value), CDBFILE_NONE);
	while (cdbfile_next(&c, &at, &key, &value) == CDBFILE_FOUND)
		records++;
	assert_int_equal(records, 3000);
	cdbfile_check_init(&check, &c);
	for (unsigned t = 0; t < CDBFILE_TABLES; t++)
		assert_null(cdbfile_check_table(&check, &c, 1024));
	assert_int_equal(check.used, 3000);
	free(o.p);
}

/* Runs of used slots are harmless as long as the keys in them have different hash values. */
static void
keys_of_one_hash_are_counted(void **state)
{
	struct octets o = made(5000);
	struct cdbfile c;
	uint32_t least = 0;

	(void)state;
	assert_true(cdbfile_over(&c, span_of(o.p, o.len)));
	for (uint32_t most = 0; least == 0 && most < 5000; most++) {
		struct cdbfile_check check;
		bool good = true;

		cdbfile_check_init(&check, &c);
		for (unsigned t = 0; good && t < CDBFILE_TABLES; t++)
			good = cdbfile_check_table(&check, &c, most) == NULL;
		if (good)
			least = most;
	}
	assert_in_range(least, 1, 3);
	free(o.p);
}

static void
lengths_that_lie(void **state)
{
	struct octets o = made(1);
	struct cdbfile c;
	struct span key, value;
	uint32_t at;

	(void)state;
	assert_false(cdbfile_over(&c, span_of(o.p, 2047)));
	for (size_t i = 0; i < 8; i++) {
		struct octets bad = octets_copy(o, o.len);

		bad.p[2048 + i] ^= 0x80;
		at = CDBFILE_HEAD;
		assert_true(cdbfile_over(&c, span_of(bad.p, bad.len)));
		assert_int_not_equal(cdbfile_next(&c, &at, &key, &value), CDBFILE_NONE);
		assert_int_not_equal(cdbfile_get(&c, SPAN("key0"), &value), CDBFILE_FOUND);
		free(bad.p);
	}
	free(o.p);
}

static void
a_maker_given_up_leaks_nothing(void **state)
{
	int fd = memfd_create("cdb", MFD_CLOEXEC);
	struct cdbfile_maker *m = cdbfile_maker_new(fd);

	(void)state;
	assert_int_equal(cdbfile_maker_add(m, SPAN("k"), SPAN("v")), 0);
	cdbfile_maker_free(&m);
	cdbfile_maker_free(&m);
	assert_null(m);
	close(fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_and_back),
	    cmocka_unit_test(keys_of_one_hash_are_counted),
	    cmocka_unit_test(lengths_that_lie),
	    cmocka_unit_test(a_maker_given_up_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

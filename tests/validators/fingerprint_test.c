#include "validators/fingerprint.h"

#include "validators/counters.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;
static struct fingerprints fs;

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	memset(&fs, 0, sizeof(fs));
	fingerprints_init(&fs, loop);
	return loop != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	fingerprints_clear(&fs);
	loop_free(&loop);
	return 0;
}

static void
run(void)
{
	for (int i = 0; i < 100; i++)
		loop_turn(loop, false);
}

/* Everything, from the start, whatever the offset of the descriptor is. */
static void
row_248_hash_of_a_file(void **state)
{
	enum { SIZE = 3 * FINGERPRINT_PIECE + 17 };
	static uint8_t content[SIZE];
	uint8_t expected[DIGEST_LEN];
	struct digest d;
	int fd = memfd_create("content", MFD_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		content[i] = (uint8_t)(i * 31 >> 3);
	assert_int_equal(write(fd, content, SIZE), SIZE);
	digest_init(&d);
	digest_update(&d, span_of(content, SIZE));
	digest_final(&d, expected);
	fingerprint(&fs, SPAN("ID345678"), fd, SIZE, span_of(NULL, 0));
	assert_int_equal(fs.kept[0].times, 0); /* a piece in each turn */
	close(fd);
	run();
	assert_int_equal(fs.kept[0].times, 1);
	assert_memory_equal(fs.kept[0].hash, expected, DIGEST_LEN);
	assert_false(fs.running[0].used);
	/* the same inline */
	fingerprint(&fs, SPAN("ID345679"), -1, SIZE, span_of(content, SIZE));
	assert_int_equal(fs.kept[0].times, 2);
	assert_int_equal(fs.kept[1].times, 0);
}

static void
what_is_kept_is_bounded(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < FINGERPRINTS_KEPT + 5; i++)
		fingerprint(&fs, SPAN("ID345678"), -1, 1, span_of(&i, 1));
	for (size_t i = 0; i < FINGERPRINTS_KEPT; i++)
		assert_int_equal(fs.kept[i].times, 1);
}

static void
too_many_at_once(void **state)
{
	int fd = memfd_create("content", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(write(fd, "x", 1), 1);
	for (int i = 0; i < FINGERPRINTS_MAX + 3; i++)
		fingerprint(&fs, SPAN("ID345678"), fd, 1, span_of(NULL, 0));
	close(fd);
	run();
	assert_int_equal(fs.kept[0].times, FINGERPRINTS_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(row_248_hash_of_a_file),
	    TEST(what_is_kept_is_bounded),
	    TEST(too_many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

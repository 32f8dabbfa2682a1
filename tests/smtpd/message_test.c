/* Storage of a message: buffer, memory file, seals, budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "smtpd/message.h"

static uint8_t pattern[3 * 1024 * 1024];

/* Stores so many octets in such pieces, and reads them back. */
static void
round_trip(size_t size, size_t piece)
{
	struct pool pool;
	struct budget budget = {.total = 16 * 1024 * 1024};
	struct message m;

	pool_init(&pool, MESSAGE_INLINE, 4);
	message_init(&m, &pool, &budget);
	for (size_t at = 0; at < size; at += piece)
		assert_true(message_put(&m, span_head(span_of(pattern + at, size - at), piece)));
	assert_true(message_seal(&m));
	assert_int_equal(message_size(&m), size);
	assert_true(budget.used >= size);
	if (size <= MESSAGE_INLINE) {
		assert_true(span_eq(message_inline(&m), span_of(pattern, size)));
		assert_int_equal(message_take_fd(&m), -1);
	} else {
		uint8_t *got = malloc(size + 1);
		int fd = message_take_fd(&m);

		assert_non_null(got);
		assert_int_equal(message_inline(&m).len, 0);
		assert_int_equal(pread(fd, got, size + 1, 0), size);
		assert_memory_equal(got, pattern, size);
		assert_int_equal(fcntl(fd, F_GET_SEALS),
		    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
		assert_int_equal(pwrite(fd, "x", 1, 0), -1);
		assert_int_equal(ftruncate(fd, 1), -1);
		close(fd);
		free(got);
	}
	message_release(&m);
	assert_true(size == 0 || budget.used > 0);
	message_clear(&m);
	assert_int_equal(budget.used, 0);
	assert_int_equal(pool.taken, 0);
	pool_clear(&pool);
}

static void
every_size_and_piece(void **state)
{
	static const size_t sizes[] = {0, 1, 1024, MESSAGE_INLINE - 1, MESSAGE_INLINE,
	    MESSAGE_INLINE + 1, 2 * MESSAGE_INLINE, 100000, sizeof(pattern)};
	static const size_t pieces[] = {
	    1021, MESSAGE_INLINE - 1, MESSAGE_INLINE, MESSAGE_INLINE + 1, 128 * 1024};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++)
			round_trip(sizes[i], pieces[k]);
	round_trip(20000, 1);
}

static void
row_309_row_310_budget(void **state)
{
	struct pool pool;
	struct budget budget = {.total = 1000000};
	struct message a, b;

	(void)state;
	pool_init(&pool, MESSAGE_INLINE, 4);
	message_init(&a, &pool, &budget);
	message_init(&b, &pool, &budget);
	assert_true(message_reserve(&a, 900000));
	assert_false(message_reserve(&b, 100001));
	assert_int_equal(budget.used, 900000);
	assert_true(message_put(&b, span_of(pattern, 1000)));
	assert_true(message_put(&a, span_of(pattern, 500000)));
	assert_int_equal(budget.used, 900000 + MESSAGE_INLINE);
	assert_false(message_put(&b, span_of(pattern, 100000)));
	message_clear(&a);
	assert_true(message_put(&b, span_of(pattern, 100000)));
	message_clear(&b);
	assert_int_equal(budget.used, 0);
	assert_false(budget_has(&budget, UINT64_MAX));
	pool_clear(&pool);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_size_and_piece),
	    cmocka_unit_test(row_309_row_310_budget),
	};

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 31 + i / 251);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

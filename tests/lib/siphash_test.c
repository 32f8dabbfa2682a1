#include "lib/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Of the reference implementation: key 00..0f, input 00..(len-1). */
static void
vectors_of_the_reference(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {
	    {0, UINT64_C(0x726fdb47dd0e0e31)},
	    {1, UINT64_C(0x74f839c593dc67fd)},
	    {7, UINT64_C(0xab0200f58b01d137)},
	    {8, UINT64_C(0x93f5f5799a932462)},
	    {15, UINT64_C(0xa129ca6149be45e5)},
	};
	uint8_t key[SIPHASH_KEY_LEN], input[16];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = input[i] = i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(siphash(key, span_of(input, rows[i].len)) == rows[i].hash);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(vectors_of_the_reference)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

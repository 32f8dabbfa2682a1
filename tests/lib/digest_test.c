#include "lib/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* FIPS 180-2 B.1 and B.2 */
static void
sha256_known_answers(void **state)
{
	static const struct {
		struct span in;
		const char *out;
	} rows[] = {
	    {{(const uint8_t *)"", 0},
		"\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24"
		"\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55"},
	    {{(const uint8_t *)"abc", 3},
		"\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
		"\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad"},
	};
	uint8_t out[DIGEST_LEN];
	struct digest d;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		digest_init(&d);
		for (size_t k = 0; k < rows[i].in.len; k++)
			digest_update(&d, span_of(rows[i].in.p + k, 1));
		digest_final(&d, out);
		assert_memory_equal(out, rows[i].out, DIGEST_LEN);
	}
}

/* RFC 4231 4.3 */
static void
hmac_known_answer_and_reuse(void **state)
{
	static const char expected[] =
	    "\x5b\xdc\xc1\x46\xbf\x60\x75\x4e\x6a\x04\x24\x26\x08\x95\x75\xc7"
	    "\x5a\x00\x3f\x08\x9d\x27\x39\x83\x9d\xec\x58\xb9\x64\xec\x38\x43";
	uint8_t out[DIGEST_LEN];
	struct mac prepared, copy;

	(void)state;
	mac_init(&prepared, SPAN("Jefe"));
	for (int i = 0; i < 3; i++) {
		copy = prepared;
		mac_update(&copy, SPAN("what do ya want "));
		mac_update(&copy, SPAN("for nothing?"));
		mac_final(&copy, out);
		assert_memory_equal(out, expected, DIGEST_LEN);
	}
}

static void
equal_looks_at_every_octet(void **state)
{
	uint8_t a[32] = {0}, b[32] = {0};

	(void)state;
	assert_true(digest_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(b); i++) {
		b[i] = 1;
		assert_false(digest_equal(a, b, sizeof(a)));
		b[i] = 0;
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sha256_known_answers),
	    cmocka_unit_test(hmac_known_answer_and_reuse),
	    cmocka_unit_test(equal_looks_at_every_octet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

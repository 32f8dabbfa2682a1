#include "lib/grant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key_octets[GRANT_KEY_LEN] = "0123456789abcdef0123456789abcdef";

static const struct grant_terms base = {
    .instance = 7,
    .transaction = 8,
    .recipient = {(const uint8_t *)"alice@example.com", 17},
    .route = {(const uint8_t *)"mailstore", 9},
    .class = {(const uint8_t *)"staff", 5},
    .size_limit = 9,
    .generation = 10,
    .expiry = 11,
};

static struct grant_key *key;
static uint8_t grant[GRANT_LEN];

static int
make_grant(void **state)
{
	(void)state;
	key = grant_key_new(key_octets);
	if (key == NULL)
		return -1;
	grant_make(key, &base, grant);
	return 0;
}

static int
free_key(void **state)
{
	(void)state;
	grant_key_free(&key);
	grant_key_free(&key);
	return 0;
}

static void
holds_for_its_terms_again_and_again(void **state)
{
	uint8_t again[GRANT_LEN];

	(void)state;
	for (int i = 0; i < 3; i++) {
		grant_make(key, &base, again);
		assert_memory_equal(again, grant, GRANT_LEN);
		assert_true(grant_check(key, &base, grant));
	}
}

static void
every_term_is_bound(void **state)
{
	struct grant_terms t[9];

	(void)state;
	for (size_t i = 0; i < 9; i++)
		t[i] = base;
	t[0].instance++;
	t[1].transaction++;
	t[2].recipient = SPAN("Alice@example.com");
	t[3].route = SPAN("mailstorf");
	t[4].class = SPAN("");
	t[5].size_limit = 0;
	t[6].generation--;
	t[7].expiry++;
	t[8].exempt = 1;
	for (size_t i = 0; i < 9; i++)
		assert_false(grant_check(key, &t[i], grant));
}

/* The same octets, cut otherwise, are other terms. */
static void
octets_do_not_wander_between_terms(void **state)
{
	struct grant_terms t = base;

	(void)state;
	t.recipient = SPAN("alice@example.co");
	t.route = SPAN("mmailstore");
	assert_false(grant_check(key, &t, grant));
	t = base;
	t.route = SPAN("mailstoresta");
	t.class = SPAN("ff");
	assert_false(grant_check(key, &t, grant));
	t.route = SPAN("");
	t.class = SPAN("mailstorestaff");
	assert_false(grant_check(key, &t, grant));
}

static void
every_bit_of_the_grant_counts(void **state)
{
	uint8_t bad[GRANT_LEN];

	(void)state;
	for (size_t bit = 0; bit < 8 * GRANT_LEN; bit++) {
		memcpy(bad, grant, sizeof(bad));
		bad[bit / 8] = (uint8_t)(bad[bit / 8] ^ 1u << (bit % 8));
		assert_false(grant_check(key, &base, bad));
	}
	memset(bad, 0, sizeof(bad));
	assert_false(grant_check(key, &base, bad));
}

static void
another_key_makes_another_grant(void **state)
{
	uint8_t other_octets[GRANT_KEY_LEN];
	struct grant_key *other;

	(void)state;
	memcpy(other_octets, key_octets, sizeof(other_octets));
	other_octets[31] ^= 1;
	other = grant_key_new(other_octets);
	assert_non_null(other);
	assert_false(grant_check(other, &base, grant));
	grant_key_free(&other);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(holds_for_its_terms_again_and_again),
	    cmocka_unit_test(every_term_is_bound),
	    cmocka_unit_test(octets_do_not_wander_between_terms),
	    cmocka_unit_test(every_bit_of_the_grant_counts),
	    cmocka_unit_test(another_key_makes_another_grant),
	};

	return cmocka_run_group_tests(tests, make_grant, free_key);
}

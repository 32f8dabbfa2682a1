#include "queue-handoff/grants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int
setup(void **state)
{
	*state = grants_window_new();
	return *state != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	struct grants_window *w = *state;

	grants_window_free(&w);
	return 0;
}

static void
each_number_once(void **state)
{
	struct grants_window *w = *state;

	for (uint64_t n = 0; n < 1000; n += 3)
		assert_true(grants_spend(w, n));
	for (uint64_t n = 0; n < 1000; n++)
		assert_int_equal(grants_spend(w, n), n % 3 != 0);
	for (uint64_t n = 0; n < 1000; n++)
		assert_false(grants_spend(w, n));
}

static void
window_moves(void **state)
{
	struct grants_window *w = *state;
	const uint64_t n = GRANTS_WINDOW;

	assert_true(grants_spend(w, 5));
	assert_true(grants_spend(w, n + 4)); /* the last number with which 5 is still known */
	assert_false(grants_spend(w, 5));
	assert_false(grants_spend(w, 4)); /* too old */
	assert_true(grants_spend(w, 6));
	assert_true(grants_spend(w, n + 5)); /* the place of 5 again */
	assert_false(grants_spend(w, n + 5));
	assert_false(grants_spend(w, 5));
	assert_true(grants_spend(w, n + 6));
	assert_false(grants_spend(w, 6));
}

static void
far_jumps(void **state)
{
	struct grants_window *w = *state;

	assert_true(grants_spend(w, 7));
	assert_true(grants_spend(w, UINT64_C(1) << 60));
	assert_false(grants_spend(w, UINT64_C(1) << 60));
	assert_false(grants_spend(w, 7));
	assert_true(grants_spend(w, (UINT64_C(1) << 60) - 1));
	assert_true(grants_spend(w, UINT64_MAX - 1));
	assert_false(grants_spend(w, UINT64_MAX - 1));
	assert_false(grants_spend(w, UINT64_MAX));
	grants_window_reset(w);
	assert_true(grants_spend(w, 7));
}

/* Against an array that remembers everything. */
static void
random_order(void **state)
{
	struct grants_window *w = *state;
	static bool spent[100000];
	uint32_t x = 1;

	for (int i = 0; i < 300000; i++) {
		uint64_t n;

		x = x * 1664525 + 1013904223;
		n = x % 100000;
		assert_int_equal(grants_spend(w, n), !spent[n]);
		spent[n] = true;
	}
}

/* ---- the checks of a message ---- */

struct message {
	struct grant_key *key;
	uint8_t list[512];
	struct msg_deliver m;
	struct msg_granted g;
};

static void
message_seal(struct message *t)
{
	struct grant_terms terms = {
	    .instance = 3,
	    .transaction = t->m.transaction,
	    .recipient = t->g.recipient,
	    .route = t->m.route,
	    .class = t->m.class,
	    .size_limit = t->g.size_limit,
	    .generation = t->g.generation,
	    .expiry = t->g.expiry,
	};
	struct buf b = BUF_OVER(t->list);

	grant_make(t->key, &terms, t->g.grant);
	assert_true(msg_list_put(&b, RECORD_granted, &t->g));
	t->m.recipients = (struct msg_list){buf_span(&b), 1};
}

static void
message_make(struct message *t)
{
	static const uint8_t key[GRANT_KEY_LEN] = {1, 2, 3};

	*t = (struct message){
	    .key = grant_key_new(key),
	    .m = {.transaction = 9,
		.route = SPAN("mailstore"),
		.class = SPAN("default"),
		.size = 100},
	    .g = {.recipient = SPAN("u@r.example"),
		.size_limit = 100,
		.generation = 4,
		.expiry = 1000},
	};
	message_seal(t);
}

static void
good_grant(void **state)
{
	struct message t;

	(void)state;
	message_make(&t);
	assert_null(grants_check(t.key, 3, &t.m, 1000));
	grant_key_free(&t.key);
}

static void
bad_grants(void **state)
{
	struct message t;

	(void)state;
	message_make(&t);
	assert_string_equal(grants_check(t.key, 4, &t.m, 1000), "no-grant");
	assert_string_equal(grants_check(t.key, 3, &t.m, 1001), "grant-expired");
	t.m.size = 101;
	assert_string_equal(grants_check(t.key, 3, &t.m, 1000), "over-granted-size");
	t.m.size = 100;
	t.m.transaction = 10;
	assert_string_equal(grants_check(t.key, 3, &t.m, 1000), "no-grant");
	t.m.transaction = 9;
	t.m.route = SPAN("other");
	assert_string_equal(grants_check(t.key, 3, &t.m, 1000), "no-grant");
	t.m.route = SPAN("mailstore");
	t.m.class = SPAN("");
	assert_string_equal(grants_check(t.key, 3, &t.m, 1000), "no-grant");
	t.m.class = SPAN("default");
	assert_null(grants_check(t.key, 3, &t.m, 1000));
	t.list[4] ^= 1; /* the recipient itself */
	assert_string_equal(grants_check(t.key, 3, &t.m, 1000), "no-grant");
	grant_key_free(&t.key);
}

static void
no_limit_of_its_own(void **state)
{
	struct message t;

	(void)state;
	message_make(&t);
	t.g.size_limit = 0;
	t.m.size = 1000000;
	message_seal(&t);
	assert_null(grants_check(t.key, 3, &t.m, 1000));
	grant_key_free(&t.key);
}

#define WINDOW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WINDOW(each_number_once),
	    WINDOW(window_moves),
	    WINDOW(far_jumps),
	    WINDOW(random_order),
	    cmocka_unit_test(good_grant),
	    cmocka_unit_test(bad_grants),
	    cmocka_unit_test(no_limit_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

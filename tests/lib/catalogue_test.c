#include "lib/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t room[256 * 1024];

/* Decodes a copy of exactly len octets, so that the sanitizer sees any read past it. */
static bool
decode_exact(enum msg_type type, const uint8_t *p, size_t len, union msg *m)
{
	static uint8_t *copy;

	free(copy);
	copy = malloc(len > 0 ? len : 1);
	assert_non_null(copy);
	memcpy(copy, p, len);
	return msg_decode(type, span_of(copy, len), m);
}

static struct buf
encode_submit(void)
{
	static uint8_t elements[4096];
	struct buf list = BUF_OVER(elements);
	struct buf b = BUF_OVER(room);
	struct msg_submit m = {
	    .session = 7,
	    .transaction = UINT64_MAX,
	    .id = SPAN("0123456789abcdef"),
	    .budget_ms = 1000,
	    .helo = SPAN("client.example"),
	    .size = 5,
	    .content = SPAN("a: b\n"),
	};

	for (unsigned i = 0; i < 3; i++) {
		struct msg_granted g = {.recipient = SPAN("alice@example.com"), .expiry = i};

		assert_true(msg_list_put(&list, RECORD_granted, &g));
	}
	m.recipients.encoded = buf_span(&list);
	m.recipients.count = 3;
	assert_true(msg_encode(MSG_submit, &m, &b));
	return b;
}

static void
a_message_comes_back_as_it_went(void **state)
{
	struct buf b = encode_submit();
	struct msg_granted g;
	union msg m;
	unsigned n = 0;

	(void)state;
	assert_true(decode_exact(MSG_submit, b.p, b.len, &m));
	assert_int_equal(m.submit.session, 7);
	assert_true(m.submit.transaction == UINT64_MAX);
	assert_true(span_eq(m.submit.content, SPAN("a: b\n")));
	assert_int_equal(m.submit.recipients.count, 3);
	for (struct span rest = m.submit.recipients.encoded;
	     msg_list_next(&rest, RECORD_granted, &g); n++) {
		assert_true(span_eq(g.recipient, SPAN("alice@example.com")));
		assert_int_equal(g.expiry, n);
	}
	assert_int_equal(n, 3);
}

static void
every_truncation_and_a_trailing_octet_are_refused(void **state)
{
	struct buf b = encode_submit();
	union msg m;

	(void)state;
	for (size_t len = 0; len < b.len; len++)
		assert_false(decode_exact(MSG_submit, b.p, len, &m));
	b.p[b.len] = 0;
	assert_false(decode_exact(MSG_submit, b.p, b.len + 1, &m));
}

static void
values_out_of_bounds_are_not_sent(void **state)
{
	struct buf b = BUF_OVER(room);
	struct msg_rcpt_ask empty = {.session = 1};
	struct msg_commit_answer two = {.go = 2};

	(void)state;
	assert_false(msg_encode(MSG_rcpt_ask, &empty, &b));
	b = buf_over(room, sizeof(room));
	assert_false(msg_encode(MSG_commit_answer, &two, &b));
}

static void
values_out_of_bounds_are_not_taken(void **state)
{
	struct buf b = BUF_OVER(room);
	struct msg_commit_answer good = {.go = 1};
	union msg m;

	(void)state;
	assert_true(msg_encode(MSG_commit_answer, &good, &b));
	assert_true(decode_exact(MSG_commit_answer, b.p, b.len, &m));
	b.p[b.len - 1] = 2;
	assert_false(decode_exact(MSG_commit_answer, b.p, b.len, &m));
}

static void
a_list_whose_count_is_wrong_is_refused(void **state)
{
	struct msg_conf_pair pair = {SPAN("hostname"), SPAN("mx")};
	uint8_t elements[256];
	struct buf list = BUF_OVER(elements);
	union msg m;

	(void)state;
	assert_true(msg_list_put(&list, RECORD_conf_pair, &pair));
	for (uint16_t count = 0; count < 4; count++) {
		struct buf b = BUF_OVER(room);
		struct msg_conf conf = {.pairs = {buf_span(&list), count}};

		assert_true(msg_encode(MSG_conf, &conf, &b));
		assert_int_equal(decode_exact(MSG_conf, b.p, b.len, &m), count == 1);
	}
}

static void
what_does_not_fit_marks_the_buffer(void **state)
{
	uint8_t small[4];
	struct buf b = BUF_OVER(small);
	struct msg_hello hello = {1, 1};

	(void)state;
	assert_false(msg_encode(MSG_hello, &hello, &b));
	assert_true(b.full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_comes_back_as_it_went),
	    cmocka_unit_test(every_truncation_and_a_trailing_octet_are_refused),
	    cmocka_unit_test(values_out_of_bounds_are_not_sent),
	    cmocka_unit_test(values_out_of_bounds_are_not_taken),
	    cmocka_unit_test(a_list_whose_count_is_wrong_is_refused),
	    cmocka_unit_test(what_does_not_fit_marks_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

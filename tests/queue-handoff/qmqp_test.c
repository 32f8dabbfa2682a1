#include "queue-handoff/qmqp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- packages ---- */

static struct msg_list
recipients(struct buf *b, const char *const *addresses, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct msg_granted g = {.recipient = span_str(addresses[i])};

		assert_true(msg_list_put(b, RECORD_granted, &g));
	}
	return (struct msg_list){buf_span(b), n};
}

static void
compose_small(void **state)
{
	static const char *const to[] = {"a@b.example", "postmaster"};
	uint8_t list[512], room[128];
	struct buf b = BUF_OVER(room), l = BUF_OVER(list);
	struct parts p = {
	    .ours = SPAN("Received: x\n"),
	    .content = SPAN("hi\n"),
	    .sender = SPAN("s@t.example"),
	    .recipients = recipients(&l, to, 2),
	};
	uint8_t text[128];
	struct buf expected = BUF_OVER(text);

	(void)state;
	buf_put_str(
	    &expected, "63:15:Received: x\nhi\n,11:s@t.example,11:a@b.example,10:postmaster,,");
	assert_int_equal(qmqp_compose(&p, &b), 3 + 3 + 15);
	assert_int_equal(b.len, qmqp_memory(&p));
	assert_true(span_eq(buf_span(&b), buf_span(&expected)));
}

static void
compose_with_file(void **state)
{
	static const char *const to[] = {"a@b"};
	uint8_t list[128], room[128];
	struct buf b = BUF_OVER(room), l = BUF_OVER(list);
	struct parts p = {
	    .ours = SPAN("R\n"),
	    .file_len = 1000000,
	    .recipients = recipients(&l, to, 1),
	};
	size_t split;

	(void)state;
	split = qmqp_compose(&p, &b);
	assert_false(b.full);
	assert_int_equal(b.len, qmqp_memory(&p));
	assert_true(span_eq(span_head(buf_span(&b), split), SPAN("1000020:1000002:R\n")));
	assert_true(span_eq(span_from(buf_span(&b), split), SPAN(",0:,3:a@b,,")));
}

static void
special_senders(void **state)
{
	(void)state;
	assert_true(qmqp_sender_is_special(SPAN("#@[]")));
	assert_true(qmqp_sender_is_special(SPAN("list-@example.org-@[]")));
	assert_true(qmqp_sender_is_special(SPAN("x#@[]")));
	assert_false(qmqp_sender_is_special(SPAN("")));
	assert_false(qmqp_sender_is_special(SPAN("a@[192.0.2.1]")));
	assert_false(qmqp_sender_is_special(SPAN("@[]")));
	assert_false(qmqp_sender_is_special(SPAN("a@example.org")));
}

/* ---- answers: whole and octet by octet ---- */

#define ROW(name, text, answer) \
	{ \
		name, {(const uint8_t *)(text), sizeof(text) - 1}, answer \
	}

static const struct row {
	const char *name;
	struct span in;
	enum qmqp_answer answer;
} rows[] = {
    ROW("taken", "3:Kok,", QMQP_TAKEN),
    ROW("taken without a text", "1:K,", QMQP_TAKEN),
    ROW("row 281: more behind it", "3:Kok,4:Kno", QMQP_TAKEN),
    ROW("deferred", "5:Zbusy,", QMQP_DEFERRED),
    ROW("refused", "4:Dno!,", QMQP_REFUSED),
    ROW("lines joined as mailfront does", "9:D5.1\n5.2\n,", QMQP_REFUSED),
    ROW("row 283: a reply inside the text", "10:Z\r\n250 ok\n,", QMQP_BAD),
    ROW("row 280: empty", "0:,", QMQP_BAD),
    ROW("row 280: wrong end", "3:Kok;", QMQP_BAD),
    ROW("row 280: leading zero", "03:Kok,", QMQP_BAD),
    ROW("row 280: cut", "3:Kok", QMQP_MORE),
    ROW("row 280: negative", "-1:", QMQP_BAD),
    ROW("row 280: no length", ":K,", QMQP_BAD),
    ROW("row 280: enormous", "99999999999:K", QMQP_BAD),
    ROW("row 280: lower case", "3:kok,", QMQP_BAD),
    ROW("row 280: other letter", "3:Xok,", QMQP_BAD),
    ROW("row 280: comma as letter", "1:,,", QMQP_BAD),
    ROW("row 280: text over the limit", "1001:K", QMQP_BAD),
    ROW("row 280: 1 MiB of text announced", "1048576:K", QMQP_BAD),
    ROW("row 280: NUL in the text", "3:K\0k,", QMQP_BAD),
    ROW("row 280: CR LF in the text", "4:Ko\r\n,", QMQP_BAD),
    ROW("SMTP", "250 ok\r\n", QMQP_BAD),
};

static enum qmqp_answer
feed(struct qmqp_reply *r, struct span in, size_t step)
{
	enum qmqp_answer answer = QMQP_MORE;
	size_t at = 0, used;

	while (answer == QMQP_MORE && at < in.len) {
		answer = qmqp_reply_feed(r, span_head(span_from(in, at), step), &used);
		at += used;
	}
	return answer;
}

static void
row_280_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step <= rows[i].in.len; step++) {
			struct qmqp_reply r;

			qmqp_reply_init(&r);
			if (feed(&r, rows[i].in, step) != rows[i].answer)
				fail_msg("%s, %zu at a time", rows[i].name, step);
		}
	}
}

static void
longest_answer(void **state)
{
	uint8_t text[1000], room[1010];
	struct buf b = BUF_OVER(room);
	struct qmqp_reply r;

	(void)state;
	memset(text, 'K', sizeof(text));
	netstring_put(&b, span_of(text, sizeof(text)));
	qmqp_reply_init(&r);
	assert_int_equal(feed(&r, buf_span(&b), 7), QMQP_TAKEN);
	assert_int_equal(qmqp_reply_text(&r).len, 999);
}

static void
text_of_a_partial_answer(void **state)
{
	struct qmqp_reply r;

	(void)state;
	qmqp_reply_init(&r);
	assert_int_equal(qmqp_reply_text(&r).len, 0);
	feed(&r, SPAN("5:Dno"), 1);
	assert_true(span_eq(qmqp_reply_text(&r), SPAN("no")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(compose_small),
	    cmocka_unit_test(compose_with_file),
	    cmocka_unit_test(special_senders),
	    cmocka_unit_test(row_280_answers),
	    cmocka_unit_test(longest_answer),
	    cmocka_unit_test(text_of_a_partial_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

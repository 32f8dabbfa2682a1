/* Replies and the conversation of SMTP and LMTP, whole and octet by octet; lines. */
#include "queue-handoff/smtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "queue-handoff/lines.h"
#include "queue-handoff/parts.h"

/* ---- replies ---- */

static const struct {
	const char *in;
	enum smtp_reply_status end; /* of the last line */
	unsigned code, lines;
	const char *text, *enhanced;
} replies[] = {
    {"250 ok\r\n", SMTP_REPLY_ENDS, 250, 1, "ok", ""},
    {"250\r\n", SMTP_REPLY_ENDS, 250, 1, "", ""},
    {"250 \r\n", SMTP_REPLY_ENDS, 250, 1, "", ""},
    {"250 ok\n", SMTP_REPLY_ENDS, 250, 1, "ok", ""},
    {"250-a\r\n250-b\r\n250 c\r\n", SMTP_REPLY_ENDS, 250, 3, "c", ""},
    {"550 5.1.1 no\r\n", SMTP_REPLY_ENDS, 550, 1, "5.1.1 no", "5.1.1"},
    {"550 5.7.27\r\n", SMTP_REPLY_ENDS, 550, 1, "5.7.27", "5.7.27"},
    {"550 4.1.1 class differs\r\n", SMTP_REPLY_ENDS, 550, 1, "4.1.1 class differs", ""},
    {"550 5.1.1x\r\n", SMTP_REPLY_ENDS, 550, 1, "5.1.1x", ""},
    {"550 5..1 x\r\n", SMTP_REPLY_ENDS, 550, 1, "5..1 x", ""},
    {"550 5.1\r\n", SMTP_REPLY_ENDS, 550, 1, "5.1", ""},
    {"550 5.1.\r\n", SMTP_REPLY_ENDS, 550, 1, "5.1.", ""},
    {"250-a\r\n550 b\r\n", SMTP_REPLY_BAD, 0, 0, "", ""},
    {"25 ok\r\n", SMTP_REPLY_BAD, 0, 0, "", ""},
    {"2500 ok\r\n", SMTP_REPLY_BAD, 0, 0, "", ""},
    {"600 ok\r\n", SMTP_REPLY_BAD, 0, 0, "", ""},
    {"199 ok\r\n", SMTP_REPLY_BAD, 0, 0, "", ""},
    {"+OK\r\n", SMTP_REPLY_BAD, 0, 0, "", ""},
    {"\r\n", SMTP_REPLY_BAD, 0, 0, "", ""},
    {"3:Kok,\r\n", SMTP_REPLY_BAD, 0, 0, "", ""},
};

static enum smtp_reply_status
feed_reply(struct smtp_reply *r, struct span in, size_t step)
{
	enum smtp_reply_status status = SMTP_REPLY_MORE;
	size_t used;

	smtp_reply_init(r);
	for (size_t at = 0; at < in.len && status != SMTP_REPLY_ENDS && status != SMTP_REPLY_BAD;
	     at += used)
		status = smtp_reply_feed(r, span_head(span_from(in, at), step), &used);
	return status;
}

static void
every_reply(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct span in = span_str(replies[i].in);

		for (size_t step = 1; step <= in.len; step++) {
			struct smtp_reply r;

			if (feed_reply(&r, in, step) != replies[i].end)
				fail_msg("%s, %zu at a time", replies[i].in, step);
			if (replies[i].end != SMTP_REPLY_ENDS)
				continue;
			assert_int_equal(r.code, replies[i].code);
			assert_int_equal(r.lines, replies[i].lines);
			assert_true(span_eq(smtp_reply_text(&r), span_str(replies[i].text)));
			assert_true(
			    span_eq(smtp_reply_enhanced(&r), span_str(replies[i].enhanced)));
		}
	}
}

static void
replies_are_bounded(void **state)
{
	static char text[8192];
	struct smtp_reply r;
	size_t len = 0;

	(void)state;
	/* A long line is cut; one without an end is no reply. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "250 ", 4);
	memcpy(text + 4000, "\r\n", 2);
	assert_int_equal(feed_reply(&r, span_of(text, 4002), 100), SMTP_REPLY_ENDS);
	assert_int_equal(smtp_reply_text(&r).len, SMTP_REPLY_LINE - 4);
	memcpy(text + 4000, "xx", 2);
	assert_int_equal(feed_reply(&r, span_of(text, sizeof(text)), 100), SMTP_REPLY_BAD);
	for (unsigned i = 0; i <= SMTP_REPLY_LINES; i++) {
		memcpy(text + len, "250-x\r\n", 7);
		len += 7;
	}
	assert_int_equal(feed_reply(&r, span_of(text, len - 7), 50), SMTP_REPLY_CONTINUES);
	assert_int_equal(feed_reply(&r, span_of(text, len), 50), SMTP_REPLY_BAD);
}

/* ---- conversations ---- */

struct heard {
	enum answer_kind kinds[2000];
	unsigned count;
};

static void
on_answer(void *ctx, unsigned first, unsigned end, const struct answer *answer)
{
	struct heard *h = ctx;

	while (first < end) {
		h->kinds[first++] = answer->kind;
		h->count++;
	}
}

/* The envelope in memory: "s@t", then u1@r, u2@r, ... */
static struct smtp_task
task(struct buf *b, unsigned recipients)
{
	struct smtp_task t = {.hostname = SPAN("mx.our.example"), .recipients = recipients};
	char address[40];

	buf_put_u16(b, 3);
	buf_put_str(b, "s@t");
	for (unsigned i = 0; i < recipients; i++) {
		int len = snprintf(address, sizeof(address), "u%u@r.example", i);

		buf_put_u16(b, (uint16_t)len);
		buf_put_str(b, address);
	}
	t.envelope = buf_span(b);
	return t;
}

/* Plays a server that says yes to everything. Returns: commands that were said in one piece, at most. */
static unsigned
play(const struct smtp_task *t, const char *hello, struct heard *heard)
{
	static uint8_t says[200000];
	struct smtp s;
	struct buf out = BUF_OVER(says);
	unsigned most = 0, rcpts = 0;
	enum smtp_step step = SMTP_MORE;

	smtp_begin(&s);
	buf_put_str(&out, "220 hi\r\n");
	while (step == SMTP_MORE || step == SMTP_SAY) {
		uint8_t room[SMTP_COMMANDS_MAX];
		struct buf say = BUF_OVER(room);
		struct span in = buf_span(&out), said;
		unsigned lines = 0;
		size_t used;

		step = smtp_feed(&s, t, in, &used, &say, on_answer, heard);
		assert_int_equal(used, in.len);
		assert_false(say.full);
		out.len = 0;
		for (said = buf_span(&say); said.len > 0; lines++) {
			struct span line = span_head(said, span_find(said, '\n') + 1);

			said = span_from(said, line.len);
			if (span_eq(span_head(line, 4), SPAN("RCPT")))
				rcpts++;
			if (span_eq(span_head(line, 4), SPAN("DATA")))
				buf_put_str(&out, "354 go\r\n");
			else if (span_eq(span_head(line, 4), SPAN("EHLO")))
				buf_put_str(&out, hello);
			else
				buf_put_str(&out, "250 ok\r\n");
		}
		most = lines > most ? lines : most;
	}
	assert_int_equal(step, SMTP_SEND);
	assert_int_equal(rcpts, t->recipients);
	return most;
}

static void
pipelining_is_bounded(void **state)
{
	static uint8_t memory[100000];
	static struct heard heard;
	struct buf b = BUF_OVER(memory);
	struct smtp_task t = task(&b, 1000);

	(void)state;
	assert_int_equal(play(&t, "250 plain\r\n", &heard), 1);
	assert_in_range(play(&t, "250-x\r\n250 PIPELINING\r\n", &heard), 100, 200);
	assert_int_equal(heard.count, 0);
}

static void
addresses_are_quoted(void **state)
{
	static const struct {
		const char *inside, *said;
	} rows[] = {
	    {"", "MAIL FROM:<>\r\n"},
	    {"a b@c.example", "MAIL FROM:<\"a b\"@c.example>\r\n"},
	    {"a\"\\@c.example", "MAIL FROM:<\"a\\\"\\\\\"@c.example>\r\n"},
	    {"a>\t@c", "MAIL FROM:<\"a>\t\"@c>\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t memory[200], room[SMTP_COMMANDS_MAX];
		struct buf b = BUF_OVER(memory), say = BUF_OVER(room);
		struct smtp_offer plain = {0};
		struct smtp_task t = {.recipients = 1};
		struct smtp s;

		buf_put_u16(&b, (uint16_t)strlen(rows[i].inside));
		buf_put_str(&b, rows[i].inside);
		t.envelope = buf_span(&b);
		assert_int_equal(smtp_begin_again(&s, &plain, &t, &say), SMTP_SAY);
		assert_true(span_eq(buf_span(&say), span_str(rows[i].said)));
	}
}

/* ---- lines ---- */

static void
lines_of_any_pieces(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
	    {"a\n", "a\r\n"},
	    {"a", "a\r\n"},
	    {"\n", "\r\n"},
	    {".\n", "..\r\n"},
	    {".", "..\r\n"},
	    {"a\n.\nb.\n..c\n", "a\r\n..\r\nb.\r\n...c\r\n"},
	    {"\n\n.\n", "\r\n\r\n..\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span in = span_str(rows[i].in);

		for (size_t step = 1; step <= in.len; step++) {
			for (size_t cap = 4; cap < 12; cap++) {
				uint8_t all[100];
				struct buf got = BUF_OVER(all);
				struct lines l = {0};

				for (size_t at = 0, used; at < in.len; at += used) {
					uint8_t room[12];
					struct buf b = buf_over(room, cap);

					assert_true(lines_put(
					    &l, span_head(span_from(in, at), step), &b, &used));
					assert_true(used > 0);
					buf_put_span(&got, buf_span(&b));
				}
				assert_true(lines_finish(&l, &got));
				assert_true(span_eq(buf_span(&got), span_str(rows[i].out)));
			}
		}
	}
}

/* A bare CR could be the end of a line to somebody, and a dot behind it the end of the message. */
static void
lines_without_stray_octets(void **state)
{
	static const struct span rows[] = {{(const uint8_t *)"a\r.\r\n", 5},
	    {(const uint8_t *)"a\0b", 3}, {(const uint8_t *)"\r", 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t room[100];
		struct buf b = BUF_OVER(room);
		struct lines l = {0};
		size_t used;

		assert_false(lines_put(&l, rows[i], &b, &used));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_reply),
	    cmocka_unit_test(replies_are_bounded),
	    cmocka_unit_test(pipelining_is_bounded),
	    cmocka_unit_test(addresses_are_quoted),
	    cmocka_unit_test(lines_of_any_pieces),
	    cmocka_unit_test(lines_without_stray_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Rows 140 to 154, exhaustively: every short string over the octets that matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "smtpd/content.h"
#include "tests/smtpd/reference.h"

static const uint8_t alphabet[] = {'\r', '\n', '.', '\0', 'a'};

/* In: step, octets fed at once; 0: all. */
static void
run(struct span in, size_t step, bool chunks, struct content *c, struct buf *out, size_t *used_out,
    bool *end_out)
{
	size_t at = 0, used;

	if (chunks)
		content_init_chunks(c, 65536);
	else
		content_init(c, 65536);
	*end_out = false;
	while (at < in.len && !*end_out) {
		struct span part = span_head(span_from(in, at), step > 0 ? step : in.len);
		size_t before = out->len;

		*end_out = content_feed(c, part, out, &used) == CONTENT_END;
		assert_true(out->len - before <= part.len + CONTENT_SLACK);
		assert_true(used <= part.len && (*end_out || used == part.len));
		at += used;
	}
	*used_out = at;
}

static void
complain(struct span in)
{
	for (size_t i = 0; i < in.len; i++)
		print_error("%02x ", in.p[i]);
	print_error("\n");
	fail();
}

static void
compare(struct span in, size_t step, bool chunks, const struct reference *r)
{
	uint8_t room[256];
	struct buf out = BUF_OVER(room);
	struct content c;
	size_t used;
	bool end, pending;

	run(in, step, chunks, &c, &out, &used, &end);
	if (chunks)
		content_finish(&c, &out);
	/* A CR at the very end may still become CR LF; it is not content yet. */
	pending = !chunks && !end && in.len > 0 && in.p[in.len - 1] == '\r';
	if (end != r->ended || used != r->used)
		complain(in);
	if (pending)
		return;
	if (!span_eq(buf_span(&out), span_of(r->content, r->len)) || c.size != r->size ||
	    c.bare_lf != r->bare_lf || c.bare_cr != r->bare_cr || c.nul != r->nul ||
	    c.unended != r->unended)
		complain(in);
	for (int reject = 0; reject < 2; reject++)
		if ((content_fault(&c, reject) == CONTENT_GOOD) !=
		    (reference_verdict(r, reject) == '2'))
			complain(in);
}

static void
check_one(struct span in)
{
	struct reference r;

	reference_read(in, &r);
	compare(in, 0, false, &r);
	compare(in, 1, false, &r);
	reference_read_chunks(in, &r);
	compare(in, 0, true, &r);
	compare(in, 1, true, &r);
}

static void
check_all(size_t len)
{
	uint8_t text[16] = {0};
	size_t digits[16] = {0};

	for (;;) {
		size_t i = 0;

		for (size_t k = 0; k < len; k++)
			text[k] = alphabet[digits[k]];
		check_one(span_of(text, len));
		while (i < len && ++digits[i] == sizeof(alphabet))
			digits[i++] = 0;
		if (i == len)
			return;
	}
}

static void
row_140_to_151_row_179_every_string_up_to_9_octets(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 9; len++)
		check_all(len);
}

/* Row 154: the end of data cut at every place, with every size of the pieces. */
static void
row_154_cut_at_every_place(void **state)
{
	static const struct span in = SPAN("Subject: x\r\n\r\n..a\r\nb\r\n.c\r\n\r\n.\r\nQUIT\r\n");
	struct reference r;

	(void)state;
	reference_read(in, &r);
	assert_true(r.ended);
	for (size_t step = 1; step <= in.len; step++)
		compare(in, step, false, &r);
}

static void
row_160_long_lines(void **state)
{
	static uint8_t line[70000], room[70002];
	struct content c;
	size_t used;

	(void)state;
	memset(line, 'a', sizeof(line));
	for (size_t len = 65535; len <= 65537; len++) {
		struct buf out = BUF_OVER(room);

		content_init(&c, 65536);
		content_feed(&c, span_of(line, len), &out, &used);
		assert_int_equal(c.long_line, len > 65536);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_140_to_151_row_179_every_string_up_to_9_octets),
	    cmocka_unit_test(row_154_cut_at_every_place),
	    cmocka_unit_test(row_160_long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

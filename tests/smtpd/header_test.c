/* Rows 159, 181 to 190; each whole and octet by octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "smtpd/header.h"

static const struct {
	const char *name;
	const char *text;
	enum header_status status;
	unsigned fields, hops;
} rows[] = {
    {"empty message", "", HEADER_BODY, 0, 0},
    {"no header", "\ntext\n", HEADER_BODY, 0, 0},
    {"row_158 headers only", "From: a\n", HEADER_BODY, 1, 0},
    {"header and body", "From: a\nTo: b\n\nbody : with\nno colon\n", HEADER_BODY, 2, 0},
    {"folded", "Subject: a\n b\n\tc\nTo: d\n\n", HEADER_BODY, 2, 0},
    {"empty value", "a:\nb:\n\n", HEADER_BODY, 2, 0},
    {"colon in the value", "a: b:c : d\n\n", HEADER_BODY, 1, 0},
    {"fold after an empty value", "a:\n b\n\n", HEADER_BODY, 1, 0},
    {"eight bits in the value", "a: \xc3\xbc\xff\n\n", HEADER_BODY, 1, 0},
    {"hops", "Received: a\nreceived: b\n RECEIVED: c\nRECEIVED:\n\nReceived: d\n", HEADER_BODY, 3,
	3},
    {"not hops", "Receive: a\nReceivedX: b\nX-Received: c\nReceived-SPF: d\n\n", HEADER_BODY, 4, 0},
    {"row_181 too many hops", "Received: a\nReceived: b\nReceived: c\nReceived: d\n\n", HEADER_LOOP,
	4, 4},
    {"row_182 delivered", "a: b\nDelivered-To: box x@store\nc: d\n\n", HEADER_LOOP, 2, 0},
    {"row_182 folded", "DELIVERED-TO:\n \tBOX\n  x@store \n\n", HEADER_LOOP, 1, 0},
    {"row_182 last line", "Delivered-To:box  x@store", HEADER_LOOP, 1, 0},
    {"row_182 second of two", "Delivered-To: y\nDelivered-To: box x@store\n", HEADER_LOOP, 2, 0},
    {"row_182 others",
	"Delivered-To: box xx@store\nDelivered-To: boxx@store\nDelivered-To: box x@stor\n"
	"Delivered-To: box x@store e\nX-Delivered-To: box x@store\nDelivered-Too: box x@store\n"
	"Delivered-To:\n\nDelivered-To: box x@store\n",
	HEADER_BODY, 7, 0},
    {"row_159 mbox", "From x@y Mon Jan  1 00:00:00 2024\nFrom: a\n\n", HEADER_MALFORMED, 0, 0},
    {"row_185 space first", " From: x\n\n", HEADER_MALFORMED, 0, 0},
    {"row_185 tab first", "\tFrom: x\n\n", HEADER_MALFORMED, 0, 0},
    {"row_186 no colon", "a: b\nno\n\n", HEADER_MALFORMED, 1, 0},
    {"row_186 no colon at the end", "a: b\nno\n", HEADER_MALFORMED, 1, 0},
    {"row_187 white line", "a: b\n \nc: d\n\n", HEADER_MALFORMED, 1, 0},
    {"row_187 white line of tabs", "a: b\n\t \t\nc: d\n\n", HEADER_MALFORMED, 1, 0},
    {"row_188 space before the colon", "From : a\n\n", HEADER_MALFORMED, 0, 0},
    {"row_189 colon on the next line", "From\n : a\n\n", HEADER_MALFORMED, 0, 0},
    {"row_190 soft hyphen", "Fro\xadm: a\n\n", HEADER_MALFORMED, 0, 0},
    {"row_190 no-break space", "From\xa0: a\n\n", HEADER_MALFORMED, 0, 0},
    {"row_190 no name", ": a\n\n", HEADER_MALFORMED, 0, 0},
    {"row_190 control", "Fr\x01om: a\n\n", HEADER_MALFORMED, 0, 0},
    {"row_190 DEL", "Fr\x7f: a\n\n", HEADER_MALFORMED, 0, 0},
};

/* The mailbox whose messages are loops. */
static bool
is_loop(const void *arg, uint64_t digest)
{
	return digest == header_digest(*(const struct span *)arg);
}

static void
run(struct span text, size_t step, struct header *h)
{
	static const struct span looping = {(const uint8_t *)"box x@store", 11};

	header_init(h, 3);
	h->is_loop = is_loop;
	h->arg = &looping;
	for (size_t at = 0; at < text.len; at += step)
		header_feed(h, span_head(span_from(text, at), step));
	header_finish(h);
}

static void
rows_whole_and_by_octet(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span text = span_str(rows[i].text);

		for (size_t step = 1; step <= text.len + 1; step++) {
			struct header h;

			run(text, step, &h);
			if (h.status != rows[i].status || h.fields != rows[i].fields ||
			    h.hops != rows[i].hops) {
				print_error("%s, %zu at once: status %d, %u fields, %u hops\n",
				    rows[i].name, step, (int)h.status, h.fields, h.hops);
				fail();
			}
		}
	}
}

/* In: fold, as one field; else one field in each line. Both with so many octets, the empty line included. */
static enum header_status
block_of(size_t octets, bool fold, size_t step)
{
	uint8_t *text = malloc(octets);
	struct header h;

	assert_non_null(text);
	for (size_t i = 0; i < octets; i++)
		text[i] = i % 1024 == 1023 ? '\n'
		          : i % 1024 == 0  ? (fold && i > 0 ? ' ' : 'X')
		          : i % 1024 == 1  ? ':'
		                           : 'x';
	text[octets - 2] = text[octets - 1] = '\n';
	run(span_of(text, octets), step, &h);
	free(text);
	return h.status;
}

static void
row_184_block_size(void **state)
{
	static const size_t steps[] = {1, 1000, HEADER_BLOCK_MAX + 10};

	(void)state;
	for (int fold = 0; fold < 2; fold++) {
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(
			    block_of(HEADER_BLOCK_MAX, fold == 1, steps[i]), HEADER_BODY);
			assert_int_equal(
			    block_of(HEADER_BLOCK_MAX + 1, fold == 1, steps[i]), HEADER_TOO_LARGE);
		}
	}
}

static void
row_183_fields(void **state)
{
	(void)state;
	for (unsigned n = HEADER_FIELDS_MAX; n <= HEADER_FIELDS_MAX + 1; n++) {
		struct header h;

		header_init(&h, 3);
		for (unsigned i = 0; i < n; i++)
			header_feed(&h, SPAN("a:\n"));
		assert_int_equal(
		    header_finish(&h), n <= HEADER_FIELDS_MAX ? HEADER_BODY : HEADER_TOO_LARGE);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_whole_and_by_octet),
	    cmocka_unit_test(row_183_fields),
	    cmocka_unit_test(row_184_block_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

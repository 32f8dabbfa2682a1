/* Every row is fed whole and octet by octet, and must come out the same. */
#include "lib/netstring.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { CAP = 1000 };

static const struct row {
	const char *name;
	struct span in;
	enum netstring_status status;
	struct span content;
	size_t used; /* octets taken, when done */
} rows[] = {
    {"empty content", {(const uint8_t *)"0:,", 3}, NETSTRING_DONE, {NULL, 0}, 3},
    {"hello", {(const uint8_t *)"5:hello,", 8}, NETSTRING_DONE, {(const uint8_t *)"hello", 5}, 8},
    {"takes no octet more", {(const uint8_t *)"3:Kok,x", 7}, NETSTRING_DONE,
	{(const uint8_t *)"Kok", 3}, 6},
    {"holds anything", {(const uint8_t *)"4:\0,\n:,", 7}, NETSTRING_DONE,
	{(const uint8_t *)"\0,\n:", 4}, 7},
    {"cut in the length", {(const uint8_t *)"12", 2}, NETSTRING_MORE, {NULL, 0}, 0},
    {"cut before the comma", {(const uint8_t *)"3:Kok", 5}, NETSTRING_MORE, {NULL, 0}, 0},
    {"no comma", {(const uint8_t *)"3:Kok;", 6}, NETSTRING_BAD, {NULL, 0}, 0},
    {"leading zero", {(const uint8_t *)"03:Kok,", 7}, NETSTRING_BAD, {NULL, 0}, 0},
    {"zero of zeros", {(const uint8_t *)"00:,", 4}, NETSTRING_BAD, {NULL, 0}, 0},
    {"no digits", {(const uint8_t *)":K,", 3}, NETSTRING_BAD, {NULL, 0}, 0},
    {"negative", {(const uint8_t *)"-1:K,", 5}, NETSTRING_BAD, {NULL, 0}, 0},
    {"blank", {(const uint8_t *)" 1:K,", 5}, NETSTRING_BAD, {NULL, 0}, 0},
    {"blank before the colon", {(const uint8_t *)"1 :K,", 5}, NETSTRING_BAD, {NULL, 0}, 0},
    {"over the cap", {(const uint8_t *)"1001:", 5}, NETSTRING_BAD, {NULL, 0}, 0},
    {"far over any number", {(const uint8_t *)"99999999999999999999999:K", 25}, NETSTRING_BAD,
	{NULL, 0}, 0},
};

/* Feeds in pieces of `step` octets. Out: *used_out, octets taken altogether. */
static enum netstring_status
feed(struct netstring_reader *r, struct span in, size_t step, size_t *used_out)
{
	enum netstring_status status = NETSTRING_MORE;
	size_t used;

	*used_out = 0;
	while (status == NETSTRING_MORE && *used_out < in.len) {
		status = netstring_reader_feed(r, span_head(span_from(in, *used_out), step), &used);
		*used_out += used;
	}
	return status;
}

static void
reader_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step <= rows[i].in.len; step++) {
			struct netstring_reader r;
			uint8_t room[CAP];
			size_t used;

			netstring_reader_init(&r, room, sizeof(room));
			if (feed(&r, rows[i].in, step, &used) != rows[i].status)
				fail_msg("%s, %zu at a time", rows[i].name, step);
			if (rows[i].status != NETSTRING_DONE)
				continue;
			assert_int_equal(used, rows[i].used);
			assert_true(span_eq(span_of(room, r.length), rows[i].content));
		}
	}
}

static void
longest_content(void **state)
{
	uint8_t content[CAP], encoded[CAP + 8], room[CAP];
	struct buf b = BUF_OVER(encoded);
	struct netstring_reader r;
	size_t used;

	(void)state;
	memset(content, 'x', sizeof(content));
	netstring_put(&b, span_of(content, sizeof(content)));
	assert_false(b.full);
	assert_int_equal(b.len, netstring_size(sizeof(content)));
	netstring_reader_init(&r, room, sizeof(room));
	assert_int_equal(netstring_reader_feed(&r, buf_span(&b), &used), NETSTRING_DONE);
	assert_int_equal(r.length, CAP);
}

static void
sizes(void **state)
{
	static const size_t lengths[] = {
	    0, 1, 9, 10, 99, 100, 999, 1000, 999999, 1000000, 4294967296};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint8_t room[32];
		struct buf b = BUF_OVER(room);

		netstring_put_head(&b, lengths[i]);
		assert_int_equal(netstring_size(lengths[i]), b.len + lengths[i] + 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reader_rows),
	    cmocka_unit_test(longest_content),
	    cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

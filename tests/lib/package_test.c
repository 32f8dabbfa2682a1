/* Every row whole and in pieces of every size: the events must be the same. */
#include "lib/package.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What is heard: content, then "F" sender, "T" recipient, "." for the last comma, "!" for bad. */
static void
hear(struct span in, size_t step, struct buf *heard)
{
	struct package p;
	size_t at = 0;

	package_init(&p);
	while (at < in.len) {
		struct span part = span_head(span_from(in, at), step);
		enum package_event event;
		struct span out;

		at += part.len;
		while ((event = package_next(&p, &part, &out)) != PACKAGE_MORE) {
			static const char *const marks[] = {[PACKAGE_CONTENT] = "",
			    [PACKAGE_SENDER] = "F",
			    [PACKAGE_RECIPIENT] = "T"};

			if (event == PACKAGE_DONE || event == PACKAGE_BAD) {
				buf_put_u8(heard, event == PACKAGE_DONE ? '.' : '!');
				return;
			}
			buf_put_str(heard, marks[event]);
			buf_put_span(heard, out);
		}
		assert_int_equal(part.len, 0);
	}
}

static const struct {
	const char *in, *heard;
} rows[] = {
    {"18:3:hi\n,3:s@t,3:r@u,,", "hi\nFs@tTr@u."},
    {"24:3:hi\n,3:s@t,3:r@u,3:v@w,,", "hi\nFs@tTr@uTv@w."},
    {"12:0:,0:,3:r@u,,", "FTr@u."},
    {"18:3:hi\n,3:s@t,3:r@u,", "hi\nFs@tTr@u"}, /* no last comma: nothing is to be queued */
    {"18:3:hi\n,3:s@t,3:r@u,;", "hi\nFs@tTr@u!"},
    {"18:3:hi\n,3:s@t,3:r@u;", "hi\nFs@t!"},
    {"12:3:hi\n,3:s@t,,", "hi\n!"},               /* no recipient */
    {"6:3:hi\n,,", "hi\n!"},                      /* no sender */
    {"5:3:hi\n,3:s@t,3:r@u,,", "!"},              /* the content does not fit */
    {"14:3:hi\n,3:s@t,3:r@u,,", "hi\nFs@t!"},     /* the recipient does not fit */
    {"19:3:hi\n,3:s@t,3:r@u,,", "hi\nFs@tTr@u!"}, /* something else inside */
    {"17:3:hi\n,3:s@t,3:r@u,,", "hi\nFs@t!"},
    {"018:3:hi\n,3:s@t,3:r@u,,", "!"},
    {"18:03:hi\n,3:s@t,3:r@u,,", "!"},
    {":3:hi\n,", "!"},
    {"-1:", "!"},
    {"99999999999999999999999:", "!"},
    {"99999999999:99999999999:", "!"},
    {"18:3:hi\n;", "hi\n!"},
    {"EHLO x\r\n", "!"},
    {"", ""},
};

static void
packages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step <= strlen(rows[i].in); step++) {
			uint8_t room[200];
			struct buf heard = BUF_OVER(room);

			hear(span_str(rows[i].in), step, &heard);
			if (!span_eq(buf_span(&heard), span_str(rows[i].heard)))
				fail_msg("%s, %zu at a time: %.*s", rows[i].in, step,
				    (int)heard.len, (char *)heard.p);
		}
	}
}

static void
longest_address(void **state)
{
	uint8_t in[2000], room[2000], address[1000];

	(void)state;
	memset(address, 'a', sizeof(address));
	for (size_t len = 998; len <= 1000; len++) {
		struct buf b = BUF_OVER(in), heard = BUF_OVER(room);

		netstring_put_head(&b, 3 + 3 + netstring_size(len));
		buf_put_str(&b, "0:,0:,");
		netstring_put(&b, span_of(address, len));
		buf_put_u8(&b, ',');
		hear(buf_span(&b), 100, &heard);
		assert_int_equal(heard.p[heard.len - 1], len <= PACKAGE_ADDRESS_MAX ? '.' : '!');
	}
}

static void
one_package_only(void **state)
{
	struct span in = SPAN("12:0:,0:,3:r@u,,12:0:,0:,3:r@u,,"), out;
	struct package p;
	enum package_event event;

	(void)state;
	package_init(&p);
	while ((event = package_next(&p, &in, &out)) != PACKAGE_DONE)
		assert_int_not_equal(event, PACKAGE_BAD);
	assert_int_equal(in.len, 16);
	assert_int_equal(package_next(&p, &in, &out), PACKAGE_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(packages),
	    cmocka_unit_test(longest_address),
	    cmocka_unit_test(one_package_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The table of replies holds what it promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "smtpd/id.h"
#include "smtpd/reply.h"

static void
every_row_is_sound(void **state)
{
	(void)state;
	for (unsigned i = 1; i < REPLY_COUNT; i++) {
		const struct reply *r = reply_get((enum reply_id)i);
		size_t marks = 0;

		assert_true(r->code >= 200 && r->code <= 559);
		if (r->enhanced[0] != '\0') {
			assert_int_equal(r->enhanced[0], '0' + r->code / 100);
			assert_int_equal(r->enhanced[1], '.');
		}
		assert_true(strlen(r->help) > 0 && strlen(r->text) > 0);
		for (const char *c = r->text; *c != '\0'; c++) {
			assert_true(*c >= 32 && *c <= 126);
			marks += *c == '%';
		}
		assert_true(marks <= 1);
		/* Trouble of ours is 4xx (P5); a refusal is 5xx. */
		if (r->kind == REPLY_KIND_TROUBLE)
			assert_int_equal(r->code / 100, 4);
		if (r->kind == REPLY_KIND_REFUSED || r->kind == REPLY_KIND_ERROR)
			assert_int_equal(r->code / 100, 5);
		if (r->kind == REPLY_KIND_OK)
			assert_true(r->code < 400);
		if (r->code == 421 || r->code == 221 || r->code == 521)
			assert_int_equal(r->kind, REPLY_KIND_CLOSE);
		for (unsigned k = 1; k < i; k++)
			assert_string_not_equal(reply_get((enum reply_id)k)->name, r->name);
	}
}

/* RFC 5321 4.5.3.1.5: no line over 512 octets, whatever is put into it. */
static void
no_reply_is_too_long(void **state)
{
	static const char longest[] = "012345678901234567890123456789012345678901234567890123456789"
	                              "0123456789012345678901234567890123456789"
				      "012345678901234567890123456789012345678901234567890123456789"
	                              "0123456789012345678901234567890123456789"
				      "0123456789012345678901234567890123456789012345678901234";

	(void)state;
	for (unsigned i = 1; i < REPLY_COUNT; i++) {
		uint8_t room[REPLY_LINE_MAX];
		struct buf b = BUF_OVER(room);
		struct reply_details d = {.argument = span_str(longest),
		    .enhanced = SPAN("5.999.999"),
		    .id = SPAN("0123456789012345")};

		reply_put(&b, (enum reply_id)i, &d);
		assert_false(b.full);
		assert_memory_equal(b.p + b.len - 2, "\r\n", 2);
	}
}

static void
expect(enum reply_id id, struct reply_details d, const char *text)
{
	uint8_t room[REPLY_LINE_MAX];
	struct buf b = BUF_OVER(room);

	reply_put(&b, id, &d);
	assert_true(span_eq(buf_span(&b), span_str(text)));
}

static void
lines(void **state)
{
	(void)state;
	expect(REPLY_ok, (struct reply_details){0}, "250 2.0.0 Ok\r\n");
	expect(REPLY_greeting, (struct reply_details){.argument = SPAN("mx")}, "220 mx ESMTP\r\n");
	expect(
	    REPLY_hello, (struct reply_details){.argument = SPAN("X"), .more = true}, "250-X\r\n");
	expect(REPLY_accepted, (struct reply_details){.id = SPAN("7")},
	    "250 2.0.0 Accepted, id 7\r\n");
	expect(REPLY_recipient_refused,
	    (struct reply_details){.argument = SPAN("gone"), .enhanced = SPAN("5.1.6")},
	    "550 5.1.6 gone\r\n");
}

static void
ids_are_unique_and_plain(void **state)
{
	static struct id ids[5000];
	struct id_maker m, other;

	(void)state;
	id_maker_init(&m, 1700000000000, 3, 0xdeadbeefcafe);
	for (size_t i = 0; i < 5000; i++) {
		id_next(&m, &ids[i]);
		for (size_t k = 0; k < ID_LEN; k++)
			assert_true(
			    ascii_is_alpha(ids[i].text[k]) || ascii_is_digit(ids[i].text[k]));
	}
	for (size_t i = 0; i < 5000; i += 7)
		for (size_t k = i + 1; k < 5000; k++)
			assert_memory_not_equal(&ids[i], &ids[k], sizeof(ids[i]));
	id_maker_init(&other, 1700000000000, 4, 0xdeadbeefcafe);
	id_next(&other, &ids[1]);
	assert_memory_not_equal(&ids[0], &ids[1], sizeof(ids[0]));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_is_sound),
	    cmocka_unit_test(no_reply_is_too_long),
	    cmocka_unit_test(lines),
	    cmocka_unit_test(ids_are_unique_and_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "queue-handoff/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OUR_NAME "mx.our.example"
#define ID SPAN(OUR_NAME)

static const char *const names[] = {"X-Spam-Flag", "X-Trust"};
static const struct header_rules rules = {
    {(const uint8_t *)OUR_NAME, sizeof(OUR_NAME) - 1}, {2, names}};

/* ---- row 203: whose results a field claims to be ---- */

static const struct {
	const char *field;
	bool ours;
} claims[] = {
    {"Authentication-Results: mx.our.example; dmarc=pass\n", true},
    {"authentication-results: mx.our.example; dmarc=pass\n", true},
    {"AUTHENTICATION-RESULTS:MX.OUR.EXAMPLE;dmarc=pass\n", true},
    {"Authentication-Results : mx.our.example; dmarc=pass\n", true},
    {"Authentication-Results\t \t: mx.our.example; dmarc=pass\n", true},
    {"Authentication-Results\n : mx.our.example; dmarc=pass\n", true},
    {"Authentication-Results:\n mx.our.example; dmarc=pass\n", true},
    {"Authentication-Results:\n\t \n\tmx.our.example\n ; dmarc=pass\n", true},
    {"Authentication-Results: mx.our.(c)example; dmarc=pass\n", true},
    {"Authentication-Results: (a (nested\\) ) one) mx.our.example; dmarc=pass\n", true},
    {"Authentication-Results: mx.our.example(; dmarc=fail); dmarc=pass\n", true},
    {"Authentication-Results: mx.our.example 1; dmarc=pass\n", true},
    {"Authentication-Results: mx.our.example/1; dmarc=pass\n", true},
    {"Authentication-Results: mx.our.example. ; dmarc=pass\n", true},
    {"Authentication-Results: \"mx.our.example\"; dmarc=pass\n", true},
    {"Authentication-Results: \"mx.\\our.example\"; dmarc=pass\n", true},
    {"Authentication-Results: mx.our.example dmarc=pass\n", true},
    {"Authentication-Results: mx.our.example\n", true},
    {"Authentication-Results: mx.our.example", true},
    {"Authentication-Results: mx.\x80our.example; dmarc=pass\n", true},
    {"Authentication-Results: mx.our .example; dmarc=pass\n", true},
    {"Authentication-Results: other.example; dmarc=pass\n", false},
    {"Authentication-Results: mx.our.example.org; dmarc=pass\n", false},
    {"Authentication-Results: xmx.our.example; dmarc=pass\n", false},
    {"Authentication-Results: our.example; dmarc=pass\n", false},
    {"Authentication-Results: ; mx.our.example\n", false},
    {"Authentication-Results: other.example; mx.our.example=pass\n", false},
    {"Authentication-Results: (mx.our.example) other.example; dmarc=pass\n", false},
    {"Authentication-Results: (mx.our.example; dmarc=pass\n", false},
    {"Authentication-Results:\n", false},
    {"Authentication-Results mx.our.example; dmarc=pass\n", false},
    {"X-Authentication-Results: mx.our.example; dmarc=pass\n", false},
    {"ARC-Authentication-Results: i=1; mx.our.example; dmarc=pass\n", false},
    {"Subject: Authentication-Results: mx.our.example; dmarc=pass\n", false},
    {": mx.our.example\n", false},
    {"", false},
};

static void
row_203_claims(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
		if (header_claims(span_str(claims[i].field), ID) != claims[i].ours)
			fail_msg("%s", claims[i].field);
}

/* A field over 4 KiB is looked at like any other. */
static void
row_203_long_field(void **state)
{
	char *field = malloc(70000);

	(void)state;
	strcpy(field, "Authentication-Results:");
	memset(field + 23, ' ', 60000);
	strcpy(field + 23 + 60000, "mx.our.example; dmarc=pass\n");
	assert_true(header_claims(span_str(field), ID));
	free(field);
}

/* ---- the block ---- */

#define FORGED "Authentication-Results: mx.our.example;\n dmarc=pass\n"

static const struct {
	const char *name, *in, *out;
	unsigned removed;
	bool malformed;
} blocks[] = {
    {"nothing to do", "A: 1\nB: 2\n\nbody\n", "A: 1\nB: 2\n\nbody\n", 0, false},
    {"first", FORGED "A: 1\n\nbody\n", "A: 1\n\nbody\n", 1, false},
    {"last", "A: 1\n" FORGED "\nbody\n", "A: 1\n\nbody\n", 1, false},
    {"several", FORGED "A: 1\n  2\n" FORGED FORGED "B: 2\n" FORGED "\n" FORGED,
	"A: 1\n  2\nB: 2\n\n" FORGED, 4, false},
    {"nothing but it", FORGED, "", 1, false},
    {"no body", "A: 1\n" FORGED, "A: 1\n", 1, false},
    {"no end of line", "A: 1\nAuthentication-Results: mx.our.example", "A: 1\n", 1, false},
    {"body only", "\n" FORGED, "\n" FORGED, 0, false},
    {"empty", "", "", 0, false},
    {"behind a line that is no field", "A: 1\nno field\n" FORGED "\nbody\n",
	"A: 1\nno field\n\nbody\n", 1, true},
    {"behind a line of blanks", "A: 1\n \n" FORGED "\nbody\n", "A: 1\n \n\nbody\n", 1, false},
    {"behind an mbox line", "From x@y Mon\n" FORGED "\nbody\n", "From x@y Mon\n\nbody\n", 1, true},
    {"of another", "Authentication-Results: other.example; spf=pass\n\n",
	"Authentication-Results: other.example; spf=pass\n\n", 0, false},
    {"row_204 many results of another",
	"Authentication-Results: other.example; a=b; a=b; a=b; a=b; a=b; a=b; a=b; a=b; a=b; a=b;"
	" a=b; a=b; a=b; a=b; a=b; a=b; a=b; a=b\n\n",
	"Authentication-Results: other.example; a=b; a=b; a=b; a=b; a=b; a=b; a=b; a=b; a=b; a=b;"
	" a=b; a=b; a=b; a=b; a=b; a=b; a=b; a=b\n\n",
	0, false},
    {"row_205_207_208_210_211 all of this stays",
	"ARC-Seal: x\nReturn-Path: <x@y>\nDisposition-Notification-To: a@b\n"
	"Return-Receipt-To: a@b\nSubject: 1\nSubject: 2\nDate: x\nBcc: c@d\n\n",
	"ARC-Seal: x\nReturn-Path: <x@y>\nDisposition-Notification-To: a@b\n"
	"Return-Receipt-To: a@b\nSubject: 1\nSubject: 2\nDate: x\nBcc: c@d\n\n",
	0, false},
    {"row_206 Received-SPF",
	"Received-SPF: pass\n (x)\nA: 1\nreceived-spf : pass\n\nReceived-SPF: x\n",
	"A: 1\n\nReceived-SPF: x\n", 2, false},
    {"row_206 ours", "X-Gatehouse-Disposition: none\nA: 1\n\n", "A: 1\n\n", 1, false},
    {"row_206 ours, lists", "x-gatehouse-listed: no\nA: 1\n\n", "A: 1\n\n", 1, false},
    {"row_206 of the site", "X-Spam-Flag: NO\nX-TRUST\t: yes\nX-Trusted: 1\n\n", "X-Trusted: 1\n\n",
	2, false},
};

static void
strip_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		struct header_scan scan;
		size_t len = strlen(blocks[i].in), left;
		uint8_t room[1024];

		memcpy(room, blocks[i].in, len);
		header_scan(span_of(room, len), true, &rules, &scan);
		if (scan.removed != blocks[i].removed || scan.malformed != blocks[i].malformed ||
		    !scan.complete)
			fail_msg("%s: %u removed", blocks[i].name, scan.removed);
		left = header_strip(room, scan.block_len, &rules);
		assert_int_equal(left, scan.block_len - scan.removed_len);
		memmove(room + left, room + scan.block_len, len - scan.block_len);
		if (!span_eq(span_of(room, left + len - scan.block_len), span_str(blocks[i].out)))
			fail_msg("%s", blocks[i].name);
	}
}

/* Whatever part of the content has been read so far, the scan knows when it has not seen the end,
 * and then says nothing final. */
static void
scan_in_parts(void **state)
{
	struct span whole = SPAN("A: 1\n" FORGED "B: 2\n 3\n\nbody: x\n");
	struct header_scan last, scan;

	(void)state;
	header_scan(whole, true, &rules, &last);
	for (size_t n = 0; n <= whole.len; n++) {
		header_scan(span_head(whole, n), false, &rules, &scan);
		assert_true(scan.block_len <= last.block_len);
		if (scan.complete) {
			assert_int_equal(scan.block_len, last.block_len);
			assert_int_equal(scan.removed_len, last.removed_len);
		} else
			assert_true(n <= last.block_len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_203_claims),
	    cmocka_unit_test(row_203_long_field),
	    cmocka_unit_test(strip_all),
	    cmocka_unit_test(scan_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

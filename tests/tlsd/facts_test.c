#include "tlsd/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
tokens(void **state)
{
	char token[66];

	(void)state;
	assert_true(facts_token_ok("TLSv1.3", 32));
	assert_true(facts_token_ok("ECDHE-RSA-AES256-GCM-SHA384", 64));
	assert_true(facts_token_ok("TLS_AES_256_GCM_SHA384", 64));
	assert_false(facts_token_ok(NULL, 32));
	assert_false(facts_token_ok("", 32));
	assert_false(facts_token_ok("TLS v1", 32));
	for (int c = 1; c < 256; c++) {
		char one[2] = {(char)c, '\0'};
		bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		            (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';

		assert_int_equal(facts_token_ok(one, 1), fine);
	}
	memset(token, 'x', 65);
	token[65] = '\0';
	assert_false(facts_token_ok(token, 64));
	token[64] = '\0';
	assert_true(facts_token_ok(token, 64));
}

static void
row_131_names(void **state)
{
	static const struct {
		const char *sent, *told;
	} rows[] = {
	    {"mx.example", "mx.example"},
	    {"MX.EXAMPLE", "mx.example"},
	    {"localhost", "localhost"},
	    {"xn--mx-eka.example", "xn--mx-eka.example"},
	    {"a_b.example", "a_b.example"},
	    {"", ""},
	    {".", ""},
	    {"mx.example.", ""},
	    {".mx.example", ""},
	    {"mx..example", ""},
	    {"-mx.example", ""},
	    {"mx-.example", ""},
	    {"*.example", ""},
	    {"mx .example", ""},
	    {"mx\r\n.example", ""},
	    {"mx\x7f.example", ""},
	    {"m\xc3\xbcx.example", ""},
	    {"\"mx\".example", ""},
	    {"192.0.2.1", ""},
	    {"[192.0.2.1]", ""},
	    {"2001:db8::1", ""},
	};
	uint8_t room[255];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = BUF_OVER(room);

		facts_server_name(&b, rows[i].sent);
		assert_true(span_eq(buf_span(&b), span_str(rows[i].told)));
	}
}

static void
row_131_long_names(void **state)
{
	char name[300];
	uint8_t room[255];

	(void)state;
	for (size_t len = 200; len < sizeof(name); len++) {
		struct buf b = BUF_OVER(room);

		for (size_t i = 0; i < len; i++)
			name[i] = i % 50 == 49 && i != len - 1 ? '.' : 'a';
		name[len] = '\0';
		facts_server_name(&b, name);
		assert_false(b.full);
		assert_int_equal(b.len, len <= 255 ? len : 0);
	}
	facts_server_name(&(struct buf){room, 0, 255, false}, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens),
	    cmocka_unit_test(row_131_names),
	    cmocka_unit_test(row_131_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

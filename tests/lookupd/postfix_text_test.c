#include "lookupd/postfix_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The addresses of a text, each in []. */
static const char *
addresses(const char *text)
{
	static char result[8192];
	size_t len = strlen(text), used = 0;
	uint8_t *copy = malloc(len + 1);
	struct span rest = span_of(copy, len);
	struct postfix_address a;

	assert_non_null(copy);
	copy = realloc(copy, len > 0 ? len : 1);
	rest.p = copy;
	memcpy(copy, text, len);
	result[0] = '\0';
	while (postfix_next_address(&rest, &a))
		used += (size_t)snprintf(result + used, sizeof(result) - used, "[%.*s]", (int)a.len,
		    (const char *)a.octets);
	free(copy);
	return result;
}

static void
lists(void **state)
{
	static const struct {
		const char *text, *result;
	} rows[] = {
	    {"", ""},
	    {"  , ,", ""},
	    {"alice", "[alice]"},
	    {"a, b ,c", "[a][b][c]"},
	    {"a b\tc", "[a][b][c]"},
	    {"a@x.example b@y.example", "[a@x.example][b@y.example]"},
	    {"a @ x . example, b", "[a@x.example][b]"},
	    {"\"sp ace\"@x.example", "[sp ace@x.example]"},
	    {"\"q\\\"uote\"@x.example", "[q\"uote@x.example]"},
	    {"Alice Smith <a@x.example>, b", "[a@x.example][b]"},
	    {"\"Smith, A\" <a@x.example> b", "[a@x.example][b]"},
	    {"a (the , first (one)), b", "[a][b]"},
	    {"|/bin/false", "[|/bin/false]"},
	    {"\"|/bin/prog -a 'x y'\"", "[|/bin/prog -a 'x y']"},
	    {"|\"/bin/prog x\"", "[|/bin/prog x]"},
	    {"/var/mail/all, a", "[/var/mail/all][a]"},
	    {":include:/etc/list", "[:include:/etc/list]"},
	    {"\":include:/etc/my list\"", "[:include:/etc/my list]"},
	    {"\\alice, b", "[alice][b]"},
	    {"u@[192.0.2.1]", "[u@[192.0.2.1]]"},
	    {"a!b%c", "[a!b%c]"},
	    {"<a@b.example", "[a@b.example]"},
	    {"<>", "[]"},
	    {"\"\"", "[]"},
	    {"\"open", "[open]"},
	    {"(open", ""},
	    {"\\", "[\\]"},
	    {"\"\\", "[\\]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(addresses(rows[i].text), rows[i].result);
}

static void
splits(void **state)
{
	static const struct {
		const char *local, *delimiters;
		size_t len;
	} rows[] = {
	    {"u+x", "+", 1},
	    {"u-x", "+", 3},
	    {"u+x-y", "-+", 1},
	    {"+x", "+", 2},
	    {"+x+y", "+", 4},
	    {"u+", "+", 1},
	    {"u", "+", 1},
	    {"u+x", "", 3},
	    {"owner-list", "-", 10},
	    {"Owner-list", "+-", 10},
	    {"owner-list", "+", 10},
	    {"owner+list", "-+", 5},
	    {"foo-request", "-", 11},
	    {"foo-x-REQUEST", "-", 13},
	    {"-request", "-", 8},
	    {"postmaster", "m", 10},
	    {"mailer-daemon", "-", 13},
	    {"double-bounce", "-", 13},
	    {"double-bounce-x", "-", 6},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(postfix_split(span_str(rows[i].local),
				     span_str(rows[i].delimiters), true, SPAN("double-bounce")),
		    rows[i].len);
	assert_int_equal(postfix_split(SPAN("foo-request"), SPAN("-"), false, SPAN("x")), 3);
}

static void
quoting(void **state)
{
	static const struct {
		const char *address, *quoted;
	} rows[] = {
	    {"a.b@x.example", "a.b@x.example"},
	    {"sp ace@x.example", "\"sp ace\"@x.example"},
	    {"a@b@x.example", "\"a@b\"@x.example"},
	    {".a@x.example", "\".a\"@x.example"},
	    {"a..b@x.example", "\"a..b\"@x.example"},
	    {"a\"\\@x.example", "\"a\\\"\\\\\"@x.example"},
	    {"bare", "bare"},
	    {"sp ace", "\"sp ace\""},
	    {"@x.example", "\"\"@x.example"},
	};
	uint8_t octets[POSTFIX_QUOTED_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = BUF_OVER(octets);
		struct postfix_address back;
		struct span rest;

		postfix_put_quoted(&b, span_str(rows[i].address));
		assert_int_equal(b.len, strlen(rows[i].quoted));
		assert_memory_equal(octets, rows[i].quoted, b.len);
		rest = buf_span(&b);
		assert_true(postfix_next_address(&rest, &back));
		assert_true(span_eq(postfix_span(&back), span_str(rows[i].address)));
	}
}

static void
overlong(void **state)
{
	static uint8_t text[3 * POSTFIX_ADDRESS_MAX];
	struct span rest = span_of(text, sizeof(text));
	struct postfix_address a;

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_true(postfix_next_address(&rest, &a));
	assert_true(a.overlong);
	assert_int_equal(rest.len, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists),
	    cmocka_unit_test(splits),
	    cmocka_unit_test(quoting),
	    cmocka_unit_test(overlong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

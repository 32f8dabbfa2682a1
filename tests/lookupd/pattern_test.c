/* The matcher is held against regexec() of the C library. */
#include "lookupd/pattern.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void
compare(const char *expression, const char *text)
{
	static struct pattern p;
	const char *error = pattern_compile(&p, span_str(expression));
	regex_t r;
	bool expected;

	if (error != NULL)
		fail_msg("%s: %s", expression, error);
	assert_int_equal(regcomp(&r, expression, REG_EXTENDED | REG_ICASE | REG_NOSUB), 0);
	expected = regexec(&r, text, 0, NULL, 0) == 0;
	regfree(&r);
	if (pattern_matches(&p, span_str(text)) != expected)
		fail_msg("/%s/ on \"%s\": the C library says %d", expression, text, expected);
}

static void
expressions(void **state)
{
	static const char *const patterns[] = {"^re-[0-9]+@va\\.test$", "a", "^a", "a$", "^$",
	    "^a*$", "a|b", "^(a|b)$", "^(a|b|ab)+c$", "(ab)*c", "^(ab)?c$", "a{2}", "^a{2,3}$",
	    "^a{2,}b$", "^(ab){0,2}$", "^a{0}b$", "[abc]", "[^abc]", "[a-c]x", "[]a]", "[^]a]",
	    "[a-]", "[[:digit:]]+", "^[[:alpha:]_]+$", "a.c", "a\\.c", "(a*)*b", "(a|aa)+$",
	    "((a|b)(c|d))+", "^.*@x$", "x(y|z|)w?", "(^a|b$)", "(a+b+){2}c", "A", "[A-Z]",
	    "(a?){5}a{3}b"};
	static const char *const texts[] = {"", "a", "b", "c", "ab", "abc", "aab", "aaab", "ababc",
	    "re-12@va.test", "re-@va.test", "re-1xva.test", "x]", "-", "_", "a.c", "axc", "ac",
	    "foo@x", "aabbaabbc", "xyw", "xw", "acbd", "123", "aaaaab", "aaa", "aa", "ABC", "z"};

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
			compare(patterns[i], texts[k]);
	}
}

/* Random expressions of a small alphabet. */
static void
put_random(char *out, size_t *len, unsigned depth)
{
	static const char *const atoms[] = {"a", "b", ".", "[ab]", "[^a]", "\\."};
	static const char *const repeats[] = {
	    "", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,1}", "{2,}"};
	unsigned parts = 1 + (unsigned)rand() % 3;

	for (unsigned i = 0; i < parts && *len < 60; i++) {
		if (depth > 0 && rand() % 3 == 0) {
			out[(*len)++] = '(';
			put_random(out, len, depth - 1);
			if (rand() % 2 == 0) {
				out[(*len)++] = '|';
				put_random(out, len, depth - 1);
			}
			out[(*len)++] = ')';
		} else
			*len += (size_t)sprintf(out + *len, "%s", atoms[rand() % 6]);
		*len += (size_t)sprintf(out + *len, "%s", repeats[rand() % 10]);
	}
	out[*len] = '\0';
}

static void
random_expressions(void **state)
{
	(void)state;
	srand(7);
	for (unsigned i = 0; i < 1500; i++) {
		char expression[400] = "", anchored[408], text[16];
		size_t len = 0;

		put_random(expression, &len, 2);
		if (strstr(expression, "(|") != NULL || strstr(expression, "|)") != NULL)
			continue; /* an empty alternative */
		snprintf(anchored, sizeof(anchored), "%s%s%s", rand() % 2 ? "^(" : "(", expression,
		    rand() % 2 ? ")$" : ")");
		for (unsigned k = 0; k < 6; k++) {
			size_t n = (size_t)rand() % 9;

			for (size_t c = 0; c < n; c++)
				text[c] = "aabb.c"[rand() % 6];
			text[n] = '\0';
			compare(anchored, text);
		}
	}
}

static void
what_is_not_taken(void **state)
{
	static const char *const rows[] = {"(", ")", "a)", "[a", "[[:nope:]]", "[[.a.]]", "*a",
	    "a|*", "\\1", "(a)\\1", "\\w", "a{", "a{x}", "a{3,2}", "a{1,1000}", "\\", "a||b", "|a",
	    "[b-a]", "((((((((((((((((((((((a))))))))))))))))))))))", "((a{90}){90}){90}", "^*"};
	static struct pattern p;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(rows) / sizeof(rows[0]); i++)
		if (pattern_compile(&p, span_str(rows[i])) == NULL)
			fail_msg("%s is taken", rows[i]);
}

/* What makes backtracking take years. */
static void
time_is_bounded(void **state)
{
	static struct pattern p;
	static uint8_t text[512];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_null(pattern_compile(&p, SPAN("^((a*)*(a|aa|aaa)+)*b$")));
	assert_false(pattern_matches(&p, span_of(text, sizeof(text))));
	assert_null(pattern_compile(&p, SPAN("(a?){90}a{90}b")));
	assert_false(pattern_matches(&p, span_of(text, sizeof(text))));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(expressions),
	    cmocka_unit_test(random_expressions),
	    cmocka_unit_test(what_is_not_taken),
	    cmocka_unit_test(time_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

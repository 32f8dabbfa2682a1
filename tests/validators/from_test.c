/* Rows 191 to 202: who the authors are. Each row is also read with every fold that it can have. */
#include "validators/from.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GOOD(domains) FROM_GOOD, domains
#define BAD FROM_MALFORMED, ""
#define NOBODY FROM_MISSING, ""
#define LOCAL FROM_NO_DOMAIN, ""

static const struct {
	const char *name, *value;
	enum from_status status;
	const char *domains; /* in their order, with a space between */
} rows[] = {
    {"plain", " a@x.example", GOOD("x.example")},
    {"angle", "<a@x.example>", GOOD("x.example")},
    {"phrase", " Alice A. <a@x.example>", GOOD("x.example")},
    {"quoted", " \"Alice, A\" <a@x.example>", GOOD("x.example")},
    {"comment after", " a@x.example (Alice)", GOOD("x.example")},
    {"comment before", " (Alice) a@x.example", GOOD("x.example")},
    {"comment after angle", " Alice <a@x.example> (home)", GOOD("x.example")},
    {"nested comment", " a@x.example (A (b) \\( c)", GOOD("x.example")},
    {"case", " A@X.EXAMPLE", GOOD("x.example")},
    {"quoted local part", " \"a b@c\"@x.example", GOOD("x.example")},
    {"angle in quotes", " <\"a>b\"@x.example>", GOOD("x.example")},
    {"comma in phrase", " Smith, John <j@x.example>", GOOD("x.example")},
    {"two commas in phrase", " Smith, John, Dr. <j@x.example>", GOOD("x.example")},
    {"address as phrase", " j@x.example <j@x.example>", GOOD("x.example")},
    {"brackets in phrase", " [Ticket #1] J <j@x.example>", GOOD("x.example")},
    {"colon in phrase", " Re: John <j@x.example>", GOOD("x.example")},
    {"dots in phrase", " J. R. R. T. <j@x.example>", GOOD("x.example")},
    {"raw octets in phrase", " J\xf6rg <j@x.example>", GOOD("x.example")},
    {"apostrophe", " O'Neil <o'neil@x.example>", GOOD("x.example")},
    {"slash and at", " John @ Corp/Sales <j@x.example>", GOOD("x.example")},
    {"dots in local part", " <.j..d.@x.example>", GOOD("x.example")},
    {"underscore", " <j@under_score.x.example>", GOOD("under_score.x.example")},
    {"spaces in angle", " < j@x.example >", GOOD("x.example")},
    {"empty elements", " , a@x.example,,", GOOD("x.example")},
    {"same domain twice", " a@x.example, b@X.example", GOOD("x.example")},
    {"group", " Team: a@x.example, B <b@x.example>;", GOOD("x.example")},
    {"row_192", " a@x.example, b@y.example", GOOD("x.example y.example")},
    {"row_193", " a@x.example, b", BAD},
    {"row_193 other order", " b, a@x.example", BAD},
    {"row_194", " =?utf-8?b?PGFAbGVnaXQ+?=,<b@attack.example>", GOOD("attack.example")},
    {"row_195", " <@attack.example,@x:a@legit.example>", BAD},
    {"row_196", " <a@legit.example>\\,<b@attack.example>", BAD},
    {"row_197", " a@legit.example,<b@attack.example>", GOOD("legit.example attack.example")},
    {"row_197 semicolon", " a@legit.example;<b@attack.example>", GOOD("legit.example attack.example")},
    {"row_198", " <b@attack.example>a@legit.example", BAD},
    {"row_198 space", " <b@attack.example> a@legit.example", BAD},
    {"row_199", " \"a@legit.example\" <b@attack.example>", GOOD("attack.example")},
    {"row_200 empty group", " undisclosed:;", NOBODY},
    {"row_200 empty", " ", NOBODY},
    {"row_200 nothing", "", NOBODY},
    {"row_200 comment only", " (a@x.example)", NOBODY},
    {"phrase only", " Alice", BAD},
    {"two angles", " <a@x.example> <b@y.example>", BAD},
    {"angle in angle", " <<a@x.example>>", BAD},
    {"no end of angle", " <a@x.example", BAD},
    {"no begin of angle", " a@x.example>", BAD},
    {"no end of quotes", " \"Alice <a@x.example>", BAD},
    {"no end of comment", " (Alice <a@x.example>", BAD},
    {"comment in address", " <a@legit.example(.attack.example>", BAD},
    {"comment in angle", " <a(x)@legit.example>", BAD},
    {"row_231 quote in domain", " <a@legit.example'a.attack.example>", BAD},
    {"empty angle", " Alice <>", BAD},
    {"no local part", " <@x.example>", BAD},
    {"two ats", " <a@b@x.example>", BAD},
    {"two ats bare", " a@legit.example@x.example", BAD},
    {"words around", " see a@x.example", BAD},
    {"backslash in phrase", " A\\B <a@x.example>", BAD},
    {"at before colon", " a@legit.example: <b@attack.example>", BAD},
    {"nul", " a\1@x.example", BAD},
    {"row_202 xn--", " a@xn--garbage.example", GOOD("xn--garbage.example")},
    {"row_202 U-label", " a@b\xc3\xbc" "cher.example", GOOD("xn--bcher-kva.example")},
    {"row_202 U-label upper case", " a@B\xc3\x9c" "CHER.example", GOOD("xn--bcher-kva.example")},
    {"row_202 other dot", " a@x\xe3\x80\x82" "example", GOOD("x.example")},
    {"row_202 raw octets", " a@b\xfc" "cher.example", BAD},
    {"row_202 literal", " a@[192.0.2.1]", LOCAL},
    {"row_202 literal in angle", " <a@[IPv6:2001:db8::1]>", LOCAL},
    {"row_202 single label", " root@localhost", LOCAL},
    {"row_202 trailing dot", " a@x.example.", BAD},
    {"row_202 two dots", " a@x..example", BAD},
    {"row_202 leading dot", " a@.x.example", BAD},
    {"local and real", " root@localhost, a@x.example", GOOD("x.example")},
    {"four domains", " a@a.ex, a@b.ex, a@c.ex, a@d.ex", GOOD("a.ex b.ex c.ex d.ex")},
    {"five domains", " a@a.ex, a@b.ex, a@c.ex, a@d.ex, a@e.ex", FROM_SEVERAL, ""},
};

static void
check(const char *name, struct span value, enum from_status status, const char *domains)
{
	struct from_authors a;
	uint8_t room[1100];
	struct buf found = BUF_OVER(room);

	from_parse(value, &a);
	for (size_t i = 0; i < a.count; i++) {
		if (i > 0)
			buf_put_str(&found, " ");
		buf_put_span(&found, from_domain_span(&a.domains[i]));
	}
	if (a.status != status || !span_eq(buf_span(&found), span_str(domains)))
		fail_msg("%s: status %d, domains \"%.*s\"", name, a.status, (int)found.len, room);
}

static void
every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i].name, span_str(rows[i].value), rows[i].status, rows[i].domains);
}

/* A fold is a space, wherever there is one. */
static void
every_row_folded(void **state)
{
	uint8_t folded[4 * 200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = BUF_OVER(folded);

		for (const char *p = rows[i].value; *p != '\0'; p++)
			if (*p == ' ')
				buf_put_str(&b, "\n \t");
			else
				buf_put_u8(&b, (uint8_t)*p);
		check(rows[i].name, buf_span(&b), rows[i].status, rows[i].domains);
	}
}

/* Cut anywhere, a value is read without reading beyond it (the sanitizer looks). */
static void
every_row_cut(void **state)
{
	struct from_authors a;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span whole = span_str(rows[i].value);

		for (size_t n = 0; n < whole.len; n++) {
			uint8_t *copy = test_malloc(n + 1);

			memcpy(copy, whole.p, n);
			from_parse(span_of(copy, n), &a);
			assert_true(a.count == 0 || a.status == FROM_GOOD);
			test_free(copy);
		}
	}
}

static void
row_201_much_of_it(void **state)
{
	static uint8_t big[1 << 20];
	static const char *const what[] = {"(", "\"", "<", ",", "a@x.example,", ":", "\\", "@"};
	struct from_authors a;

	(void)state;
	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		size_t len = strlen(what[i]);

		for (size_t at = 0; at < sizeof(big); at++)
			big[at] = (uint8_t)what[i][at % len];
		from_parse(span_of(big, sizeof(big)), &a);
		assert_int_equal(a.status, FROM_MALFORMED);
		from_parse(span_of(big, FROM_VALUE_MAX), &a);
		assert_int_not_equal(a.status, i == 4 ? FROM_MALFORMED : FROM_GOOD);
	}
}

static void
row_202_long_names(void **state)
{
	char value[400] = "a@";
	struct from_authors a;

	(void)state;
	for (size_t i = 2; i < 302; i++)
		value[i] = i % 50 == 49 ? '.' : 'x';
	from_parse(span_str(value), &a);
	assert_int_equal(a.status, FROM_MALFORMED);
	memset(value + 2, 'x', 64);
	strcpy(value + 66, ".example");
	from_parse(span_str(value), &a);
	assert_int_equal(a.status, FROM_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row),
	    cmocka_unit_test(every_row_folded),
	    cmocka_unit_test(every_row_cut),
	    cmocka_unit_test(row_201_much_of_it),
	    cmocka_unit_test(row_202_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Rows 78 to 95 and 103 to 115, as far as the address decides them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/address.h"

static const struct {
	const char *name;
	struct span text;
	enum address_status status;
	struct span inside; /* when ADDRESS_OK */
} mailboxes[] = {
    {"plain", SPAN("a@b.example"), ADDRESS_OK, SPAN("a@b.example")},
    {"case is kept", SPAN("UsEr@OURS.Example"), ADDRESS_OK, SPAN("UsEr@OURS.Example")},
    {"all of atext", SPAN("!#$%&'*+-/=?^_`{|}~09azAZ@b"), ADDRESS_OK,
	SPAN("!#$%&'*+-/=?^_`{|}~09azAZ@b")},
    {"underscore in the domain", SPAN("a@_b.c_d"), ADDRESS_OK, SPAN("a@_b.c_d")},
    {"literal", SPAN("a@[192.0.2.1]"), ADDRESS_OK, SPAN("a@[192.0.2.1]")},
    {"literal 6", SPAN("a@[IPv6:2001:db8::1]"), ADDRESS_OK, SPAN("a@[IPv6:2001:db8::1]")},
    {"row_081 quoted quote", SPAN("\"a\\\"b\"@c"), ADDRESS_OK, SPAN("a\"b@c")},
    {"row_081 quoted space", SPAN("\"a b\"@c"), ADDRESS_OK, SPAN("a b@c")},
    {"row_081 quoted at", SPAN("\"a@b\"@c"), ADDRESS_OK, SPAN("a@b@c")},
    {"quotes not needed", SPAN("\"u\"@c"), ADDRESS_OK, SPAN("u@c")},
    {"quoted letter", SPAN("\"\\a\"@c"), ADDRESS_OK, SPAN("a@c")},
    {"row_104 dot first", SPAN(".u@d"), ADDRESS_OK, SPAN(".u@d")},
    {"row_104 dot last", SPAN("u.@d"), ADDRESS_OK, SPAN("u.@d")},
    {"row_104 two dots", SPAN("u..v@d"), ADDRESS_OK, SPAN("u..v@d")},
    {"row_079 at", SPAN("@"), ADDRESS_SYNTAX, SPAN("")},
    {"row_079 no domain", SPAN("a@"), ADDRESS_SYNTAX, SPAN("")},
    {"row_079 no local part", SPAN("@b"), ADDRESS_SYNTAX, SPAN("")},
    {"row_079 two ats", SPAN("a@@b"), ADDRESS_SYNTAX, SPAN("")},
    {"row_079 two domains", SPAN("a@b@c"), ADDRESS_SYNTAX, SPAN("")},
    {"row_079 space", SPAN("a b@c"), ADDRESS_SYNTAX, SPAN("")},
    {"no at", SPAN("a"), ADDRESS_SYNTAX, SPAN("")},
    {"row_080 shell", SPAN(";for i in 0 1 2 3;do read r;done;sh;exit 0;"), ADDRESS_SYNTAX,
	SPAN("")},
    {"row_082 unclosed quote", SPAN("\"abc@d"), ADDRESS_SYNTAX, SPAN("")},
    {"row_082 ends in a backslash", SPAN("\"a\\"), ADDRESS_SYNTAX, SPAN("")},
    {"text behind the quotes", SPAN("\"a\"b@c"), ADDRESS_SYNTAX, SPAN("")},
    {"empty quotes", SPAN("\"\"@c"), ADDRESS_SYNTAX, SPAN("")},
    {"row_084 route", SPAN("@ours.example:u@attacker.example"), ADDRESS_ROUTE, SPAN("")},
    {"row_084 two-step route", SPAN("@a,@b:u@ours.example"), ADDRESS_ROUTE, SPAN("")},
    {"row_087 dot at the end", SPAN("u@ours.example."), ADDRESS_SYNTAX, SPAN("")},
    {"dot at the start", SPAN("u@.example"), ADDRESS_SYNTAX, SPAN("")},
    {"two dots in the domain", SPAN("u@a..b"), ADDRESS_SYNTAX, SPAN("")},
    {"hyphen first", SPAN("u@-a.b"), ADDRESS_SYNTAX, SPAN("")},
    {"hyphen last", SPAN("u@a-.b"), ADDRESS_SYNTAX, SPAN("")},
    {"hyphen at the end", SPAN("u@a.b-"), ADDRESS_SYNTAX, SPAN("")},
    {"row_090 double bounce", SPAN("#@[]"), ADDRESS_SYNTAX, SPAN("")},
    {"row_091 VERP", SPAN("x-@host.example-@[]"), ADDRESS_SYNTAX, SPAN("")},
    {"bad literal", SPAN("u@[1.2.3]"), ADDRESS_SYNTAX, SPAN("")},
    {"literal without tag", SPAN("u@[2001:db8::1]"), ADDRESS_SYNTAX, SPAN("")},
    {"tag on a v4 literal", SPAN("u@[IPv6:192.0.2.1]"), ADDRESS_SYNTAX, SPAN("")},
    {"row_094 tab", SPAN("\"a\tb\"@c"), ADDRESS_SYNTAX, SPAN("")},
    {"row_094 quoted CR", SPAN("\"a\\\rb\"@c"), ADDRESS_SYNTAX, SPAN("")},
    {"row_094 LF", SPAN("\"a\nb\"@c"), ADDRESS_SYNTAX, SPAN("")},
    {"row_094 DEL", SPAN("\"a\x7f\"@c"), ADDRESS_SYNTAX, SPAN("")},
    {"row_034 NUL", SPAN("a\0b@c"), ADDRESS_SYNTAX, SPAN("")},
    {"NUL in quotes", SPAN("\"a\0b\"@c"), ADDRESS_SYNTAX, SPAN("")},
    {"NUL in the domain", SPAN("a@b\0c"), ADDRESS_SYNTAX, SPAN("")},
    {"row_095 UTF-8", SPAN("\xc3\xbcser@ours.example"), ADDRESS_OK,
	SPAN("\xc3\xbcser@ours.example")},
    {"U-label",
	SPAN("u@b\xc3\xbc"
	     "cher.example"),
	ADDRESS_OK,
	SPAN("u@b\xc3\xbc"
	     "cher.example")},
    {"UTF-8 quoted", SPAN("\"\xe2\x82\xac b\"@c"), ADDRESS_OK, SPAN("\xe2\x82\xac b@c")},
    {"UTF-8 quoted pair", SPAN("\"\\\xc3\xbc\"@c"), ADDRESS_SYNTAX, SPAN("")},
    {"UTF-8 outside the plane", SPAN("\xf0\x9f\x98\x80@c"), ADDRESS_OK, SPAN("\xf0\x9f\x98\x80@c")},
    {"C1 control", SPAN("a\xc2\x85@c"), ADDRESS_NON_ASCII, SPAN("")},
    {"surrogate", SPAN("\xed\xa0\x80@c"), ADDRESS_NON_ASCII, SPAN("")},
    {"beyond Unicode", SPAN("\xf4\x90\x80\x80@c"), ADDRESS_NON_ASCII, SPAN("")},
    {"half a character", SPAN("u@c\xc3"), ADDRESS_NON_ASCII, SPAN("")},
    {"half a character before the at", SPAN("u\xc3@c"), ADDRESS_NON_ASCII, SPAN("")},
    {"U-label with a space", SPAN("u@\xc3\xbc b"), ADDRESS_SYNTAX, SPAN("")},
    {"U-label in brackets", SPAN("u@[\xc3\xbc]"), ADDRESS_SYNTAX, SPAN("")},
    {"U-labels with two dots", SPAN("u@\xc3\xbc..b"), ADDRESS_SYNTAX, SPAN("")},
    {"U-label and a dot", SPAN("u@\xc3\xbc."), ADDRESS_SYNTAX, SPAN("")},
    {"row_095 overlong", SPAN("\xc0\xaf@ours.example"), ADDRESS_NON_ASCII, SPAN("")},
    {"row_103 comment", SPAN("u(c)@ours.example"), ADDRESS_SYNTAX, SPAN("")},
    {"row_103 comment behind", SPAN("u@ours.example (c)"), ADDRESS_SYNTAX, SPAN("")},
    {"row_106 include", SPAN(":include:/x@ours"), ADDRESS_SYNTAX, SPAN("")},
    {"row_115 netstring", SPAN("5:a@b.c,@d.example"), ADDRESS_SYNTAX, SPAN("")},
};

static void
mailboxes_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mailboxes) / sizeof(mailboxes[0]); i++) {
		struct address f, r;
		enum address_status forward = address_parse_forward(mailboxes[i].text, &f);
		enum address_status reverse = address_parse_reverse(mailboxes[i].text, &r);

		if (forward != mailboxes[i].status || reverse != forward ||
		    !span_eq(address_span(&f), mailboxes[i].inside) ||
		    !span_eq(address_span(&r), mailboxes[i].inside)) {
			print_error("%s: %d\n", mailboxes[i].name, (int)forward);
			fail();
		}
	}
}

static void
row_078_row_088_row_089_special_paths(void **state)
{
	struct address a;

	(void)state;
	assert_int_equal(address_parse_reverse(SPAN(""), &a), ADDRESS_OK);
	assert_int_equal(a.len, 0);
	assert_int_equal(address_parse_forward(SPAN(""), &a), ADDRESS_SYNTAX);
	assert_int_equal(address_parse_forward(SPAN("PostMaster"), &a), ADDRESS_OK);
	assert_int_equal(a.local_len, a.len);
	assert_int_equal(address_domain(&a).len, 0);
	assert_int_equal(address_parse_reverse(SPAN("postmaster"), &a), ADDRESS_SYNTAX);
	assert_int_equal(address_from_inside(SPAN(""), &a), ADDRESS_SYNTAX);
	assert_int_equal(address_from_inside(SPAN("postmaster"), &a), ADDRESS_OK);
}

static void
row_092_lengths(void **state)
{
	uint8_t text[700];
	struct address a;

	(void)state;
	for (size_t local = 63; local <= 300; local++) {
		struct buf b = BUF_OVER(text);

		for (size_t i = 0; i < local; i++)
			buf_put_u8(&b, 'a');
		buf_put_str(&b, "@b.example");
		assert_int_equal(address_parse_forward(buf_span(&b), &a),
		    local <= ADDRESS_LOCAL_MAX ? ADDRESS_OK : ADDRESS_LENGTH);
		assert_int_equal(address_from_inside(buf_span(&b), &a),
		    local <= ADDRESS_LOCAL_MAX ? ADDRESS_OK : ADDRESS_LENGTH);
	}
	for (size_t domain = 250; domain <= 300; domain++) {
		struct buf b = BUF_OVER(text);

		buf_put_str(&b, "u@");
		for (size_t i = 1; i <= domain; i++)
			buf_put_u8(&b, i % 50 == 0 && i < domain ? '.' : 'd');
		assert_int_equal(address_parse_forward(buf_span(&b), &a),
		    domain <= ADDRESS_DOMAIN_MAX ? ADDRESS_OK : ADDRESS_LENGTH);
	}
	for (size_t label = 62; label <= 65; label++) {
		struct buf b = BUF_OVER(text);

		for (size_t i = 0; i < label; i++)
			buf_put_u8(&b, 'l');
		assert_int_equal(address_domain_ok(buf_span(&b)), label <= ADDRESS_LABEL_MAX);
	}
	assert_false(address_domain_ok(SPAN("")));
}

/* What is written can be read again, and is the same address. */
static void
written_paths_read_the_same(void **state)
{
	static const struct span inside[] = {SPAN("a@b"), SPAN("a b@c"), SPAN("a@b@c"),
	    SPAN("a\"b@c"), SPAN("a\\b@c"), SPAN(".u@d"), SPAN("u..v@d"), SPAN("u.@d"),
	    SPAN("a<>,;:@c"), SPAN("postmaster")};

	(void)state;
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		uint8_t text[600];
		struct buf b = BUF_OVER(text);
		struct address a;

		address_put_path(&b, inside[i]);
		assert_int_equal(address_parse_forward(buf_span(&b), &a), ADDRESS_OK);
		assert_true(span_eq(address_span(&a), inside[i]));
	}
}

static void
quoting_only_where_needed(void **state)
{
	uint8_t text[100];
	struct buf b = BUF_OVER(text);

	(void)state;
	address_put_path(&b, SPAN("a.b@c"));
	buf_put_u8(&b, '|');
	address_put_path(&b, SPAN(".a@c"));
	buf_put_u8(&b, '|');
	address_put_path(&b, SPAN("a\"\\b@c"));
	buf_put_u8(&b, '|');
	address_put_path(&b, SPAN(""));
	assert_true(span_eq(buf_span(&b), SPAN("a.b@c|\".a\"@c|\"a\\\"\\\\b\"@c|")));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mailboxes_both_ways),
	    cmocka_unit_test(row_078_row_088_row_089_special_paths),
	    cmocka_unit_test(row_092_lengths),
	    cmocka_unit_test(written_paths_read_the_same),
	    cmocka_unit_test(quoting_only_where_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

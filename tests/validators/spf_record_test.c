/* The grammar of SPF records; and macros, their grammar and what they become. */
#include "validators/spf_macro.h"
#include "validators/spf_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* In memory of exactly its size. */
static bool
check(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	const char *why;
	bool good;

	memcpy(copy, text, len);
	good = spf_record_is_one(span_of(copy, len)) && spf_record_check(span_of(copy, len), &why);
	free(copy);
	return good;
}

static void
good_records(void **state)
{
	static const char *const rows[] = {
	    "v=spf1",
	    "V=SPF1 -all",
	    "v=spf1  a  mx  ptr ~all ",
	    "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -ip4:192.0.2.1",
	    "v=spf1 ip4:0.0.0.0/0 ip6:::/0",
	    "v=spf1 ip6:::ffff:192.0.2.1",
	    "v=spf1 a/24 a//64 a/24//64 a:x.example/0//0 mx:%{d}/32",
	    "v=spf1 include:_spf.example.com exists:%{ir}.%{v}._spf.%{d2}",
	    "v=spf1 redirect=_spf.example.com exp=x.%{d}",
	    "v=spf1 ptr:example.com. a:x.1-1",
	    "v=spf1 foo=bar f.o-o_1=%{l1r+-}%%%_%- x=",
	    "v=spf1 +a:a.%{s}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(check(rows[i], strlen(rows[i])));
}

static void
bad_records(void **state)
{
	static const struct span rows[] = {
	    SPAN("v=spf10 -all"),
	    SPAN("v=spf1\t-all"),
	    SPAN("v=spf1 -all\0"),
	    SPAN("v=spf1 a\xc3\xa4 -all"),
	    SPAN("v=spf1 foo"),
	    SPAN("v=spf1 +"),
	    SPAN("v=spf1 ++a"),
	    SPAN("v=spf1 all:example.com"),
	    SPAN("v=spf1 all/24"),
	    SPAN("v=spf1 include"),
	    SPAN("v=spf1 include:"),
	    SPAN("v=spf1 include:example"),
	    SPAN("v=spf1 include:example.com/24"),
	    SPAN("v=spf1 exists"),
	    SPAN("v=spf1 a: -all"),
	    SPAN("v=spf1 a:foo:bar"),
	    SPAN("v=spf1 a:111.222.33.44"),
	    SPAN("v=spf1 a:example.-com"),
	    SPAN("v=spf1 ptr:"),
	    SPAN("v=spf1 redirect="),
	    SPAN("v=spf1 redirect=a.example redirect=b.example"),
	    SPAN("v=spf1 exp=a.example exp=a.example"),
	    SPAN("v=spf1 foo=%abc"),
	    SPAN("v=spf1 foo=a%"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_false(check((const char *)rows[i].p, rows[i].len));
}

static void
row_223_prefixes(void **state)
{
	static const char *const rows[] = {
	    "v=spf1 ip4:1.2.3.4/33",
	    "v=spf1 ip6:::/129",
	    "v=spf1 ip4:1.2.3",
	    "v=spf1 ip4:1.2.3.4.5",
	    "v=spf1 ip4:01.2.3.4",
	    "v=spf1 ip4:1.2.3.4/",
	    "v=spf1 ip4:1.2.3.4/032",
	    "v=spf1 ip4:1.2.3.4/3 2",
	    "v=spf1 ip4:2001:db8::1",
	    "v=spf1 ip6:1.2.3.4",
	    "v=spf1 ip6:::1%lo",
	    "v=spf1 ip4",
	    "v=spf1 ip4:",
	    "v=spf1 a//",
	    "v=spf1 a/",
	    "v=spf1 a///64",
	    "v=spf1 a:/24//129",
	    "v=spf1 a/33",
	    "v=spf1 a//129",
	    "v=spf1 a/-1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_false(check(rows[i], strlen(rows[i])));
}

/* ---- macros ---------------------------------------------------------------------------------- */

static struct span
some_name(void *arg, struct span domain)
{
	(void)arg;
	(void)domain;
	return SPAN("mx.example.org");
}

static struct spf_macro_facts
facts(const char *client)
{
	struct spf_macro_facts f = {
	    .local = SPAN("strong-bad"),
	    .sender_domain = SPAN("email.example.com"),
	    .helo = SPAN("helo.example"),
	    .domain = SPAN("email.example.com"),
	    .validated = some_name,
	};

	assert_true(ip_parse(span_str(client), &f.client));
	return f;
}

/* RFC 7208 7.4 */
static void
expansion(void **state)
{
	static const struct {
		const char *text, *expanded;
	} rows[] = {
	    {"%{s}", "strong-bad@email.example.com"},
	    {"%{o}", "email.example.com"},
	    {"%{d}", "email.example.com"},
	    {"%{d4}", "email.example.com"},
	    {"%{d3}", "email.example.com"},
	    {"%{d2}", "example.com"},
	    {"%{d1}", "com"},
	    {"%{dr}", "com.example.email"},
	    {"%{d2r}", "example.email"},
	    {"%{l}", "strong-bad"},
	    {"%{l-}", "strong.bad"},
	    {"%{lr}", "strong-bad"},
	    {"%{lr-}", "bad.strong"},
	    {"%{l1r-}", "strong"},
	    {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
	    {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
	    {"%{S}", "strong-bad%40email.example.com"},
	    {"%{h}.%{p}", "helo.example.mx.example.org"},
	    {"%%%_%-x", "% %20x"},
	};
	struct spf_macro_facts f = facts("192.0.2.3");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t room[500];
		struct buf b = BUF_OVER(room);

		spf_macro_expand(span_str(rows[i].text), &f, &b);
		assert_false(b.full);
		buf_put_u8(&b, '\0');
		assert_string_equal((const char *)room, rows[i].expanded);
	}
}

static void
expansion_of_ipv6(void **state)
{
	struct spf_macro_facts f = facts("2001:db8::cb01");
	uint8_t room[500];
	struct buf b = BUF_OVER(room);

	(void)state;
	spf_macro_expand(SPAN("%{ir}.%{v}"), &f, &b);
	buf_put_u8(&b, '\0');
	assert_string_equal((const char *)room,
	    "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6");
}

static void
row_220_bad_macros(void **state)
{
	static const char *const rows[] = {"%{", "%", "a.%", "%{d", "%{x}", "%{d0}", "%{c}", "%{r}",
	    "%{t}", "%{}", "%{dd}", "%{d2x}", "%{d.:}", "% {d}", "%{l64r-+=_/", "%a"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_false(spf_macro_string_ok(span_str(rows[i])));
		assert_false(spf_domain_spec_ok(span_str(rows[i])));
	}
	assert_true(spf_domain_spec_ok(SPAN("%{d999999999999}")));
	assert_true(spf_domain_spec_ok(SPAN("%{l64r-+=_/}")));
	assert_false(spf_domain_spec_ok(SPAN("a%_")));
	assert_false(spf_domain_spec_ok(SPAN("%{d}.")));
}

/* The pattern that overruns the stack of the library: here it only does not fit. */
static void
row_220_much_expansion(void **state)
{
	struct spf_macro_facts f = facts("192.0.2.3");
	uint8_t record[2000], room[1000];
	struct buf text = BUF_OVER(record), b = BUF_OVER(room);

	(void)state;
	for (int i = 0; i < 127; i++)
		buf_put_str(&text, "%{d}");
	for (int i = 0; i < 1400; i++)
		buf_put_u8(&text, 'A');
	assert_true(spf_macro_string_ok(buf_span(&text)));
	spf_macro_expand(buf_span(&text), &f, &b);
	assert_true(b.full);
	assert_true(b.len <= sizeof(room));
}

static void
row_220_octets_and_lengths(void **state)
{
	struct spf_macro_facts f = facts("192.0.2.3");
	uint8_t local[128], room[1000];
	struct buf b = BUF_OVER(room);

	(void)state;
	for (size_t i = 0; i < sizeof(local); i++)
		local[i] = i % 2 == 0 ? 0x80 : 0xff;
	f.local = span_of(local, sizeof(local));
	spf_macro_expand(SPAN("%{S}"), &f, &b);
	assert_false(b.full);
	assert_int_equal(b.len, 3 * 128 + 3 + 17);
	/* as many parts as there can be */
	memset(local, '.', sizeof(local));
	b.len = 0;
	spf_macro_expand(SPAN("%{l1r}%{l200}"), &f, &b);
	assert_false(b.full);
}

static void
trimming(void **state)
{
	uint8_t name[520];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[9] = name[265] = '.';
	assert_int_equal(spf_name_trim(span_of(name, 253)).len, 253);
	assert_int_equal(spf_name_trim(span_of(name, 254)).len, 244);
	assert_int_equal(spf_name_trim(span_of(name, 512)).len, 246);
	assert_int_equal(spf_name_trim(span_of(name + 10, 254)).len, 254); /* one label: no name */
	assert_int_equal(spf_name_trim(SPAN("a.")).len, 1);
	assert_int_equal(spf_name_trim(SPAN(".")).len, 0);
	assert_int_equal(spf_name_trim(SPAN("")).len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_records),
	    cmocka_unit_test(bad_records),
	    cmocka_unit_test(row_223_prefixes),
	    cmocka_unit_test(expansion),
	    cmocka_unit_test(expansion_of_ipv6),
	    cmocka_unit_test(row_220_bad_macros),
	    cmocka_unit_test(row_220_much_expansion),
	    cmocka_unit_test(row_220_octets_and_lengths),
	    cmocka_unit_test(trimming),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "lookupd/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a line is, as one text: "KIND local@domain attributes", "-" for none, "! error". */
static const char *
parsed(struct span line)
{
	static const char *const kinds[] = {
	    "address", "extensions", "catch-all", "alias", "domain"};
	static const char *const verdicts[] = {"", " reject", " defer", " discard"};
	static char text[1024];
	/* Exactly as large as the line, so that the sanitizer sees a step beyond it. */
	uint8_t *copy = malloc(line.len > 0 ? line.len : 1);
	struct list_entry e;
	const char *error;
	enum list_status status;

	assert_non_null(copy);
	if (line.len > 0)
		memcpy(copy, line.p, line.len);
	status = list_parse(span_of(copy, line.len), &e, &error);
	if (status == LIST_EMPTY)
		snprintf(text, sizeof(text), "-");
	else if (status == LIST_ERROR)
		snprintf(text, sizeof(text), "! %s", error);
	else
		snprintf(text, sizeof(text), "%s %.*s@%.*s%s %.*s/%.*s [%.*s] [%.*s] %llu",
		    kinds[e.kind], (int)e.local.len, (const char *)e.local.p, (int)e.domain.len,
		    (const char *)e.domain.p, verdicts[e.verdict], (int)e.backend.len,
		    (const char *)e.backend.p, (int)e.class.len, (const char *)e.class.p,
		    (int)e.status.len, (const char *)e.status.p, (int)e.text.len,
		    (const char *)e.text.p, (unsigned long long)e.size);
	if (status == LIST_ENTRY && e.real.len + e.delivered_to.len + e.delimiters.len > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    " real=%.*s to=%.*s cut=%.*s", (int)e.real.len, (const char *)e.real.p,
		    (int)e.delivered_to.len, (const char *)e.delivered_to.p, (int)e.delimiters.len,
		    (const char *)e.delimiters.p);
	free(copy);
	return text;
}

struct row {
	const char *line, *result;
};

static void
good_lines(void **state)
{
	static const struct row rows[] = {
	    {"", "-"},
	    {"  \t ", "-"},
	    {"# all about it", "-"},
	    {"  # indented", "-"},
	    {"\r", "-"},
	    {"# \xc3\xa4\xe2\x82\xac\xf0\x9f\x93\xac", "-"},
	    {"alice@example.com", "address alice@example.com / [] [] 0"},
	    {"alice@example.com\r", "address alice@example.com / [] [] 0"},
	    {"  ALICE@Example.COM\t", "address alice@example.com / [] [] 0"},
	    {"alice@example.com # the one", "address alice@example.com / [] [] 0"},
	    {"#tag@example.com", "-"},
	    {"J\xc3\xb6rg@B\xc3\xbc"
	     "cher.example",
		"address j\xc3\xb6rg@xn--bcher-kva.example / [] [] 0"},
	    {"\"\xe2\x82\xac b\"@example.com", "address \xe2\x82\xac b@example.com / [] [] 0"},
	    {"@x.example alias=b\xc3\xbc"
	     "cher.example",
		"alias @x.example / [] [] 0 real=xn--bcher-kva.example to= cut="},
	    {"a#b@example.com", "address a#b@example.com / [] [] 0"},
	    {"bob+*@example.com", "extensions bob+@example.com / [] [] 0"},
	    {"bob-list-*@example.com", "extensions bob-list-@example.com / [] [] 0"},
	    {"@example.com", "catch-all @example.com / [] [] 0"},
	    {"carol@example.com backend=mailstore", "address carol@example.com mailstore/ [] [] 0"},
	    {"carol@example.com\tbackend=\"mailstore\"\tclass=staff size=10485760",
		"address carol@example.com mailstore/staff [] [] 10485760"},
	    {"dave@example.com reject=\"5.2.1 Mailbox disabled\"",
		"address dave@example.com reject / [5.2.1] [Mailbox disabled] 0"},
	    {"erin@example.com defer=\"4.2.2 Mailbox # full\" # it is",
		"address erin@example.com defer / [4.2.2] [Mailbox # full] 0"},
	    {"@gone.example reject=\"5.1.6 Moved\"",
		"catch-all @gone.example reject / [5.1.6] [Moved] 0"},
	    /* row 104 */
	    {".u@d.example", "address .u@d.example / [] [] 0"},
	    {"u.@d.example", "address u.@d.example / [] [] 0"},
	    {"u..v@d.example", "address u..v@d.example / [] [] 0"},
	    {"postmaster@[192.0.2.1]", "address postmaster@[192.0.2.1] / [] [] 0"},
	    {"a@xn--bcher-kva.example", "address a@xn--bcher-kva.example / [] [] 0"},
	    {"\"John Doe\"@example.com # J.", "address john doe@example.com / [] [] 0"},
	    {"\"a\\\"b\\\\c@d%e!f|g/h#i\"@Example.com class=x",
		"address a\"b\\c@d%e!f|g/h#i@example.com /x [] [] 0"},
	    {"\"-x*\"@example.com", "address -x*@example.com / [] [] 0"},
	    {"@Alias.example alias=Real.Example",
		"alias @alias.example / [] [] 0 real=real.example to= cut="},
	    {"domain:Example.com backend=m class=staff size=9 delimiters=+-",
		"domain @example.com m/staff [] [] 9 real= to= cut=+-"},
	    {"domain:example.com", "domain @example.com / [] [] 0"},
	    {"a@example.com delivered_to=\"a-1@box.example\"",
		"address a@example.com / [] [] 0 real= to=a-1@box.example cut="},
	    {"a@example.com bounces=no", "address a@example.com / [] [] 0"},
	    {"a@example.com discard=yes", "address a@example.com discard / [] [] 0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(parsed(span_str(rows[i].line)), rows[i].result);
}

/* In each row the error must hold these words. */
static void
bad_lines(void **state)
{
	static const struct row rows[] = {
	    {"alice", "no @"},
	    {"alice@", "no domain"},
	    {"@", "no domain"},
	    {"a@b@c.example", "more than one @"},
	    {"alice@example..com", "not a domain"},
	    {"alice@-.example.com-", "not a domain"},
	    {"alice@[300.1.1.1]", "not a domain"},
	    {"alice@example.com.", "not a domain"},
	    {"j\xc2\x85rg@example.com", "control"},
	    {"\"a b@example.com", "quote is not closed"},
	    {"\"a b\\\"@example.com", "quote is not closed"},
	    {"\"\"@example.com", "empty"},
	    {"\"ab\"example.com", "comes @"},
	    {"\"ab\"", "comes @"},
	    {"\"ab\"@", "no domain"},
	    {"\"\xc2\x85\"@example.com", "control"},
	    {"a@\xe2\x82\xac\xef\xbf\xbe.example", "not a domain name"},
	    {"a\"b\"@example.com", "quote stands only"},
	    {"a\\b@example.com", "quote stands only"},
	    {"domain:", "no domain"},
	    {"domain:a@example.com", "not a domain"},
	    {"domain:example.com reject=\"5.2.1 no\"", "a domain takes"},
	    {"domain:example.com delivered_to=x", "a domain takes"},
	    {"domain:example.com delimiters=a", "neither letters"},
	    {"domain:example.com delimiters=@", "neither letters"},
	    {"domain:example.com delimiters=\"\"", "1 to 16"},
	    {"a@example.com delimiters=+", "after a domain"},
	    {"a@example.com alias=b.example", "whole domain"},
	    {"@a.example alias=", "no domain"},
	    {"@a.example alias=A.example", "of itself"},
	    {"@a.example alias=b.example alias=b.example", "whole domain"},
	    {"@a.example alias=b.example class=x", "nothing of its own"},
	    {"@a.example delivered_to=x", "single address"},
	    {"a@example.com delivered_to=\"\"", "1 to 320"},
	    {"a@example.com discard=no", "is yes"},
	    {"a@example.com bounces=yes", "is no"},
	    {"a@example.com bounces=no reject=\"5.2.1 no\"", "not accepted"},
	    {"domain:example.com bounces=no", "a domain takes"},
	    {"@a.example alias=b.example bounces=no", "nothing of its own"},
	    {"a@example.com discard=yes defer=\"4.2.1 no\"", "only one"},
	    {"a(b)@example.com", "cannot have"},
	    {"*@example.com", "break character"},
	    {"+*@example.com", "break character"},
	    {"bob*@example.com", "break character"},
	    {"bob9*@example.com", "break character"},
	    {"bob**@example.com", "break character"},
	    {"b*b@example.com", "* stands only"},
	    {"b*+*@example.com", "* stands only"},
	    {"a@example.com every extension", "name=value"},
	    {"a@example.com backend", "name=value"},
	    {"a@example.com colour=red", "unknown attribute"},
	    {"a@example.com Backend=x", "unknown attribute"},
	    {"a@example.com =x", "unknown attribute"},
	    {"a@example.com backend=", "1 to 64"},
	    {"a@example.com backend=\"\"", "1 to 64"},
	    {"a@example.com backend=a/b", "1 to 64"},
	    {"a@example.com backend=x backend=y", "twice"},
	    {"a@example.com class=x class=x", "twice"},
	    {"a@example.com size=0", "octets"},
	    {"a@example.com size=-1", "octets"},
	    {"a@example.com size=10M", "octets"},
	    {"a@example.com size=18446744073709551616", "octets"},
	    {"a@example.com size=1 size=2", "twice"},
	    {"a@example.com reject=\"no\"", "5.x.y"},
	    {"a@example.com reject=\"4.2.1 no\"", "5.x.y"},
	    {"a@example.com reject=\"5.2 no\"", "5.x.y"},
	    {"a@example.com reject=\"5.02.1 no\"", "5.x.y"},
	    {"a@example.com reject=\"5.2.1000 no\"", "5.x.y"},
	    {"a@example.com reject=\"5.2.1\"", "text of 1 to 200"},
	    {"a@example.com reject=5.2.1", "text of 1 to 200"},
	    {"a@example.com reject=\"5.2.1 gef\xc3\xbcllt\"", "printable ASCII"},
	    {"a@example.com defer=\"5.2.1 no\"", "4.x.y"},
	    {"a@example.com reject=\"5.2.1 no\" defer=\"4.2.1 no\"", "only one"},
	    {"a@example.com reject=\"5.2.1 no", "quote"},
	    {"a@example.com reject=\"5.2.1 no\"x", "quote"},
	    {"a@example.com reject=\"5.2.1 no\" backend=x", "not accepted"},
	    {"a@example.com\x01", "control"},
	    {"a@example.com\r # ", "control"},
	    {"# \x1b[2J", "control"},
	    {"# \xff", "UTF-8"},
	    {"# \xc0\xaf", "UTF-8"},
	    {"# \xe0\x80\x80", "UTF-8"},
	    {"# \xed\xa0\x80", "UTF-8"},
	    {"# \xf4\x90\x80\x80", "UTF-8"},
	    {"# \xf0\x9f\x93", "UTF-8"},
	    {"# \xe2\x82", "UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *result = parsed(span_str(rows[i].line));

		if (result[0] != '!' || strstr(result, rows[i].result) == NULL)
			fail_msg("%s: %s", rows[i].line, result);
	}
}

static void
row_085_routes_in_the_local_part_are_refused(void **state)
{
	static const char *const lines[] = {
	    "u%attacker.example@ours.example",
	    "attacker.example!u@ours.example",
	    "u@attacker.example@ours.example",
	    "u%@ours.example",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(parsed(span_str(lines[i]))[0], '!');
}

static void
row_106_programs_files_and_options_are_refused(void **state)
{
	static const char *const lines[] = {
	    "|id@ours.example",
	    "/etc/x@ours.example",
	    ":include:/x@ours.example",
	    "-oQ/tmp@ours.example",
	    "-oQ@ours.example",
	    "~root@ours.example",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(parsed(span_str(lines[i]))[0], '!');
}

static void
lengths(void **state)
{
	char line[LIST_LINE_MAX + 2];

	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line + 256, "@d.example", 11);
	assert_memory_equal(parsed(span_str(line)), "address", 7);
	memset(line, 'a', sizeof(line));
	memcpy(line + 257, "@d.example", 11);
	assert_non_null(strstr(parsed(span_str(line)), "longer than 256"));
	memset(line, ' ', sizeof(line));
	assert_string_equal(parsed(span_of(line, LIST_LINE_MAX)), "-");
	assert_non_null(strstr(parsed(span_of(line, LIST_LINE_MAX + 1)), "2048"));
	assert_non_null(strstr(parsed(span_of("a@b.example\0x", 13)), "control"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_lines),
	    cmocka_unit_test(bad_lines),
	    cmocka_unit_test(row_085_routes_in_the_local_part_are_refused),
	    cmocka_unit_test(row_106_programs_files_and_options_are_refused),
	    cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

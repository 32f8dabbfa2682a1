#include "lookupd/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lookupd/databases.h"

static const char list[] = "alice@example.com\n"
			   "Bob@example.com\n"
			   "bob+*@example.com\n"
			   "bob+vip-*@example.com class=vip\n"
			   "bob+vip-gone@example.com reject=\"5.1.6 Moved\"\n"
			   "carol@example.com backend=mailstore class=staff size=1000\n"
			   "dave@example.com reject=\"5.2.1 Mailbox disabled\"\n"
			   "erin@example.com defer=\"4.2.2 Mailbox full\"\n"
			   ".u@example.com\n"
			   "@catchall.example backend=other\n"
			   "known@catchall.example\n"
			   "refused@catchall.example reject=\"5.7.1 No\"\n"
			   "only+*@ext.example\n"
			   "postmaster@has.example\n"
			   "a@[192.0.2.1]\n"
			   "j\xc3\xb6rg@b\xc3\xbc"
			   "cher.example\n";

static struct database *db;

static int
make_database(void **state)
{
	(void)state;
	db = database_of_list(list);
	return 0;
}

static int
free_database(void **state)
{
	(void)state;
	database_free(&db);
	database_free(&db);
	return 0;
}

/* The result as one text. */
static const char *
text_of(const struct lookup_result *r)
{
	static const char *const verdicts[] = {
	    "accepted", "unknown-user", "unknown-domain", "refused", "deferred", "trouble"};
	static char text[512];

	snprintf(text, sizeof(text), "%s %s %.*s/%.*s/%llu [%.*s] [%.*s]", verdicts[r->verdict],
	    lookup_match_name(r->match), (int)r->route.len, (const char *)r->route.p,
	    (int)r->class.len, (const char *)r->class.p, (unsigned long long)r->size_limit,
	    (int)r->status.len, (const char *)r->status.p, (int)r->text.len,
	    (const char *)r->text.p);
	return text;
}

static struct address
address_of(const char *inside)
{
	struct address a;

	assert_int_equal(address_from_inside(span_str(inside), &a), ADDRESS_OK);
	return a;
}

static const char *
asked(const struct database *in, const char *inside)
{
	struct address a = address_of(inside);
	struct lookup_result r;

	lookup(in, &a, &r);
	return text_of(&r);
}

struct row {
	const char *address, *result;
};

static void
check_rows(const struct database *in, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *result = asked(in, rows[i].address);

		if (strcmp(result, rows[i].result) != 0)
			fail_msg("%s: %s, not %s", rows[i].address, result, rows[i].result);
	}
}

#define CHECK(in, rows) check_rows((in), (rows), sizeof(rows) / sizeof((rows)[0]))

/* U-labels and A-labels are one domain; a local part is found as it is, but for ASCII capitals. */
static void
utf8_addresses(void **state)
{
	static const struct row rows[] = {
	    {"j\xc3\xb6rg@xn--bcher-kva.example", "accepted user //0 [] []"},
	    {"J\xc3\xb6RG@B\xc3\x9c"
	     "CHER.Example",
		"accepted user //0 [] []"},
	    {"jorg@b\xc3\xbc"
	     "cher.example",
		"unknown-user none //0 [] []"},
	    {"j\xc3\x96rg@b\xc3\xbc"
	     "cher.example",
		"unknown-user none //0 [] []"},
	    {"j\xc3\xb6rg@bucher.example", "unknown-domain none //0 [] []"},
	    {"u@\xc3\xbc-.example", "unknown-domain none //0 [] []"},
	    {"u@\xe2\x80\xa8.example", "unknown-domain none //0 [] []"},
	};

	(void)state;
	check_rows(db, rows, sizeof(rows) / sizeof(rows[0]));
}

static void
lists(void **state)
{
	static const struct row rows[] = {
	    {"alice@example.com", "accepted user //0 [] []"},
	    {"bob@example.com", "accepted user //0 [] []"},
	    {"alic@example.com", "unknown-user none //0 [] []"},
	    {"alice+x@example.com", "unknown-user none //0 [] []"},
	    {"bob+lists@example.com", "accepted extensions //0 [] []"},
	    {"bob+@example.com", "accepted extensions //0 [] []"},
	    {"bob+a+b@example.com", "accepted extensions //0 [] []"},
	    {"bob-lists@example.com", "unknown-user none //0 [] []"},
	    {"bobby+x@example.com", "unknown-user none //0 [] []"},
	    {"bob+vip-1@example.com", "accepted extensions /vip/0 [] []"},
	    {"bob+vip-gone@example.com", "refused user //0 [5.1.6] [Moved]"},
	    {"carol@example.com", "accepted user mailstore/staff/1000 [] []"},
	    {"dave@example.com", "refused user //0 [5.2.1] [Mailbox disabled]"},
	    {"erin@example.com", "deferred user //0 [4.2.2] [Mailbox full]"},
	    {"whoever@catchall.example", "accepted catch-all other//0 [] []"},
	    {"known@catchall.example", "accepted user //0 [] []"},
	    {"refused@catchall.example", "refused user //0 [5.7.1] [No]"},
	    {"only@ext.example", "unknown-user none //0 [] []"},
	    {"only+x@ext.example", "accepted extensions //0 [] []"},
	    {"alice@sub.example.com", "unknown-domain none //0 [] []"},
	    {"alice@example.co", "unknown-domain none //0 [] []"},
	    {"alice@com", "unknown-domain none //0 [] []"},
	    {"a@[192.0.2.1]", "accepted user //0 [] []"},
	    {"a@[192.0.2.2]", "unknown-domain none //0 [] []"},
	};

	(void)state;
	CHECK(db, rows);
}

static void
row_085_routes_are_only_looked_up_literally(void **state)
{
	static const struct row rows[] = {
	    {"u%attacker.example@example.com", "unknown-user none //0 [] []"},
	    {"attacker.example!u@example.com", "unknown-user none //0 [] []"},
	    {"u@attacker.example@example.com", "unknown-user none //0 [] []"},
	    {"u%attacker.example@catchall.example", "unknown-user none //0 [] []"},
	    {"attacker.example!u@catchall.example", "unknown-user none //0 [] []"},
	    {"u@attacker.example@catchall.example", "unknown-user none //0 [] []"},
	    {"bob+u%attacker.example@example.com", "unknown-user none //0 [] []"},
	    {"bob+u@attacker.example@example.com", "unknown-user none //0 [] []"},
	};

	(void)state;
	CHECK(db, rows);
}

static void
row_104_dots(void **state)
{
	static const struct row rows[] = {
	    {".u@example.com", "accepted user //0 [] []"},
	    {"u.@example.com", "unknown-user none //0 [] []"},
	    {"u@example.com", "unknown-user none //0 [] []"},
	    {"u..v@example.com", "unknown-user none //0 [] []"},
	};

	(void)state;
	CHECK(db, rows);
}

static void
row_105_case_is_folded_in_the_key_only(void **state)
{
	static const struct row rows[] = {
	    {"ALICE@EXAMPLE.COM", "accepted user //0 [] []"},
	    {"BOB+Lists@Example.Com", "accepted extensions //0 [] []"},
	};
	struct address a = address_of("ALICE@Example.COM");
	const struct address *recipient;
	struct lookup_result r;

	(void)state;
	CHECK(db, rows);
	lookup_recipient(db, &a, NULL, &r, &recipient);
	assert_ptr_equal(recipient, &a);
	assert_memory_equal(a.octets, "ALICE@Example.COM", a.len);
}

static void
row_106_programs_files_and_options_stay_outside(void **state)
{
	static const struct row rows[] = {
	    {"|id@catchall.example", "unknown-user none //0 [] []"},
	    {"/etc/x@catchall.example", "unknown-user none //0 [] []"},
	    {":include:/x@catchall.example", "unknown-user none //0 [] []"},
	    {"-oQ/tmp@catchall.example", "unknown-user none //0 [] []"},
	    {"-oq@catchall.example", "unknown-user none //0 [] []"},
	    {"~root@catchall.example", "unknown-user none //0 [] []"},
	};

	(void)state;
	CHECK(db, rows);
}

static void
canary_answers_and_cannot_be_asked_for(void **state)
{
	struct address a;

	(void)state;
	assert_true(lookup_canary(db));
	assert_int_not_equal(
	    address_from_inside(SPAN(LAYOUT_CANARY_LOCAL "@" LAYOUT_CANARY_DOMAIN), &a),
	    ADDRESS_OK);
	assert_int_not_equal(
	    address_parse_forward(SPAN(LAYOUT_CANARY_LOCAL "@" LAYOUT_CANARY_DOMAIN), &a),
	    ADDRESS_OK);
}

/* ---- postmaster ----------------------------------------------------------------------------------- */

static const char *
asked_postmaster(const char *inside, const char *configured)
{
	struct address a = address_of(inside), p;
	const struct address *recipient;
	struct lookup_result r;
	static char text[1024];

	if (configured != NULL)
		p = address_of(configured);
	lookup_recipient(db, &a, configured != NULL ? &p : NULL, &r, &recipient);
	snprintf(text, sizeof(text), "%s to %.*s", text_of(&r), (int)recipient->len,
	    (const char *)recipient->octets);
	return text;
}

static void
postmaster_rules(void **state)
{
	static const struct {
		const char *address, *configured, *result;
	} rows[] = {
	    /* The database decides. */
	    {"postmaster", NULL, "unknown-user none //0 [] [] to postmaster"},
	    {"postmaster@example.com", NULL,
		"unknown-user none //0 [] [] to postmaster@example.com"},
	    {"postmaster@has.example", NULL, "accepted user //0 [] [] to postmaster@has.example"},
	    /* The configured address and its own record. */
	    {"postmaster", "Carol@example.com",
		"accepted postmaster mailstore/staff/1000 [] [] to Carol@example.com"},
	    {"PostMaster", "carol@example.com",
		"accepted postmaster mailstore/staff/1000 [] [] to carol@example.com"},
	    {"POSTMASTER@Example.com", "carol@example.com",
		"accepted postmaster mailstore/staff/1000 [] [] to carol@example.com"},
	    /* What the database has, it decides. */
	    {"Postmaster@has.example", "carol@example.com",
		"accepted user //0 [] [] to Postmaster@has.example"},
	    {"postmaster@catchall.example", "carol@example.com",
		"accepted catch-all other//0 [] [] to postmaster@catchall.example"},
	    /* Not a served domain. */
	    {"postmaster@other.example", "carol@example.com",
		"unknown-domain none //0 [] [] to postmaster@other.example"},
	    /* Not postmaster. */
	    {"postmaster+x@example.com", "carol@example.com",
		"unknown-user none //0 [] [] to postmaster+x@example.com"},
	    {"nobody@example.com", "carol@example.com",
		"unknown-user none //0 [] [] to nobody@example.com"},
	    /* A domain that the database does not know: as configured. */
	    {"postmaster", "admin@away.example",
		"accepted postmaster //0 [] [] to admin@away.example"},
	    /* Our mistakes are temporary. */
	    {"postmaster", "nobody@example.com",
		"trouble postmaster //0 [] [] to nobody@example.com"},
	    {"postmaster", "dave@example.com", "trouble postmaster //0 [] [] to dave@example.com"},
	    {"postmaster", "erin@example.com",
		"deferred postmaster //0 [4.2.2] [Mailbox full] to erin@example.com"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(
		    asked_postmaster(rows[i].address, rows[i].configured), rows[i].result);
}

/* ---- what no source says yet ------------------------------------------------------------------------ */

static const struct leaf accept_leaf = {.verdict = LEAF_ACCEPT};

static struct database *
finished(struct writer *w)
{
	const char *error;
	struct database *made = database_of(writer_end(w, span_of(NULL, 0)), &error);

	assert_null(error);
	assert_non_null(made);
	return made;
}

static void
tables_delimiters_and_charsets(void **state)
{
	uint8_t letters[LAYOUT_BITS_LEN] = {0};
	struct domain two = {.flags = DOMAIN_SERVED | DOMAIN_TABLE,
	    .tables = {1, 2},
	    .table_count = 2,
	    .delimiters = SPAN("-+")};
	struct domain narrow = {
	    .flags = DOMAIN_SERVED | DOMAIN_TABLE, .tables = {3}, .table_count = 1};
	static const struct row rows[] = {
	    {"first@two.example", "accepted user //0 [] []"},
	    {"second@two.example", "accepted user //0 [] []"},
	    {"first+x-y@two.example", "accepted without-extension //0 [] []"},
	    {"second-x@two.example", "accepted without-extension //0 [] []"},
	    {"full+x@two.example", "refused user //0 [5.1.6] [Mailbox has moved]"},
	    {"full+y@two.example", "unknown-user none //0 [] []"},
	    {"+x@two.example", "unknown-user none //0 [] []"},
	    {"first-x%y@two.example", "unknown-user none //0 [] []"},
	    {"abc@narrow.example", "accepted catch-all //0 [] []"},
	    {"abc1@narrow.example", "unknown-user none //0 [] []"},
	};
	struct leaf moved = {.verdict = LEAF_MOVED};
	struct writer w;
	struct database *made;

	(void)state;
	for (unsigned c = 'a'; c <= 'z'; c++)
		bits_set(letters, c);
	narrow.charset = span_of(letters, sizeof(letters));
	writer_begin(&w);
	writer_domain(&w, "two.example", &two);
	writer_domain(&w, "narrow.example", &narrow);
	writer_leaf(&w, KEY_USER, 1, "first", &accept_leaf);
	writer_leaf(&w, KEY_USER, 2, "second", &accept_leaf);
	writer_leaf(&w, KEY_USER, 2, "full+x", &moved);
	writer_leaf(&w, KEY_CATCH_ALL, 3, "", &accept_leaf);
	made = finished(&w);
	CHECK(made, rows);
	database_free(&made);
}

static void
alias_domains(void **state)
{
	struct domain real = {
	    .flags = DOMAIN_SERVED | DOMAIN_TABLE, .tables = {1}, .table_count = 1};
	struct domain alias = {.flags = DOMAIN_SERVED | DOMAIN_ALIAS, .real = SPAN("real.example")};
	struct domain twice = {
	    .flags = DOMAIN_SERVED | DOMAIN_ALIAS, .real = SPAN("alias.example")};
	struct domain nowhere = {
	    .flags = DOMAIN_SERVED | DOMAIN_ALIAS, .real = SPAN("gone.example")};
	struct domain empty = {.flags = DOMAIN_SERVED | DOMAIN_ALIAS};
	struct domain unserved = {.flags = DOMAIN_ALIAS, .real = SPAN("real.example")};
	static const struct row rows[] = {
	    {"a@real.example", "accepted user //0 [] []"},
	    {"A@ALIAS.example", "accepted user //0 [] []"},
	    {"b@alias.example", "unknown-user none //0 [] []"},
	    {"a@twice.example", "trouble none //0 [] []"},
	    {"a@nowhere.example", "trouble none //0 [] []"},
	    {"a@empty.example", "trouble none //0 [] []"},
	    {"a@unserved.example", "unknown-domain none //0 [] []"},
	};
	struct writer w;
	struct database *made;

	(void)state;
	writer_begin(&w);
	writer_domain(&w, "real.example", &real);
	writer_domain(&w, "alias.example", &alias);
	writer_domain(&w, "twice.example", &twice);
	writer_domain(&w, "nowhere.example", &nowhere);
	writer_domain(&w, "empty.example", &empty);
	writer_domain(&w, "unserved.example", &unserved);
	writer_leaf(&w, KEY_USER, 1, "a", &accept_leaf);
	made = finished(&w);
	CHECK(made, rows);
	database_free(&made);
}

static void
every_verdict(void **state)
{
	static const char *const results[LEAF_VERDICTS] = {
	    [LEAF_ACCEPT] = "accepted user //0 [] []",
	    [LEAF_UNKNOWN] = "unknown-user user //0 [] []",
	    [LEAF_DEFER] = "deferred user //0 [4.3.0] [Temporary mailbox problem]",
	    [LEAF_DISCARD] = "accepted user //0 [] []",
	    [LEAF_DISABLED] = "refused user //0 [5.2.1] [Mailbox disabled]",
	    [LEAF_OVER_QUOTA] = "deferred user //0 [4.2.2] [Mailbox full]",
	    [LEAF_MOVED] = "refused user //0 [5.1.6] [Mailbox has moved]",
	    [LEAF_AUTH_ONLY] = "refused user //0 [5.7.1] [Not for mail from outside]",
	    [LEAF_RELAY] = "refused user //0 [5.7.1] [Mail for this address would be relayed]",
	    [LEAF_ASK] = "trouble none //0 [] []",
	    [LEAF_REFUSE] = "refused user //0 [5.2.1] [Mailbox does not take mail]",
	    [LEAF_TABLE] = "trouble none //0 [] []",
	};
	struct domain d = {.flags = DOMAIN_SERVED | DOMAIN_TABLE, .tables = {1}, .table_count = 1};
	char name[32];
	struct writer w;
	struct database *made;

	(void)state;
	writer_begin(&w);
	writer_domain(&w, "d.example", &d);
	for (uint8_t v = 0; v < LEAF_VERDICTS; v++) {
		struct leaf leaf = {.verdict = v, .immediate = v};

		snprintf(name, sizeof(name), "v%u", v);
		writer_leaf(&w, KEY_USER, 1, name, &leaf);
	}
	made = finished(&w);
	for (uint8_t v = 0; v < LEAF_VERDICTS; v++) {
		snprintf(name, sizeof(name), "v%u@d.example", v);
		assert_string_equal(asked(made, name), results[v]);
	}
	database_free(&made);
}

/* Never "unknown": each of these is trouble and, but for the broken promise, an alarm. */
static void
row_270_what_cannot_be_evaluated_is_trouble(void **state)
{
	static const struct {
		const char *name;
		struct span value;
	} rows[] = {
	    {"verdict", SPAN("\x7f\0\0")},
	    {"immediate", SPAN("\0\x7f\0")},
	    {"flag", SPAN("\0\0\x80")},
	    {"attribute", SPAN("\0\0\0\x50\1\0x")},
	    {"short", SPAN("\0\0")},
	    {"empty", SPAN("")},
	    {"attribute-cut", SPAN("\0\0\0\2\5\0st")},
	    {"attribute-head-cut", SPAN("\0\0\0\2\5")},
	    {"bad-class", SPAN("\0\0\0\2\3\0a/b")},
	    {"bad-size", SPAN("\0\0\0\5\2\0xx")},
	    {"bad-status", SPAN("\x0a\x0a\0\3\3\0abc")},
	    {"refuse-with-4xx", SPAN("\x0a\x0a\0\3\5\0"
				     "4.2.1")},
	    {"defer-with-5xx", SPAN("\2\2\0\3\5\0"
				    "5.2.1")},
	    {"bad-text", SPAN("\x0a\x0a\0\4\1\0\n")},
	    {"missing-route", SPAN("\0\0\0\1\2\0\x09\0")},
	};
	struct domain d = {.flags = DOMAIN_SERVED | DOMAIN_TABLE, .tables = {1}, .table_count = 1};
	struct writer w;
	struct database *made;
	struct lookup_result r;
	char name[64];

	(void)state;
	writer_begin(&w);
	writer_domain(&w, "d.example", &d);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		writer_raw(&w, KEY_USER, 1, rows[i].name, rows[i].value);
	/* An attribute that may be ignored is no trouble. */
	writer_raw(&w, KEY_USER, 1, "ignorable", SPAN("\0\0\0\xf0\1\0x"));
	made = finished(&w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;

		snprintf(name, sizeof(name), "%s@d.example", rows[i].name);
		a = address_of(name);
		lookup(made, &a, &r);
		if (r.verdict != RCPT_TROUBLE || r.trouble == NULL || r.route.len + r.class.len > 0)
			fail_msg("%s", name);
		assert_int_equal(r.unevaluable, strcmp(rows[i].name, "missing-route") != 0);
	}
	assert_string_equal(asked(made, "ignorable@d.example"), "accepted user //0 [] []");
	database_free(&made);
}

static void
row_270_domains_that_cannot_be_evaluated_are_trouble(void **state)
{
	static const struct {
		const char *name;
		struct span value;
	} rows[] = {
	    {"Dflag.example", SPAN("\x41\1\0\0\3\4\0\1\0\0\0")},
	    {"Dattribute.example", SPAN("\x41\0\0\0\3\4\0\1\0\0\0\x40\0\0")},
	    {"Daliases.example", SPAN("\x41\0\0\0\3\4\0\1\0\0\0\x08\0\0")},
	    {"Dno-table.example", SPAN("\x41\0\0\0")},
	    {"Dhalf-table.example", SPAN("\x41\0\0\0\3\3\0\1\0\0")},
	    {"Dfive-tables.example",
		SPAN("\x41\0\0\0\3\x14\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0")},
	    {"Dshort.example", SPAN("\x41\0\0")},
	    {"Dcut.example", SPAN("\x41\0\0\0\3\4\0\1")},
	};
	struct writer w;
	struct database *made;

	(void)state;
	writer_begin(&w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		writer_add(&w, span_str(rows[i].name), rows[i].value);
	writer_add(&w, SPAN("Dunserved.example"), SPAN("\x40\0\0\0\3\4\0\1\0\0\0"));
	writer_leaf(&w, KEY_USER, 1, "a", &accept_leaf);
	made = finished(&w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "a@%s", rows[i].name + 1);
		assert_string_equal(asked(made, name), "trouble none //0 [] []");
	}
	assert_string_equal(asked(made, "a@unserved.example"), "unknown-domain none //0 [] []");
	database_free(&made);
}

/* What a line about a whole domain says holds for recipients that do not say it themselves. */
static void
lines_about_domains(void **state)
{
	struct database *made = database_of_list(
	    "domain:d.example backend=m class=staff size=9 delimiters=+\n"
	    "a@d.example\n"
	    "b@d.example backend=other class=vip size=7 delivered_to=\"d-b@d.example\"\n"
	    "\"-x y\"@d.example\n"
	    "@far.example alias=near.example\n"
	    "@near.example alias=d.example\n"
	    "domain:empty.example\n");
	struct lookup_result r;
	struct address b = address_of("b@d.example");

	(void)state;
	assert_string_equal(asked(made, "a@d.example"), "accepted user m/staff/9 [] []");
	assert_string_equal(
	    asked(made, "a+x@d.example"), "accepted without-extension m/staff/9 [] []");
	assert_string_equal(asked(made, "b@d.example"), "accepted user other/vip/7 [] []");
	assert_string_equal(asked(made, "-x y@d.example"), "accepted user m/staff/9 [] []");
	assert_string_equal(asked(made, "-x@d.example"), "unknown-user none //0 [] []");
	assert_string_equal(asked(made, "a@near.example"), "accepted user m/staff/9 [] []");
	assert_string_equal(asked(made, "B@Far.example"), "accepted user other/vip/7 [] []");
	assert_string_equal(asked(made, "c@far.example"), "unknown-user none //0 [] []");
	assert_string_equal(asked(made, "a@empty.example"), "unknown-user none //0 [] []");
	lookup(made, &b, &r);
	assert_true(span_eq(r.delivered_to, SPAN("d-b@d.example")));
	database_free(&made);
}

static void
longest_addresses(void **state)
{
	char inside[ADDRESS_MAX + 1];

	(void)state;
	memset(inside, '+', 256);
	memcpy(inside + 256, "@example.com", 13);
	assert_string_equal(asked(db, inside), "unknown-user none //0 [] []");
	memcpy(inside, "bob+", 4);
	assert_string_equal(asked(db, inside), "accepted extensions //0 [] []");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists),
	    cmocka_unit_test(utf8_addresses),
	    cmocka_unit_test(row_085_routes_are_only_looked_up_literally),
	    cmocka_unit_test(row_104_dots),
	    cmocka_unit_test(row_105_case_is_folded_in_the_key_only),
	    cmocka_unit_test(row_106_programs_files_and_options_stay_outside),
	    cmocka_unit_test(canary_answers_and_cannot_be_asked_for),
	    cmocka_unit_test(postmaster_rules),
	    cmocka_unit_test(tables_delimiters_and_charsets),
	    cmocka_unit_test(alias_domains),
	    cmocka_unit_test(every_verdict),
	    cmocka_unit_test(row_270_what_cannot_be_evaluated_is_trouble),
	    cmocka_unit_test(row_270_domains_that_cannot_be_evaluated_are_trouble),
	    cmocka_unit_test(lines_about_domains),
	    cmocka_unit_test(longest_addresses),
	};

	return cmocka_run_group_tests(tests, make_database, free_database);
}

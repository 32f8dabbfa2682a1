#include "lookupd/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lookupd/lookup.h"
#include "tests/lookupd/databases.h"

#define LONG "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"

static enum rcpt_verdict
asked(const struct database *in, const char *inside)
{
	struct address a;
	struct lookup_result r;

	assert_int_equal(address_from_inside(span_str(inside), &a), ADDRESS_OK);
	lookup(in, &a, &r);
	return r.verdict;
}

/*
 * More domains than are remembered, one with a long name, each asked for again and again: nobody
 * gets the answer of another one.
 */
static void
many_domains_are_not_mixed_up(void **state)
{
	enum { DOMAINS = DATABASE_KNOWN + 200, ROOM = 64 };
	static const char with_long_name[] = "a@" LONG "." LONG ".example";
	char *text = NULL, address[ROOM];
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct database *many;

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < DOMAINS; i++)
		fprintf(f, "u%d@d%d.example\n", i, i);
	fprintf(f, "%s\n", with_long_name);
	fclose(f);
	many = database_of_list(text);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < DOMAINS; i++) {
			snprintf(address, sizeof(address), "u%d@d%d.example", i, i);
			assert_int_equal(asked(many, address), RCPT_ACCEPTED);
			snprintf(address, sizeof(address), "u%d@d%d.example", i, (i + 1) % DOMAINS);
			assert_int_equal(asked(many, address), RCPT_UNKNOWN_USER);
			snprintf(address, sizeof(address), "u%d@e%d.example", i, i);
			assert_int_equal(asked(many, address), RCPT_UNKNOWN_DOMAIN);
		}
	assert_int_equal(asked(many, with_long_name), RCPT_ACCEPTED);
	assert_int_equal(asked(many, with_long_name), RCPT_ACCEPTED);
	assert_int_equal(many->known->count, DATABASE_KNOWN);
	database_free(&many);
	free(text);
}

/* The record of a domain says whether there is a catch-all to look for. */
static void
catch_alls_are_asked_for_where_there_are_some(void **state)
{
	static const struct {
		const char *name;
		bool none;
	} rows[] = {{"plain.example", true}, {"all.example", false}, {"ext.example", true}};
	struct database *db =
	    database_of_list("a@plain.example\nb@all.example\n@all.example\nc+*@ext.example\n");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct domain room;
		struct database_record r;

		assert_int_equal(database_domain(db, KEY_DOMAIN, span_str(rows[i].name), &room, &r),
		    CDBFILE_FOUND);
		assert_int_equal(r.domain->no_catch_all, rows[i].none);
	}
	assert_int_equal(asked(db, "x@plain.example"), RCPT_UNKNOWN_USER);
	assert_int_equal(asked(db, "x@all.example"), RCPT_ACCEPTED);
	assert_int_equal(asked(db, "c@ext.example"), RCPT_UNKNOWN_USER);
	database_free(&db);
}

/* A domain and a suffix of one name are two records. */
static void
kinds_of_records_are_told_apart(void **state)
{
	struct database *db = database_of_list("a@plain.example\n");
	struct domain room;
	struct database_record r;

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(database_domain(db, KEY_DOMAIN, SPAN("plain.example"), &room, &r),
		    CDBFILE_FOUND);
		assert_int_equal(database_domain(db, KEY_SUFFIX, SPAN("plain.example"), &room, &r),
		    CDBFILE_NONE);
		assert_int_equal(
		    database_domain(db, KEY_DOMAIN, SPAN(""), &room, &r), CDBFILE_NONE);
	}
	database_free(&db);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_domains_are_not_mixed_up),
	    cmocka_unit_test(catch_alls_are_asked_for_where_there_are_some),
	    cmocka_unit_test(kinds_of_records_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

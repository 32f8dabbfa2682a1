#include "lookupd/inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "tests/lookupd/databases.h"

static char out[8192];

static struct database *
sample(void)
{
	return database_of_list(
	    "alice@example.com\nbob+*@example.com backend=store class=c size=5\n"
	    "dave@example.com reject=\"5.2.1 No \\ more\"\n@all.example\n");
}

static int
query(const struct database *db, const char *const *texts, size_t count)
{
	FILE *f = fmemopen(out, sizeof(out), "w");
	int status = inspect_query(db, NULL, NULL, texts, count, f);

	fclose(f);
	return status;
}

static void
query_says_what_the_gateway_would(void **state)
{
	static const char *const good[] = {"ALICE@example.com", "bob+x@example.com"};
	static const char *const mixed[] = {"alice@example.com", "nobody@example.com",
	    "x@y.example", "dave@example.com", "no address\x1b[2J", "\"alice\"@example.com"};
	struct database *db = sample();

	(void)state;
	assert_int_equal(query(db, good, 2), 0);
	assert_string_equal(out, "ALICE@example.com: accepted by=user recipient=ALICE@example.com\n"
				 "bob+x@example.com: accepted by=extensions "
				 "recipient=bob+x@example.com route=store class=c size=5\n");
	assert_int_equal(query(db, mixed, 6), 1);
	assert_string_equal(out,
	    "alice@example.com: accepted by=user recipient=alice@example.com\n"
	    "nobody@example.com: unknown-user\n"
	    "x@y.example: unknown-domain\n"
	    "dave@example.com: refused by=user status=5.2.1 text=No \\\\ more\n"
	    "no address\\x1b[2J: not an address\n"
	    "\"alice\"@example.com: accepted by=user recipient=alice@example.com\n");
	database_free(&db);
}

static void
query_of_trouble(void **state)
{
	static const char *const texts[] = {"a@newer.example", "b@other.example"};
	struct domain d = {.flags = DOMAIN_SERVED | DOMAIN_TABLE,
	    .tables = {1},
	    .table_count = 1,
	    .has_aliases = true};
	struct leaf leaf = {.verdict = LEAF_ACCEPT};
	struct writer w;
	struct database *db;
	const char *error;

	(void)state;
	writer_begin(&w);
	writer_domain(&w, "newer.example", &d);
	writer_leaf(&w, KEY_USER, 1, "a", &leaf);
	db = database_of(writer_end(&w, span_of(NULL, 0)), &error);
	assert_non_null(db);
	assert_int_equal(query(db, texts, 2), EX_TEMPFAIL);
	assert_non_null(
	    strstr(out, "a@newer.example: trouble why=a record needs a newer version\n"));
	database_free(&db);
}

static void
info_and_dump(void **state)
{
	struct database *db = sample();
	FILE *f = fmemopen(out, sizeof(out), "w");

	(void)state;
	assert_int_equal(inspect_info(db, NULL, f), 0);
	fclose(f);
	assert_non_null(strstr(out, "version: 1\ngeneration: 1\nbuilt: 1970-01-01T00:16:40Z\n"
				    "recipients: 4\ndomains: 2\n"));
	assert_non_null(strstr(out, "source: list:test sha256=00000000"));
	assert_non_null(strstr(out, "route: store\n"));
	assert_non_null(strstr(out, "domain: example.com recipients=3 accepted="));
	assert_non_null(strstr(out, "domain: all.example recipients=1 accepted="));
	assert_null(strstr(out, "canary"));
	f = fmemopen(out, sizeof(out), "w");
	assert_int_equal(inspect_dump(db, NULL, f), 0);
	fclose(f);
	assert_non_null(
	    strstr(out, "domain example.com: flags=0x41 table=1 breaks=+ recipients=3\n"));
	assert_non_null(strstr(out, "extensions-of 1 bob+: accept route=1 class=c size=5\n"));
	assert_non_null(strstr(out, "user 1 dave: refuse status=5.2.1 text=No \\\\ more\n"));
	assert_non_null(strstr(out, "catch-all 2 : accept\n"));
	database_free(&db);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(query_says_what_the_gateway_would),
	    cmocka_unit_test(query_of_trouble),
	    cmocka_unit_test(info_and_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

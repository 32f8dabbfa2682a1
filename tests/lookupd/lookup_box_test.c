#include "lookupd/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lookupd/databases.h"

static struct writer w;
static uint8_t header_octets[8192];
static struct buf header;

/* ---- records by hand ------------------------------------------------------------------------- */

static void
begin(void)
{
	struct domain local = {.flags = DOMAIN_SERVED | DOMAIN_LOCAL};
	struct leaf accept = {.verdict = LEAF_ACCEPT};

	writer_begin(&w);
	header = BUF_OVER(header_octets);
	writer_domain(&w, "local.test", &local);
	/* What every database needs: a recipient. */
	writer_leaf(&w, KEY_USER, 77, "a", &accept);
}

static struct database *
finish(void)
{
	const char *error;
	struct database *db = database_of(writer_end(&w, buf_span(&header)), &error);

	if (db == NULL)
		print_error("%s\n", error);
	assert_non_null(db);
	return db;
}

static void
set(uint8_t type, const size_t *lengths, size_t count)
{
	uint8_t bits[LAYOUT_BITS_LEN] = {0};

	for (size_t i = 0; i < count; i++)
		lengths_set(bits, lengths[i], 1);
	attr_put(&header, type, span_of(bits, sizeof(bits)));
}

static void
controller(const char *key, uint32_t target, const char *dash, const char *pre,
    const size_t *lengths, size_t count)
{
	uint8_t octets[1024], bits[LAYOUT_BITS_LEN] = {0};
	struct buf b = BUF_OVER(octets);
	struct controller c = {.kind = CONTROLLER_TARGET,
	    .target = target,
	    .none = LEAF_UNKNOWN,
	    .flags = CONTROLLER_DIRECTORIES,
	    .dash = span_str(dash),
	    .pre = span_str(pre)};

	for (size_t i = 0; i < count; i++)
		lengths_set(bits, lengths[i], 0);
	c.default_lengths = span_of(bits, sizeof(bits));
	controller_put(&b, &c);
	writer_add(&w, span_str(key), buf_span(&b));
}

static void
leaf(enum layout_key type, uint32_t target, const char *name, enum leaf_verdict v)
{
	struct leaf l = {.verdict = (uint8_t)v, .immediate = (uint8_t)v};

	writer_leaf(&w, type, target, name, &l);
}

static const char *
asked(const struct database *db, const char *text)
{
	static const char *const verdicts[] = {
	    "accepted", "unknown-user", "unknown-domain", "refused", "deferred", "trouble"};
	struct lookup_result r;

	lookup_octets(db, span_str(text), LOOKUP_FROM_OUTSIDE, NULL, &r);
	return verdicts[r.verdict];
}

/* ---- tests ----------------------------------------------------------------------------------------- */

static void
boxes_prefixes_and_files(void **state)
{
	static const size_t four[] = {4}, ends[] = {1, 3};
	struct database *db;

	(void)state;
	begin();
	attr_put(&header, HEADER_WILD_OCTETS, SPAN("-"));
	set(HEADER_PREFIX_LENGTHS, four, 1);
	controller("=joe", 1, "", "", NULL, 0);
	controller("+joe-", 2, "-", "", ends, 2);
	leaf(KEY_NO_FILE, 1, "", LEAF_ACCEPT);
	leaf(KEY_EXTENSION, 2, "-list", LEAF_DEFER);
	leaf(KEY_EXTENSION, 2, "-a:b", LEAF_ACCEPT);
	leaf(KEY_EXTENSION, 2, "-d/e", LEAF_ACCEPT);
	leaf(KEY_DEFAULT, 2, "-x-", LEAF_DISABLED);
	leaf(KEY_DEFAULT, 2, "-", LEAF_ACCEPT);
	writer_add(&w, SPAN("q\2\0\0\0-secret"), SPAN(""));
	db = finish();
	assert_string_equal(asked(db, "JOE@local.test"), "accepted");
	assert_string_equal(asked(db, "joe-List@local.test"), "deferred");
	assert_string_equal(asked(db, "joe-a.B@local.test"), "accepted");
	assert_string_equal(asked(db, "joe-d//e@local.test"), "accepted");
	assert_string_equal(asked(db, "joe-x-y@local.test"), "refused");
	assert_string_equal(asked(db, "joe-other@local.test"), "accepted");
	assert_string_equal(asked(db, "joe-secret/x@local.test"), "deferred");
	assert_string_equal(asked(db, "nobody@local.test"), "deferred"); /* no account alias */
	assert_string_equal(asked(db, "@local.test"), "accepted");
	database_free(&db);
}

/* Row 270: a controller that cannot be read is no unknown user. */
static void
row_270_broken_controllers_are_trouble(void **state)
{
	static const struct {
		const char *key;
		struct span value;
	} rows[] = {
	    {"=empty", SPAN("")},
	    {"=kind", SPAN("\7")},
	    {"=short", SPAN("\1\1\0\0\0\1")},
	    {"=leaf", SPAN("\0\0")},
	    {"=verdict", SPAN("\0\x63\x63\0")},
	    {"=table", SPAN("\0\x0b\x0b\0\6\4\0\1\0\0\0")},
	};
	struct database *db;

	(void)state;
	begin();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		writer_add(&w, span_str(rows[i].key), rows[i].value);
	controller("=t", 3, "-", "x", NULL, 0);
	writer_add(&w, SPAN("x\3\0\0\0-x"), SPAN("\x0b\x0b\0\6\4\0\x09\0\0\0"));
	controller("=u", 4, "-", "x", NULL, 0);
	writer_add(&w, SPAN("x\4\0\0\0-x"), SPAN("\1"));
	db = finish();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s@local.test", rows[i].key + 1);
		assert_string_equal(asked(db, text), "trouble");
	}
	assert_string_equal(asked(db, "t@local.test"), "trouble"); /* no T record */
	assert_string_equal(asked(db, "u@local.test"), "trouble");
	database_free(&db);
}

static void
tables_behind_files(void **state)
{
	static const size_t two[] = {2};
	uint8_t octets[256], bits[LAYOUT_BITS_LEN] = {0}, lengths[LAYOUT_BITS_LEN] = {0};
	struct buf value = BUF_OVER(octets);
	struct domain t = {.flags = DOMAIN_TABLE, .tables = {9}, .table_count = 1};
	struct database *db;

	(void)state;
	begin();
	attr_put(&header, HEADER_WILD_OCTETS, SPAN("-"));
	set(HEADER_PREFIX_LENGTHS, two, 1);
	controller("+v-", 5, "-", "", NULL, 0);
	for (unsigned c = 'a'; c <= 'z'; c++)
		bits_set(bits, c);
	bits_set(bits, '-');
	bits_set(bits, '.');
	lengths_set(lengths, 4, 1);
	t.charset = t.host_charset = span_of(bits, sizeof(bits));
	t.delimiters = SPAN("-");
	t.wild_octets = SPAN("-");
	t.wild_lengths = span_of(lengths, sizeof(lengths));
	domain_put(&value, &t);
	writer_add(&w, SPAN("T\x09\0\0\0"), buf_span(&value));
	writer_add(&w, SPAN("x\5\0\0\0-bob"), SPAN("\x0b\x0b\0\6\4\0\x09\0\0\0"));
	writer_add(&w, SPAN("x\5\0\0\0-bob-x"), SPAN("\x0b\x0b\0\6\4\0\x09\0\0\0"));
	writer_add(&w, SPAN("x\5\0\0\0-bob-yy"), SPAN("\x0b\x0b\0\6\4\0\x09\0\0\0"));
	writer_add(&w, SPAN("x\5\0\0\0-b%b"), SPAN("\x0b\x0b\0\6\4\0\x09\0\0\0"));
	writer_add(&w, SPAN("x\5\0\0\0-eve"), SPAN("\x0b\x0b\0\6\4\0\x09\0\0\0"));
	leaf(KEY_USER, 9, "bob", LEAF_ACCEPT);
	leaf(KEY_USER, 9, "bob-x", LEAF_DISABLED);
	leaf(KEY_WILD, 9, "bob-", LEAF_DEFER);
	db = finish();
	assert_string_equal(asked(db, "v-bob@local.test"), "accepted");
	assert_string_equal(asked(db, "v-bob-x@local.test"), "refused");
	assert_string_equal(asked(db, "v-bob-yy@local.test"), "deferred");
	assert_string_equal(asked(db, "v-b%b@local.test"), "unknown-user");
	assert_string_equal(asked(db, "v-eve@local.test"), "unknown-user");
	database_free(&db);
}

static void
virtual_domains_and_percents(void **state)
{
	static const size_t five[] = {2, 5};
	struct domain virtual = {
	    .flags = DOMAIN_SERVED | DOMAIN_VIRTUAL, .prefix = SPAN("joe"), .has_prefix = true};
	struct domain exception = {.flags = DOMAIN_SERVED | DOMAIN_VIRTUAL, .has_prefix = true};
	struct domain percent = {.flags = DOMAIN_SERVED | DOMAIN_PERCENT | DOMAIN_LOCAL};
	struct domain addresses = {.flags = DOMAIN_SERVED | DOMAIN_HAS_ADDRESSES};
	uint8_t octets[256];
	struct buf value = BUF_OVER(octets);
	struct database *db;

	(void)state;
	begin();
	set(HEADER_SUFFIX_LENGTHS, five, 2);
	attr_put(&header, HEADER_DEFAULT_DOMAIN, SPAN("local.test"));
	attr_put(&header, HEADER_LITERAL_DOMAIN, SPAN("local.test"));
	attr_put(&header, HEADER_OWN_ADDRESS, SPAN("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"));
	domain_put(&value, &virtual);
	writer_add(&w, SPAN("S.test"), buf_span(&value));
	writer_domain(&w, "except.test", &exception);
	writer_domain(&w, "percent.test", &percent);
	writer_domain(&w, "addresses.test", &addresses);
	writer_add(&w, SPAN("Va@addresses.test"), SPAN("joe"));
	writer_add(&w, SPAN("Vb@addresses.test"), SPAN(""));
	controller("=joe-a", 1, "", "", NULL, 0);
	controller("=bob", 1, "", "", NULL, 0);
	leaf(KEY_NO_FILE, 1, "", LEAF_ACCEPT);
	db = finish();
	assert_string_equal(asked(db, "a@any.test"), "accepted");
	assert_string_equal(asked(db, "a@.test"), "accepted");
	assert_string_equal(asked(db, "a@test"), "unknown-domain");
	assert_string_equal(asked(db, "a@except.test"), "refused");
	assert_string_equal(asked(db, "a@addresses.test"), "accepted");
	assert_string_equal(asked(db, "b@addresses.test"), "refused");
	assert_string_equal(asked(db, "bob%local.test@percent.test"), "accepted");
	assert_string_equal(asked(db, "bob%local.test%percent.test@percent.test"), "accepted");
	assert_string_equal(asked(db, "bob%foreign.example@percent.test"), "unknown-domain");
	assert_string_equal(asked(db, "bob@[192.0.2.1]"), "accepted");
	assert_string_equal(asked(db, "bob@[192.0.2.2]"), "unknown-domain");
	assert_string_equal(asked(db, "bob@[192.0.2]"), "unknown-domain");
	assert_string_equal(asked(db, "bob"), "accepted");
	database_free(&db);
}

/* Nothing is read or written beyond its place, however long everything is. */
static void
longest(void **state)
{
	char text[600], prefix[LAYOUT_PREFIX_MAX + 1];
	struct domain virtual = {.flags = DOMAIN_SERVED | DOMAIN_VIRTUAL, .has_prefix = true};
	uint8_t octets[8192];
	struct buf value = BUF_OVER(octets);
	char dash[2000];
	struct controller c = {.kind = CONTROLLER_TARGET};
	struct database *db;

	(void)state;
	begin();
	memset(prefix, 'p', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	virtual.prefix = span_str(prefix);
	writer_domain(&w, "virtual.test", &virtual);
	memset(dash, '/', sizeof(dash) - 1);
	dash[sizeof(dash) - 1] = '\0';
	c.dash = span_str(dash);
	c.pre = span_str(dash);
	controller_put(&value, &c);
	writer_add(&w, SPAN("=long"), buf_span(&value));
	c.dash = span_head(c.dash, 500);
	c.pre = span_head(c.pre, 500);
	c.flags = CONTROLLER_DIRECTORIES;
	value.len = 0;
	controller_put(&value, &c);
	attr_put(&header, HEADER_ALIAS_CONTROLLER, buf_span(&value));
	db = finish();
	assert_string_equal(asked(db, "long@local.test"), "trouble");
	for (size_t len = 1; len < 560; len += 13) {
		memset(text, '/', len);
		strcpy(text + len, "@virtual.test");
		(void)asked(db, text);
		memset(text, '-', len);
		(void)asked(db, text);
	}
	database_free(&db);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(boxes_prefixes_and_files),
	    cmocka_unit_test(row_270_broken_controllers_are_trouble),
	    cmocka_unit_test(tables_behind_files),
	    cmocka_unit_test(virtual_domains_and_percents),
	    cmocka_unit_test(longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

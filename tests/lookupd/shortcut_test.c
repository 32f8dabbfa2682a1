#include "lookupd/shortcut.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lookupd/lookup.h"
#include "tests/lookupd/databases.h"

static struct collection collection;

static int
begin(void **state)
{
	(void)state;
	collection_init(&collection);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	collection_clear(&collection);
	return 0;
}

static void
file(enum layout_key type, uint32_t target, const char *name, struct span leaf)
{
	uint8_t octets[64];
	struct buf key = BUF_OVER(octets);
	struct place place = {"test", 1}, first;

	key_put_u32(&key, type, target);
	buf_put_str(&key, name);
	(void)records_add(&collection.records, buf_span(&key), leaf, place, &first);
}

static struct span
controller(struct buf *to, uint32_t target, const char *dash, const char *pre)
{
	struct controller c = {.kind = CONTROLLER_TARGET,
	    .target = target,
	    .none = LEAF_UNKNOWN,
	    .dash = span_str(dash),
	    .pre = span_str(pre)};

	controller_put(to, &c);
	return buf_span(to);
}

/* What the shortcut says; an empty text: there is none. */
static struct span
known(struct span key, struct span value, struct buf *to)
{
	struct span got = shortcut(&collection, key, value, to), bare, extension;
	struct controller c;

	if (key.p[0] == KEY_ACCOUNT) {
		assert_int_equal(account_decode(got, &bare, &extension), RECORD_OK);
		got = bare;
	}
	assert_int_equal(controller_decode(got, &c), RECORD_OK);
	assert_int_equal(c.kind, CONTROLLER_TARGET);
	return c.known;
}

static void
boxes_come_to_their_files(void **state)
{
	static const struct {
		uint32_t target;
		const char *dash, *pre;
		struct span leaf;
	} rows[] = {
	    {1, "", "", SPAN("\0\0\0")},     /* no file */
	    {2, "", "", SPAN("\2\2\0")},     /* .qmail */
	    {3, "-", "a.B", SPAN("\4\4\0")}, /* .qmail-a:b */
	    {4, "", "", SPAN("")},           /* a table, which the domain may decide about */
	    {5, "", "", SPAN("")},           /* nothing at all */
	};

	(void)state;
	file(KEY_NO_FILE, 1, "", rows[0].leaf);
	file(KEY_EXTENSION, 2, "", rows[1].leaf);
	file(KEY_NO_FILE, 2, "", rows[0].leaf);
	file(KEY_EXTENSION, 3, "-a:b", rows[2].leaf);
	file(KEY_NO_FILE, 4, "", SPAN("\x0b\x0b\0\6\4\0\1\0\0\0"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t octets[512], account_octets[1024], room[SHORTCUT_MAX];
		struct buf b = BUF_OVER(octets), account = BUF_OVER(account_octets);
		struct buf to = BUF_OVER(room);
		struct span value = controller(&b, rows[i].target, rows[i].dash, rows[i].pre);

		assert_true(span_eq(known(SPAN("=box"), value, &to), rows[i].leaf));
		to.len = 0;
		assert_true(span_eq(known(SPAN("B\2\0=box"), value, &to), rows[i].leaf));
		for (int part = 0; part < 2; part++) {
			buf_put_u16(&account, (uint16_t)value.len);
			buf_put_span(&account, value);
		}
		to.len = 0;
		assert_true(span_eq(known(SPAN("ubox"), buf_span(&account), &to), rows[i].leaf));
		/* What leads to extensions stays as it is. */
		assert_ptr_equal(shortcut(&collection, SPAN("+box-"), value, &to).p, value.p);
	}
}

/* Row 270: what cannot be read stays what it is. */
static void
row_270_broken_controllers_stay(void **state)
{
	static const struct span values[] = {
	    SPAN(""), SPAN("\7"), SPAN("\1\1\0\0\0\1"), SPAN("\2\3\0\0\0"), SPAN("\0\0\0\0")};
	uint8_t room[SHORTCUT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct buf to = BUF_OVER(room);

		assert_ptr_equal(shortcut(&collection, SPAN("=b"), values[i], &to).p, values[i].p);
		assert_ptr_equal(shortcut(&collection, SPAN("ub"), values[i], &to).p, values[i].p);
	}
}

static void
on_record(struct lookup_trace *t, struct span key, struct span value)
{
	(void)t;
	(void)key;
	(void)value;
}

/* Lookups believe it; who wants to see the files is shown them. */
static void
a_question_takes_the_short_way(void **state)
{
	struct domain local = {.flags = DOMAIN_SERVED | DOMAIN_LOCAL};
	struct leaf accept = {.verdict = LEAF_ACCEPT};
	struct controller c = {
	    .kind = CONTROLLER_TARGET, .target = 1, .known = SPAN("\4\4\0"), .none = LEAF_UNKNOWN};
	struct lookup_trace trace = {.on_record = on_record};
	struct lookup_result r;
	struct database *db;
	uint8_t octets[128];
	struct buf b = BUF_OVER(octets);
	struct writer w;
	const char *error;

	(void)state;
	writer_begin(&w);
	writer_domain(&w, "local.test", &local);
	writer_leaf(&w, KEY_USER, 77, "a", &accept);
	controller_put(&b, &c);
	writer_add(&w, SPAN("=joe"), buf_span(&b));
	writer_leaf(&w, KEY_NO_FILE, 1, "", &accept);
	db = database_of(writer_end(&w, span_of("", 0)), &error);
	assert_non_null(db);
	lookup_octets(db, SPAN("joe@local.test"), LOOKUP_FROM_OUTSIDE, NULL, &r);
	assert_int_equal(r.verdict, RCPT_REFUSED);
	assert_int_equal(r.match, MATCH_BOX);
	lookup_octets(db, SPAN("joe@local.test"), LOOKUP_FROM_OUTSIDE, &trace, &r);
	assert_int_equal(r.verdict, RCPT_ACCEPTED);
	database_free(&db);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(boxes_come_to_their_files),
	    cmocka_unit_test(row_270_broken_controllers_stay),
	    cmocka_unit_test(a_question_takes_the_short_way),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

#include "lookupd/loader.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lookupd/lookup.h"
#include "tests/lookupd/databases.h"

static const char list[] = "alice@example.com\nbob+*@example.com\n@catchall.example class=x\n"
			   "dave@example.com reject=\"5.2.1 Mailbox disabled\"\n";

static struct octets good;

static int
make_octets(void **state)
{
	(void)state;
	good = octets_of_list(list, 41);
	return 0;
}

static int
free_octets(void **state)
{
	(void)state;
	free(good.p);
	return 0;
}

/* Returns: the error, which must be there; "" when it was loaded. */
static const char *
refused(struct octets o)
{
	const char *error;
	struct database *db = database_of(o, &error);

	if (db == NULL)
		return error;
	database_free(&db);
	return "";
}

static void
good_file(void **state)
{
	const char *error;
	struct database *db = database_of(octets_copy(good, good.len), &error);

	(void)state;
	assert_non_null(db);
	assert_int_equal(db->header.generation, 41);
	assert_int_equal(db->header.built, 1000);
	assert_int_equal(db->header.recipients, 4);
	assert_int_equal(db->header.domains, 2);
	database_free(&db);
}

static void
row_263_short_files(void **state)
{
	(void)state;
	assert_non_null(strstr(refused(octets_copy(good, 0)), "too short"));
	assert_non_null(strstr(refused(octets_copy(good, 2047)), "too short"));
}

static void
row_264_empty_databases(void **state)
{
	struct octets empty = {calloc(1, 2048), 2048};
	struct writer w;

	(void)state;
	/* As cdbmake writes an empty one. */
	for (size_t i = 1; i < 2048; i += 8)
		empty.p[i] = 8;
	assert_non_null(strstr(refused(empty), "too short"));
	writer_begin(&w);
	assert_non_null(strstr(refused(writer_end(&w, span_of(NULL, 0))), "no recipients"));
}

static void
row_265_without_a_canary(void **state)
{
	/* The canary's key as it would be if it had not been folded. */
	struct octets o = octets_copy(good, good.len);
	uint8_t *at = memmem(o.p, o.len, "canary+gatehouse", 16);

	(void)state;
	assert_non_null(at);
	at[0] = 'C';
	octets_mark(o);
	assert_non_null(strstr(refused(o), "canary"));
}

/* Any other constant database, and any other file. */
static void
foreign_files(void **state)
{
	struct octets cdb = octets_copy(good, good.len - LAYOUT_END_MARK_LEN);
	struct octets text = {malloc(100000), 100000};
	struct octets longer = {malloc(good.len + 1), good.len + 1};

	(void)state;
	memset(text.p, 'x', text.len);
	memcpy(longer.p, good.p, good.len);
	longer.p[good.len] = '\n';
	assert_non_null(strstr(refused(cdb), "no end mark"));
	assert_non_null(strstr(refused(text), "no end mark"));
	assert_non_null(strstr(refused(longer), "no end mark"));
}

static void
f39_cut_at_every_offset(void **state)
{
	(void)state;
	for (size_t len = 0; len < good.len; len++)
		assert_string_not_equal(refused(octets_copy(good, len)), "");
}

static void
f40_every_octet_flipped(void **state)
{
	(void)state;
	for (size_t i = 0; i < good.len; i++) {
		static const uint8_t masks[] = {0x01, 0x80, 0xff};

		for (size_t k = 0; k < sizeof(masks); k++) {
			struct octets o = octets_copy(good, good.len);

			o.p[i] = (uint8_t)(o.p[i] ^ masks[k]);
			assert_string_not_equal(refused(o), "");
		}
	}
}

/*
 * The same with the digest made right: what a defect of a writer could do. Nothing is read
 * beyond the octets (the sanitizer watches), and what is taken answers something.
 */
static void
row_267_every_octet_flipped_under_a_good_digest(void **state)
{
	(void)state;
	for (size_t i = 0; i < good.len - LAYOUT_END_MARK_LEN; i++) {
		struct octets o = octets_copy(good, good.len);

		o.p[i] = (uint8_t)(o.p[i] ^ 0xff);
		octets_mark(o);
		(void)refused(o);
	}
}

static void
put_u32(uint8_t *at, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static void
row_267_pointers_outside(void **state)
{
	static const uint32_t values[] = {0, 1, 2047, 0x7fffffff, 0xffffffff, 0xfffffff8};
	static const struct {
		const char *what;
		size_t at;
	} rows[] = {
	    {"position of table 0, which ends the records", 0},
	    {"position of a table", 8 * 77},
	    {"slots of table 0", 4},
	    {"slots of a table", 8 * 77 + 4},
	    {"length of the first key", 2048},
	    {"length of the first value", 2052},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			struct octets o = octets_copy(good, good.len);
			uint32_t was;

			memcpy(&was, o.p + rows[i].at, 4);
			put_u32(o.p + rows[i].at, values[k]);
			octets_mark(o);
			/* The position of an empty table means nothing. */
			if (refused(o)[0] == '\0' && values[k] != was && rows[i].at != 8 * 77)
				fail_msg("%s: %u was taken", rows[i].what, values[k]);
		}
	}
}

static struct octets
with_equal_keys(unsigned count)
{
	struct domain d = {.flags = DOMAIN_SERVED | DOMAIN_TABLE, .tables = {1}, .table_count = 1};
	struct leaf leaf = {.verdict = LEAF_ACCEPT};
	struct writer w;

	writer_begin(&w);
	writer_domain(&w, "d.example", &d);
	writer_leaf(&w, KEY_USER, 1, "a", &leaf);
	for (unsigned i = 0; i < count; i++)
		writer_add(&w, SPAN("x-the-same"), SPAN("y"));
	return writer_end(&w, span_of(NULL, 0));
}

static void
row_268_one_hash_value(void **state)
{
	(void)state;
	assert_string_equal(refused(with_equal_keys(1000)), "");
	assert_non_null(strstr(refused(with_equal_keys(1100)), "same hash value"));
	assert_non_null(strstr(refused(with_equal_keys(100000)), "same hash value"));
}

static struct octets
with_header(struct header change, struct span extra)
{
	struct domain d = {.flags = DOMAIN_SERVED | DOMAIN_TABLE, .tables = {1}, .table_count = 1};
	struct leaf leaf = {.verdict = LEAF_ACCEPT};
	struct writer w;

	writer_begin(&w);
	writer_domain(&w, "d.example", &d);
	writer_leaf(&w, KEY_USER, 1, "a", &leaf);
	w.header.version = (uint16_t)(w.header.version + change.version);
	w.header.recipients += change.recipients;
	w.header.domains += change.domains;
	return writer_end(&w, extra);
}

static void
headers(void **state)
{
	struct header same = {0}, version = {.version = 1}, more = {.recipients = 1},
		      domains = {.domains = 1};
	struct header fewer = {.recipients = UINT64_MAX};
	struct span none = {0};

	(void)state;
	assert_string_equal(refused(with_header(same, none)), "");
	assert_non_null(strstr(refused(with_header(version, none)), "another version"));
	assert_non_null(strstr(refused(with_header(more, none)), "not as many"));
	assert_non_null(strstr(refused(with_header(fewer, none)), "not as many"));
	assert_non_null(strstr(refused(with_header(domains, none)), "not as many"));
	/* What this version has no step for would change answers. */
	assert_non_null(strstr(refused(with_header(same, SPAN("\x11\1\0\4"))), "malformed"));
	assert_non_null(strstr(refused(with_header(same, SPAN("\x1a\1\0.\0"))), "cannot evaluate"));
	assert_non_null(strstr(refused(with_header(same, SPAN("\x7f\0\0"))), "cannot evaluate"));
	/* What may be ignored, is. */
	assert_string_equal(refused(with_header(same, SPAN("\xff\3\0abc"))), "");
	assert_non_null(strstr(refused(with_header(same, SPAN("\xff\4\0abc"))), "malformed"));
	assert_non_null(strstr(refused(with_header(same, SPAN("\x02\1\0a"))), "malformed"));
}

/* ---- descriptors ------------------------------------------------------------------------------------ */

static int
file_of(struct octets o)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, o.p, o.len, 0), o.len);
	return fd;
}

static void
descriptors(void **state)
{
	const char *error;
	bool unreadable;
	int fds[2], fd = file_of(good);
	struct database *db;

	(void)state;
	/* Whatever the file offset is. */
	assert_int_equal(lseek(fd, 100, SEEK_SET), 100);
	db = loader_load(fd, &error, &unreadable);
	assert_non_null(db);
	database_free(&db);
	assert_int_equal(pipe(fds), 0);
	assert_null(loader_load(fds[0], &error, &unreadable));
	assert_true(unreadable);
	close(fds[1]);
	/* Row 262: cannot be read. */
	fd = file_of(good);
	close(fd);
	assert_null(loader_load(fd, &error, &unreadable));
	assert_true(unreadable);
}

static void
row_266_cut_while_it_is_read(void **state)
{
	int fd = file_of(good);
	struct loader *l = loader_new(fd);

	(void)state;
	assert_int_equal(loader_step(l), LOADER_MORE); /* knows the size */
	assert_int_equal(ftruncate(fd, 1000), 0);
	while (loader_step(l) == LOADER_MORE)
		;
	assert_non_null(strstr(loader_error(l), "shorter"));
	assert_true(loader_unreadable(l));
	loader_free(&l);
}

static void
row_266_cut_after_it_was_taken(void **state)
{
	const char *error;
	bool unreadable;
	int fd = file_of(good), copy = dup(fd);
	struct database *db = loader_load(fd, &error, &unreadable);

	(void)state;
	assert_non_null(db);
	assert_int_equal(ftruncate(copy, 0), 0);
	close(copy);
	for (size_t i = 0; i < good.len; i++)
		assert_int_equal(db->octets[i], good.p[i]);
	database_free(&db);
}

static void
overwritten_while_it_is_read(void **state)
{
	int fd = file_of(good);
	struct loader *l = loader_new(fd);

	(void)state;
	assert_int_equal(loader_step(l), LOADER_MORE);
	assert_int_equal(pwrite(fd, "x", 1, 2100), 1);
	while (loader_step(l) == LOADER_MORE)
		;
	assert_non_null(strstr(loader_error(l), "damaged"));
	loader_free(&l);
	loader_free(&l);
}

/* Past what one cdb can hold: the limit is lowered, not the file raised. */
static void
several_shards(void **state)
{
	char *text = malloc(64 * 3000), name[64];
	size_t len = 0;
	struct octets o;
	struct database *db;
	const char *error;
	struct database_at at = {0};
	struct span key, value;
	unsigned records = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++)
		len += (size_t)sprintf(text + len, "user%u@d%u.example\n", i, i % 7);
	o = octets_of_list_with(text, 9, false, 8192);
	free(text);
	db = database_of(octets_copy(o, o.len), &error);
	assert_non_null(db);
	assert_true(db->shards > 10);
	for (unsigned i = 0; i < 3100; i++) {
		struct address a;
		struct lookup_result r;

		snprintf(name, sizeof(name), "user%u@d%u.example", i, i % 7);
		assert_int_equal(address_from_inside(span_str(name), &a), ADDRESS_OK);
		lookup(db, &a, &r);
		assert_int_equal(r.verdict, i < 3000 ? RCPT_ACCEPTED : RCPT_UNKNOWN_USER);
	}
	while (database_next(db, &at, &key, &value) == CDBFILE_FOUND)
		records++;
	assert_int_equal(records, 3000 + 7 + 1 + 2);
	database_free(&db);
	/* Every octet of what says where the shards are, and a wrong number of them. */
	for (size_t i = o.len - LAYOUT_END_MARK_LEN - 4 - 8 * 16; i < o.len; i++) {
		struct octets bad = octets_copy(o, o.len);

		bad.p[i] ^= 1;
		if (i < o.len - LAYOUT_END_MARK_LEN)
			octets_mark(bad);
		db = database_of(bad, &error);
		assert_null(db);
		assert_non_null(error);
	}
	free(o.p);
}

/* The file is there, and the disk does not give it. */
static void
row_F43_reading_fails(void **state)
{
	struct octets o = octets_of_list("a@b.example\n", 1);
	char path[] = "/tmp/gatehouse-loader-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	const char *error;
	bool unreadable = false;

	(void)state;
	assert_int_equal(pwrite(fd, o.p, o.len, 0), o.len);
	free(o.p);
	close(fd);
	assert_null(loader_load(open(path, O_WRONLY | O_CLOEXEC), &error, &unreadable));
	assert_string_equal(error, "cannot be read");
	assert_true(unreadable);
	unlink(path);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_file),
	    cmocka_unit_test(several_shards),
	    cmocka_unit_test(row_F43_reading_fails),
	    cmocka_unit_test(row_263_short_files),
	    cmocka_unit_test(row_264_empty_databases),
	    cmocka_unit_test(row_265_without_a_canary),
	    cmocka_unit_test(foreign_files),
	    cmocka_unit_test(f39_cut_at_every_offset),
	    cmocka_unit_test(f40_every_octet_flipped),
	    cmocka_unit_test(row_267_every_octet_flipped_under_a_good_digest),
	    cmocka_unit_test(row_267_pointers_outside),
	    cmocka_unit_test(row_268_one_hash_value),
	    cmocka_unit_test(headers),
	    cmocka_unit_test(descriptors),
	    cmocka_unit_test(row_266_cut_while_it_is_read),
	    cmocka_unit_test(row_266_cut_after_it_was_taken),
	    cmocka_unit_test(overwritten_while_it_is_read),
	};

	return cmocka_run_group_tests(tests, make_octets, free_octets);
}

#include "lookupd/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Decodes from memory that is exactly as large, so that the sanitizer sees a step beyond it. */
static enum record_status
decode_copy(
    struct span value, enum record_status (*decode)(struct span value, void *out), void *out)
{
	uint8_t *copy = malloc(value.len > 0 ? value.len : 1);
	enum record_status status;

	assert_non_null(copy);
	if (value.len > 0)
		memcpy(copy, value.p, value.len);
	status = decode(span_of(copy, value.len), out);
	free(copy);
	return status;
}

static enum record_status
as_leaf(struct span value, void *out)
{
	return leaf_decode(value, out);
}

static enum record_status
as_domain(struct span value, void *out)
{
	return domain_decode(value, out);
}

static enum record_status
as_header(struct span value, void *out)
{
	uint8_t unknown;

	return header_decode(value, out, &unknown);
}

/* Everything a leaf can carry, there and back. */
static void
leaves(void **state)
{
	static const struct leaf full = {
	    .verdict = LEAF_REFUSE,
	    .immediate = LEAF_TABLE,
	    .flags = LEAF_UNVERIFIED | LEAF_PARTIAL | LEAF_LATE,
	    .route = 0xfedc,
	    .next_table = 0xfedcba98,
	    .size = UINT64_MAX,
	    .class = {(const uint8_t *)"Staff_1.x-y", 11},
	    .status = {(const uint8_t *)"5.123.456", 9},
	    .text = {(const uint8_t *)"Text with ~ \"quotes\"", 20},
	    .delivered_to = {(const uint8_t *)"x-bob@example.com", 17},
	};
	uint8_t octets[512];
	struct buf b = BUF_OVER(octets);
	struct leaf l;

	(void)state;
	leaf_put(&b, &full);
	assert_false(b.full);
	assert_int_equal(leaf_decode(buf_span(&b), &l), RECORD_OK);
	assert_int_equal(l.verdict, full.verdict);
	assert_int_equal(l.immediate, full.immediate);
	assert_int_equal(l.flags, full.flags);
	assert_int_equal(l.route, full.route);
	assert_int_equal(l.next_table, full.next_table);
	assert_true(l.size == full.size);
	assert_true(span_eq(l.class, full.class));
	assert_true(span_eq(l.status, full.status));
	assert_true(span_eq(l.text, full.text));
	assert_true(span_eq(l.delivered_to, full.delivered_to));
	/* Cut anywhere but between attributes it is malformed; nowhere is there a step outside. */
	for (size_t len = 0; len < b.len; len++)
		(void)decode_copy(span_of(octets, len), as_leaf, &l);
	assert_int_equal(decode_copy(span_of(octets, b.len - 1), as_leaf, &l), RECORD_MALFORMED);
}

static void
domains(void **state)
{
	uint8_t set[LAYOUT_BITS_LEN] = {0}, octets[1024];
	struct buf b = BUF_OVER(octets);
	struct domain d, full = {
			     .flags = DOMAIN_FLAGS,
			     .route = 7,
			     .tables = {1, 2, 3, 0xffffffff},
			     .table_count = 4,
			     .real = SPAN("real.example"),
			     .prefix = SPAN("joe"),
			     .delimiters = SPAN("+-"),
			     .wild_octets = SPAN("-="),
			     .count = 123456789012,
			 };

	(void)state;
	bits_set(set, 0);
	bits_set(set, 255);
	full.wild_lengths = full.charset = span_of(set, sizeof(set));
	domain_put(&b, &full);
	assert_false(b.full);
	assert_int_equal(domain_decode(buf_span(&b), &d), RECORD_OK);
	assert_int_equal(d.flags, full.flags);
	assert_int_equal(d.route, 7);
	assert_int_equal(d.table_count, 4);
	assert_memory_equal(d.tables, full.tables, sizeof(d.tables));
	assert_true(span_eq(d.real, full.real));
	assert_true(span_eq(d.prefix, full.prefix));
	assert_true(span_eq(d.delimiters, full.delimiters));
	assert_true(span_eq(d.wild_octets, full.wild_octets));
	assert_true(
	    bits_have(d.wild_lengths, 255) && bits_have(d.charset, 0) && !bits_have(d.charset, 1));
	assert_false(bits_have(d.charset, 256));
	assert_true(d.count == full.count);
	for (size_t len = 0; len < b.len; len++)
		(void)decode_copy(span_of(octets, len), as_domain, &d);
	assert_int_equal(decode_copy(span_of(octets, b.len - 1), as_domain, &d), RECORD_MALFORMED);
}

static void
headers(void **state)
{
	struct header full = {.version = 1,
			  .generation = 2,
			  .built = 3,
			  .recipients = 4,
			  .domains = 5},
		      h;
	uint8_t octets[128], unknown;
	struct buf b = BUF_OVER(octets);

	(void)state;
	header_put(&b, &full);
	assert_int_equal(header_decode(buf_span(&b), &h, &unknown), RECORD_OK);
	assert_int_equal(h.generation, 2);
	assert_int_equal(h.domains, 5);
	for (size_t len = 0; len < b.len; len++)
		(void)decode_copy(span_of(octets, len), as_header, &h);
	/* Another version is told before anything else is looked at. */
	assert_int_equal(header_decode(SPAN("\1\2\0\2\0\x7f"), &h, &unknown), RECORD_UNKNOWN);
	assert_int_equal(unknown, HEADER_VERSION);
	assert_int_equal(header_decode(SPAN("\1\2\0\1\0\x1a\0\0"), &h, &unknown), RECORD_UNKNOWN);
	assert_int_equal(unknown, HEADER_PATTERN);
	assert_int_equal(header_decode(SPAN("\2\2\0\1\0"), &h, &unknown), RECORD_MALFORMED);
	assert_int_equal(header_decode(SPAN(""), &h, &unknown), RECORD_MALFORMED);
}

static void
routes(void **state)
{
	struct span name;

	(void)state;
	assert_int_equal(route_decode(SPAN("\1\1\0x"), &name), RECORD_OK);
	assert_true(span_eq(name, SPAN("x")));
	assert_int_equal(route_decode(SPAN(""), &name), RECORD_MALFORMED);
	assert_int_equal(route_decode(SPAN("\1\0\0"), &name), RECORD_MALFORMED);
	assert_int_equal(route_decode(SPAN("\1\1\0 "), &name), RECORD_MALFORMED);
	assert_int_equal(route_decode(SPAN("\2\1\0x"), &name), RECORD_UNKNOWN);
}

static void
status_codes(void **state)
{
	static const char *const good[] = {"5.2.1", "5.0.0", "5.999.999", "5.10.20"};
	static const char *const bad[] = {"", "5", "5.", "5.2", "5.2.", "5..1", "5.2.1.", "5.2.1.1",
	    "4.2.1", "5.2.01", "5.02.1", "5.1000.1", "5.2.1 ", " 5.2.1", "5.2.x", "55.2.1",
	    "5.2.1000"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(record_status_ok(span_str(good[i]), '5'));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(record_status_ok(span_str(bad[i]), '5'));
}

static void
key_types(void **state)
{
	(void)state;
	assert_string_equal(key_type_name('U'), "user");
	assert_null(key_type_name('Z'));
	assert_null(key_type_name(0));
	assert_true(key_is_recipient(SPAN("W....")));
	assert_false(key_is_recipient(SPAN("D")));
	assert_false(key_is_recipient(SPAN("")));
	assert_true(key_is_domain(SPAN("S.x")));
	assert_false(key_is_domain(SPAN("R")));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(leaves),
	    cmocka_unit_test(domains),
	    cmocka_unit_test(headers),
	    cmocka_unit_test(routes),
	    cmocka_unit_test(status_codes),
	    cmocka_unit_test(key_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

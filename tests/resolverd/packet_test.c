/* Reading answers out of DNS packets: what is taken, and what strangers may try. */
#include "resolverd/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- packets under construction ---------------------------------------------------------------- */

struct builder {
	uint8_t p[65536];
	size_t len;
	unsigned answers;
};

static void
put(struct builder *b, const void *p, size_t len)
{
	assert_true(b->len + len <= sizeof(b->p));
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

static void
put16(struct builder *b, unsigned v)
{
	uint8_t p[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	put(b, p, 2);
}

static void
put32(struct builder *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b, v & 0xffff);
}

/* "a.b" as labels. */
static void
put_name(struct builder *b, const char *name)
{
	while (*name != '\0') {
		size_t len = strcspn(name, ".");
		uint8_t octet = (uint8_t)len;

		put(b, &octet, 1);
		put(b, name, len);
		name += len + (name[len] == '.');
	}
	put(b, "", 1);
}

static void
begin_with(struct builder *b, unsigned flags, const char *name, unsigned type)
{
	b->len = 0;
	b->answers = 0;
	put16(b, 4711);
	put16(b, flags);
	put16(b, 1);
	put16(b, 0);
	put16(b, 0);
	put16(b, 0);
	put_name(b, name);
	put16(b, type);
	put16(b, 1);
}

enum { GOOD = 0x8180 };

static void
begin(struct builder *b, const char *name, unsigned type)
{
	begin_with(b, GOOD, name, type);
}

static void
set_answers(struct builder *b, unsigned n)
{
	b->answers = n;
	b->p[6] = (uint8_t)(n >> 8);
	b->p[7] = (uint8_t)n;
}

static void
record_ttl(
    struct builder *b, const char *owner, unsigned type, uint32_t ttl, const void *data, size_t len)
{
	put_name(b, owner);
	put16(b, type);
	put16(b, 1);
	put32(b, ttl);
	put16(b, (unsigned)len);
	put(b, data, len);
	set_answers(b, b->answers + 1);
}

static void
record(struct builder *b, const char *owner, unsigned type, const void *data, size_t len)
{
	record_ttl(b, owner, type, 300, data, len);
}

/* A record whose data is [preference] a name. */
static void
record_name(struct builder *b, const char *owner, unsigned type, const char *target)
{
	struct builder data = {.len = 0};

	if (type == PACKET_MX)
		put16(&data, 10);
	put_name(&data, target);
	record(b, owner, type, data.p, data.len);
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct packet_answer answer;

/* The packet in memory of exactly its size, so that the sanitizer sees what is read beyond. */
static enum dns_status
read_octets(const uint8_t *p, size_t len, const char *name, unsigned type)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct packet_name asked;

	assert_non_null(copy);
	memcpy(copy, p, len);
	assert_true(packet_name_parse(span_str(name), &asked));
	packet_read(span_of(copy, len), &asked, (uint16_t)type, &answer);
	free(copy);
	return answer.status;
}

/* Cut off anywhere it is refused; whole it is what it is. */
static enum dns_status
read_packet(const struct builder *b, const char *name, unsigned type)
{
	for (size_t len = 0; len < b->len; len++) {
		enum dns_status status = read_octets(b->p, len, name, type);

		if (answer.count > 0)
			assert_int_equal(status, DNS_OK);
	}
	return read_octets(b->p, b->len, name, type);
}

static struct msg_dns_record
nth(unsigned n)
{
	struct span rest = buf_span(&answer.encoded);
	struct msg_dns_record r = {0, {NULL, 0}};

	for (unsigned i = 0; i <= n; i++)
		assert_true(msg_list_next(&rest, RECORD_dns_record, &r));
	return r;
}

static void
assert_data(unsigned n, const char *text)
{
	struct msg_dns_record r = nth(n);

	assert_int_equal(r.data.len, strlen(text));
	assert_memory_equal(r.data.p, text, r.data.len);
}

static struct builder b;

/* ---- what is taken ----------------------------------------------------------------------------- */

static void
good_a(void **state)
{
	(void)state;
	begin(&b, "Host.Example", PACKET_A);
	record(&b, "hOst.exaMple", PACKET_A, "\xc0\x00\x02\x01", 4);
	record(&b, "host.example", PACKET_A, "\xc0\x00\x02\x02", 4);
	assert_int_equal(read_packet(&b, "host.example", PACKET_A), DNS_OK);
	assert_int_equal(answer.count, 2);
	assert_memory_equal(nth(1).data.p, "\xc0\x00\x02\x02", 4);
}

static void
good_mx_and_null_mx(void **state)
{
	(void)state;
	begin(&b, "example", PACKET_MX);
	record_name(&b, "example", PACKET_MX, "MX1.example");
	assert_int_equal(read_packet(&b, "example", PACKET_MX), DNS_OK);
	assert_data(0, "mx1.example");
	assert_int_equal(nth(0).preference, 10);
	begin(&b, "example", PACKET_MX);
	record_name(&b, "example", PACKET_MX, "");
	assert_int_equal(read_packet(&b, "example", PACKET_MX), DNS_OK);
	assert_data(0, "");
}

static void
good_txt_strings_are_joined(void **state)
{
	(void)state;
	begin(&b, "example", PACKET_TXT);
	record(&b, "example", PACKET_TXT, "\x06v=spf1\x00\x05 -all", 14);
	assert_int_equal(read_packet(&b, "example", PACKET_TXT), DNS_OK);
	assert_data(0, "v=spf1 -all");
}

static void
good_alias(void **state)
{
	(void)state;
	begin(&b, "a.example", PACKET_A);
	record_name(&b, "a.example", PACKET_CNAME, "b.example");
	record(&b, "b.example", PACKET_A, "\1\2\3\4", 4);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_OK);
	assert_int_equal(answer.count, 1);
}

static void
good_compressed_owner(void **state)
{
	(void)state;
	begin(&b, "a.example", PACKET_A);
	put16(&b, 0xc00c);
	put16(&b, PACKET_A);
	put16(&b, 1);
	put32(&b, 60);
	put16(&b, 4);
	put(&b, "\1\2\3\4", 4);
	set_answers(&b, 1);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_OK);
	assert_int_equal(answer.ttl, 60);
}

static void
no_data_and_no_name(void **state)
{
	(void)state;
	begin(&b, "a.example", PACKET_A);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_NO_DATA);
	begin_with(&b, GOOD | 3, "a.example", PACKET_A);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_NO_NAME);
}

static void
row_250_server_says_no(void **state)
{
	static const unsigned codes[] = {1, 2, 4, 5, 6, 9, 15};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		begin_with(&b, GOOD | codes[i], "a.example", PACKET_A);
		record(&b, "a.example", PACKET_A, "\1\2\3\4", 4);
		assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
		assert_int_equal(answer.count, 0);
	}
	begin_with(&b, GOOD | 0x200, "a.example", PACKET_A); /* TC */
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
}

static void
row_251_answers_something_else(void **state)
{
	(void)state;
	begin(&b, "other.example", PACKET_A);
	record(&b, "other.example", PACKET_A, "\1\2\3\4", 4);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
	begin(&b, "a.example", PACKET_TXT);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
	begin_with(&b, 0x0100, "a.example", PACKET_A); /* a question */
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
	begin_with(&b, GOOD | 0x0800, "a.example", PACKET_A); /* another opcode */
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
	/* a record of another name is nobody's */
	begin(&b, "a.example", PACKET_A);
	record(&b, "b.example", PACKET_A, "\1\2\3\4", 4);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_NO_DATA);
}

/* ---- malformed --------------------------------------------------------------------------------- */

/* A record with an owner given as octets. */
static void
raw_owner(const void *owner, size_t len)
{
	begin(&b, "a.example", PACKET_A);
	put(&b, owner, len);
	put16(&b, PACKET_A);
	put16(&b, 1);
	put32(&b, 60);
	put16(&b, 4);
	put(&b, "\1\2\3\4", 4);
	set_answers(&b, 1);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
}

static void
row_252_compression(void **state)
{
	uint8_t at[2];

	(void)state;
	begin(&b, "a.example", PACKET_A);
	at[0] = (uint8_t)(0xc0 | b.len >> 8);
	at[1] = (uint8_t)b.len;
	raw_owner(at, 2); /* points at itself */
	at[1] = (uint8_t)(at[1] + 2);
	raw_owner(at, 2);         /* forward */
	raw_owner("\xff\xff", 2); /* past the end */
	raw_owner("\x40", 1);     /* reserved kinds of label */
	raw_owner("\x80", 1);
	begin(&b, "a.example", PACKET_A); /* label, then back to its own beginning */
	at[1] = (uint8_t)b.len;
	{
		uint8_t loop[4] = {1, 'a', at[0], at[1]};

		raw_owner(loop, sizeof(loop));
	}
}

static void
row_252_long_names(void **state)
{
	uint8_t name[400] = {0};
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		name[len++] = 63;
		memset(name + len, 'a', 63);
		len += 63;
	}
	name[len++] = 0; /* 257 octets */
	raw_owner(name, len);
	name[0] = 64;
	raw_owner(name, 70);
}

static void
row_252_counts_and_lengths(void **state)
{
	(void)state;
	begin(&b, "a.example", PACKET_A);
	set_answers(&b, 65535);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
	begin(&b, "a.example", PACKET_A);
	record(&b, "a.example", PACKET_A, "\1\2\3\4", 4);
	b.p[b.len - 5] = 200; /* RDLENGTH past the end */
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
	begin(&b, "a.example", PACKET_A);
	b.p[5] = 2; /* two questions */
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
}

/* libopendkim would read type and class of the question that is not there. It never sees a packet:
 * it is given the text of a key, rebuilt from records. */
static void
row_235_no_question(void **state)
{
	(void)state;
	begin(&b, "a.example", PACKET_TXT);
	record(&b, "a.example", PACKET_TXT, "\1x", 2);
	assert_int_equal(read_packet(&b, "a.example", PACKET_TXT), DNS_OK);
	b.p[5] = 0;
	assert_int_equal(read_packet(&b, "a.example", PACKET_TXT), DNS_TROUBLE);
}

static void
row_252_data_of_wrong_size(void **state)
{
	static const struct {
		unsigned type;
		const char *data;
		size_t len;
	} rows[] = {
	    {PACKET_A, "\1\2\3", 3},
	    {PACKET_A, "\1\2\3\4\5", 5},
	    {PACKET_AAAA, "\1\2\3\4", 4},
	    {PACKET_MX, "\1", 1},
	    {PACKET_MX, "\0\1", 2},
	    {PACKET_MX, "\0\1\1a\0x", 6},
	    {PACKET_PTR, "", 0},
	    {PACKET_PTR, "\1a", 2},
	    {PACKET_PTR, "\1a\0x", 4},
	    {PACKET_TXT, "", 0},
	    {PACKET_TXT, "\5abc", 4},
	    {PACKET_TXT, "\1a\1", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&b, "a.example", rows[i].type);
		record(&b, "a.example", rows[i].type, rows[i].data, rows[i].len);
		assert_int_equal(read_packet(&b, "a.example", rows[i].type), DNS_TROUBLE);
		assert_int_equal(answer.count, 0);
	}
	begin(&b, "a.example", PACKET_A);
	record(&b, "a.example", PACKET_CNAME, "\1b\0x", 4);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_TROUBLE);
}

/* ---- too much ---------------------------------------------------------------------------------- */

static void
row_253_many_records(void **state)
{
	(void)state;
	begin(&b, "a.example", PACKET_A);
	for (int i = 0; i < 2500; i++)
		record(&b, "a.example", PACKET_A, "\1\2\3\4", 4);
	assert_int_equal(read_octets(b.p, b.len, "a.example", PACKET_A), DNS_OK);
	assert_int_equal(answer.count, PACKET_RECORDS_MAX);
	/* of texts none may be missed: there may be two policies */
	begin(&b, "a.example", PACKET_TXT);
	for (int i = 0; i < 65; i++)
		record(&b, "a.example", PACKET_TXT, "\1x", 2);
	assert_int_equal(read_octets(b.p, b.len, "a.example", PACKET_TXT), DNS_UNUSABLE);
}

static void
text_record(size_t strings)
{
	static uint8_t data[65536];

	for (size_t i = 0; i < strings; i++) {
		data[i * 256] = 255;
		memset(data + i * 256 + 1, 't', 255);
	}
	record(&b, "a.example", PACKET_TXT, data, strings * 256);
}

static void
row_216_234_large_texts(void **state)
{
	(void)state;
	begin(&b, "a.example", PACKET_TXT);
	text_record(16);
	assert_int_equal(read_octets(b.p, b.len, "a.example", PACKET_TXT), DNS_OK);
	begin(&b, "a.example", PACKET_TXT);
	text_record(17);
	assert_int_equal(read_octets(b.p, b.len, "a.example", PACKET_TXT), DNS_UNUSABLE);
	begin(&b, "a.example", PACKET_TXT);
	text_record(200);
	assert_int_equal(read_octets(b.p, b.len, "a.example", PACKET_TXT), DNS_UNUSABLE);
	begin(&b, "a.example", PACKET_TXT);
	for (int i = 0; i < 5; i++)
		text_record(16);
	assert_int_equal(read_octets(b.p, b.len, "a.example", PACKET_TXT), DNS_UNUSABLE);
}

static void
chain(unsigned hops)
{
	begin(&b, "n0.example", PACKET_A);
	for (unsigned i = 0; i < hops; i++) {
		char owner[32], target[32];

		snprintf(owner, sizeof(owner), "n%u.example", i);
		snprintf(target, sizeof(target), "n%u.example", i + 1);
		record_name(&b, owner, PACKET_CNAME, target);
		if (i + 1 == hops)
			record(&b, target, PACKET_A, "\1\2\3\4", 4);
	}
}

static void
row_254_chains(void **state)
{
	(void)state;
	chain(8);
	assert_int_equal(read_packet(&b, "n0.example", PACKET_A), DNS_OK);
	chain(9);
	assert_int_equal(read_packet(&b, "n0.example", PACKET_A), DNS_UNUSABLE);
	begin(&b, "a.example", PACKET_A);
	record_name(&b, "a.example", PACKET_CNAME, "b.example");
	record_name(&b, "b.example", PACKET_CNAME, "a.example");
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_UNUSABLE);
	/* a DNAME is only followed by the CNAME that comes with it */
	begin(&b, "a.example", PACKET_A);
	record_name(&b, "example", 39, "other");
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_NO_DATA);
}

/* ---- names --------------------------------------------------------------------------------------- */

static void
row_255_strange_names(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *text; /* NULL: left out */
	} rows[] = {
	    {"\4HOST\7Example", 14, "host.example"}, {"\5_h-o1\7example", 15, "_h-o1.example"},
	    {"\4a.bc\7example", 14, NULL}, {"\3a\0b\7example", 13, NULL},
	    {"\3a%s\7example", 13, NULL}, {"\3a;b\7example", 13, NULL},
	    {"\3a b\7example", 13, NULL}, {"\2\xc3\xbc\7example", 12, NULL},
	    {"", 1, NULL}, /* the root */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum dns_status status;

		begin(&b, "a.example", PACKET_PTR);
		record(&b, "a.example", PACKET_PTR, rows[i].data, rows[i].len);
		status = read_packet(&b, "a.example", PACKET_PTR);
		assert_int_equal(status, rows[i].text != NULL ? DNS_OK : DNS_NO_DATA);
		if (rows[i].text != NULL)
			assert_data(0, rows[i].text);
	}
}

static void
row_260_times(void **state)
{
	static const struct {
		uint32_t ttl, seen;
	} rows[] = {{0, 0}, {300, 300}, {86400, 86400}, {86401, 86400}, {0x7fffffff, 86400},
	    {0x80000000u, 0}, {0xffffffffu, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&b, "a.example", PACKET_A);
		record_ttl(&b, "a.example", PACKET_A, rows[i].ttl, "\1\2\3\4", 4);
		assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_OK);
		assert_int_equal(answer.ttl, rows[i].seen);
	}
	/* what an alias led to lives no longer than the alias */
	begin(&b, "a.example", PACKET_A);
	record_ttl(&b, "a.example", PACKET_CNAME, 5, "\1b\7example", 11);
	record_ttl(&b, "b.example", PACKET_A, 300, "\1\2\3\4", 4);
	assert_int_equal(read_packet(&b, "a.example", PACKET_A), DNS_OK);
	assert_int_equal(answer.ttl, 5);
}

static void
names_to_ask(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {{"a", true}, {"a.b", true}, {"", false}, {".", false}, {"a.", false},
	    {".a", false}, {"a..b", false}};
	struct packet_name name;
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(packet_name_parse(span_str(rows[i].text), &name), rows[i].good);
	memset(text, 'a', sizeof(text));
	for (size_t i = 63; i < sizeof(text); i += 64)
		text[i] = '.';
	assert_true(packet_name_parse(span_of(text, 253), &name));
	assert_false(packet_name_parse(span_of(text, 254), &name));
	assert_false(packet_name_parse(span_of(text + 64, 64), &name));
	memset(text, 'a', sizeof(text));
	assert_true(packet_name_parse(span_of(text, 63), &name));
	assert_false(packet_name_parse(span_of(text, 64), &name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_a),
	    cmocka_unit_test(good_mx_and_null_mx),
	    cmocka_unit_test(good_txt_strings_are_joined),
	    cmocka_unit_test(good_alias),
	    cmocka_unit_test(good_compressed_owner),
	    cmocka_unit_test(no_data_and_no_name),
	    cmocka_unit_test(row_250_server_says_no),
	    cmocka_unit_test(row_251_answers_something_else),
	    cmocka_unit_test(row_252_compression),
	    cmocka_unit_test(row_252_long_names),
	    cmocka_unit_test(row_252_counts_and_lengths),
	    cmocka_unit_test(row_235_no_question),
	    cmocka_unit_test(row_252_data_of_wrong_size),
	    cmocka_unit_test(row_253_many_records),
	    cmocka_unit_test(row_216_234_large_texts),
	    cmocka_unit_test(row_254_chains),
	    cmocka_unit_test(row_255_strange_names),
	    cmocka_unit_test(row_260_times),
	    cmocka_unit_test(names_to_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

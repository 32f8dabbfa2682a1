/* What of the answers of the DNS is kept, and for how long. */
#include "validators/known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW = 5000000 };

static struct known_answers *known;
static struct known_key key;

static int
set_up(void **state)
{
	(void)state;
	known = calloc(1, sizeof(*known));
	known_init(known);
	known_key_of(&key, DNS_TYPE_TXT, SPAN("sender.example"));
	return known != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	free(known);
	return 0;
}

static struct msg_dns_answer
an_answer(uint32_t ttl, struct buf *b, size_t len)
{
	static uint8_t text[DNS_RECORD_MAX];
	struct msg_dns_record record = {0, span_of(text, len)};
	struct msg_dns_answer answer = {
	    .query = 7, .status = DNS_OK, .security = 1, .ttl = ttl, .asked = 1};

	memset(text, 't', len);
	b->len = 0;
	assert_true(msg_list_put(b, RECORD_dns_record, &record));
	answer.records.count = 1;
	answer.records.encoded = buf_span(b);
	return answer;
}

static void
keep(uint32_t ttl, size_t len)
{
	uint8_t room[DNS_RECORD_MAX + 16];
	struct buf b = BUF_OVER(room);
	struct msg_dns_answer answer = an_answer(ttl, &b, len);

	known_keep(known, &key, NOW, &answer);
	memset(room, 0, sizeof(room)); /* its records are its own */
}

static void
given_as_it_was(void **state)
{
	struct msg_dns_answer answer;
	struct msg_dns_record record;
	struct span rest;

	(void)state;
	assert_false(known_find(known, &key, NOW, &answer));
	keep(30, 100);
	assert_true(known_find(known, &key, NOW + 9500, &answer));
	assert_int_equal(answer.status, DNS_OK);
	assert_int_equal(answer.security, 1);
	assert_int_equal(answer.ttl, 20);
	assert_int_equal(answer.asked, 0);
	assert_int_equal(answer.records.count, 1);
	rest = answer.records.encoded;
	assert_true(msg_list_next(&rest, RECORD_dns_record, &record));
	assert_int_equal(record.data.len, 100);
	assert_int_equal(record.data.p[99], 't');
	assert_false(msg_list_next(&rest, RECORD_dns_record, &record));
}

static void
not_longer_than_it_may(void **state)
{
	struct msg_dns_answer answer;

	(void)state;
	keep(2, 10);
	assert_true(known_find(known, &key, NOW + 1999, &answer));
	assert_false(known_find(known, &key, NOW + 2000, &answer));
	keep(86400, 10);
	assert_true(known_find(known, &key, NOW + KNOWN_KEEP_MS - 1, &answer));
	assert_false(known_find(known, &key, NOW + KNOWN_KEEP_MS, &answer));
	known_forget_all(known);
	assert_false(known_find(known, &key, NOW, &answer));
	keep(0, 10);
	assert_false(known_find(known, &key, NOW, &answer));
}

static void
only_for_the_same_question(void **state)
{
	struct msg_dns_answer answer;
	struct known_key other;

	(void)state;
	keep(30, 10);
	known_key_of(&other, DNS_TYPE_MX, SPAN("sender.example"));
	assert_false(known_find(known, &other, NOW, &answer));
	known_key_of(&other, DNS_TYPE_TXT, SPAN("sender.example."));
	assert_false(known_find(known, &other, NOW, &answer));
	known_key_of(&other, DNS_TYPE_TXT, SPAN("sender.exampl"));
	assert_false(known_find(known, &other, NOW, &answer));
}

static void
trouble_and_what_is_long_is_not_kept(void **state)
{
	struct msg_dns_answer answer = {.status = DNS_TROUBLE, .ttl = 30};

	(void)state;
	known_keep(known, &key, NOW, &answer);
	assert_false(known_find(known, &key, NOW, &answer));
	keep(30, KNOWN_OCTETS_MAX);
	assert_false(known_find(known, &key, NOW, &answer));
}

/* However many names there are, the table stays as it is, and gives no wrong answer. */
static void
many_names(void **state)
{
	struct msg_dns_answer answer;
	unsigned found = 0;
	char name[40];

	(void)state;
	for (unsigned i = 0; i < 3 * KNOWN_MAX; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		known_key_of(&key, DNS_TYPE_A, span_str(name));
		keep(30, i % 50);
	}
	for (unsigned i = 0; i < 3 * KNOWN_MAX; i++) {
		struct msg_dns_record record;
		struct span rest;

		snprintf(name, sizeof(name), "n%u.example", i);
		known_key_of(&key, DNS_TYPE_A, span_str(name));
		if (!known_find(known, &key, NOW, &answer))
			continue;
		found++;
		rest = answer.records.encoded;
		assert_true(msg_list_next(&rest, RECORD_dns_record, &record));
		assert_int_equal(record.data.len, i % 50);
	}
	assert_in_range(found, KNOWN_MAX / 2, KNOWN_MAX);
}

/* Keeps an answer to a name, asked once or again. */
static uint16_t
keep_name(const char *name, bool again)
{
	struct msg_dns_answer answer;

	known_key_of(&key, DNS_TYPE_TXT, span_str(name));
	keep(30, 10);
	if (again)
		assert_true(known_find(known, &key, NOW, &answer));
	return known_place(known, &key);
}

static uint16_t
successor(uint16_t place, uint64_t now)
{
	struct msg_dns_answer answer;
	const struct known_key *found;

	return known_successor(known, place, now, &found, &answer);
}

static void
one_leads_to_the_next(void **state)
{
	uint16_t a = keep_name("a.example", false), b = keep_name("b.example", true);
	const struct known_key *found;
	struct msg_dns_answer answer;

	(void)state;
	assert_int_equal(successor(a, NOW), KNOWN_NOWHERE);
	known_follow(known, a, b);
	assert_int_equal(known_successor(known, a, NOW, &found, &answer), b);
	assert_int_equal(found->type, DNS_TYPE_TXT);
	assert_memory_equal(found->name, "b.example", found->name_len);
	assert_int_equal(answer.status, DNS_OK);
	assert_int_equal(answer.ttl, 30);
	assert_int_equal(successor(a, NOW + 30000), KNOWN_NOWHERE);
	/* an answer that is renewed keeps what follows it; another in its place does not */
	keep_name("a.example", false);
	assert_int_equal(successor(a, NOW), b);
	known->places[a].key.name[0] = 'x';
	keep_name("a.example", false);
	assert_int_equal(successor(a, NOW), KNOWN_NOWHERE);
}

/* It may bear the name of a sender. */
static void
what_one_alone_asked_is_told_nobody(void **state)
{
	uint16_t a = keep_name("a.example", true), b = keep_name("b.example", false);
	struct msg_dns_answer answer;

	(void)state;
	known_follow(known, a, b);
	assert_int_equal(successor(a, NOW), KNOWN_NOWHERE);
	assert_true(known_find(known, &key, NOW, &answer));
	assert_int_equal(successor(a, NOW), b);
}

static void
no_circles(void **state)
{
	uint16_t a = keep_name("a.example", true), b = keep_name("b.example", true),
		 c = keep_name("c.example", true);

	(void)state;
	known_follow(known, a, a);
	assert_int_equal(successor(a, NOW), KNOWN_NOWHERE);
	known_follow(known, a, b);
	known_follow(known, b, c);
	known_follow(known, c, a);
	assert_int_equal(successor(c, NOW), a);
	assert_int_equal(successor(a, NOW), b);
	assert_int_equal(successor(b, NOW), KNOWN_NOWHERE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(given_as_it_was, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(not_longer_than_it_may, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(only_for_the_same_question, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		trouble_and_what_is_long_is_not_kept, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(many_names, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(one_leads_to_the_next, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_one_alone_asked_is_told_nobody, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(no_circles, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "lib/dnslist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
	const char *text;
	bool good;
} options[] = {
    {"127.0.0.2", true},
    {"127.0.0.2-127.0.0.11", true},
    {"127.0.0.2-127.0.0.2", true},
    {"127.255.254.255", true},
    {"127.0.0.11-127.0.0.2", false},
    {"127.0.0.2-", false},
    {"-127.0.0.2", false},
    {"127.0.0.2-127.0.0.3-127.0.0.4", false},
    {"127.0.0.2/31", false},
    {"126.255.255.255-127.0.0.2", false},
    {"127.0.0.2-128.0.0.1", false},
    {"192.0.2.1", false},
    {"127.255.255.254", false},
    {"127.0.0.1-127.255.255.0", false},
    {"127.255.255.255-127.255.255.255", false},
    {"::1", false},
    {"", false},
};

static void
answers_of_the_configuration(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const char *items[] = {"127.0.0.9", options[i].text};
		struct conf_strings strings = {2, items};
		struct dnslist_ranges ranges;
		size_t bad = 9;
		const char *wrong = dnslist_parse(&strings, &ranges, &bad);

		if ((wrong == NULL) != options[i].good)
			fail_msg("%s: %s", options[i].text, wrong != NULL ? wrong : "taken");
		assert_int_equal(ranges.count, wrong == NULL ? 2 : 0);
		assert_int_equal(bad, 1);
	}
}

static void
too_many_answers(void **state)
{
	const char *items[DNSLIST_RANGES_MAX + 1];
	struct conf_strings strings = {DNSLIST_RANGES_MAX, items};
	struct dnslist_ranges ranges;
	size_t bad;

	(void)state;
	for (size_t i = 0; i <= DNSLIST_RANGES_MAX; i++)
		items[i] = "127.0.0.2";
	assert_null(dnslist_parse(&strings, &ranges, &bad));
	strings.count++;
	assert_non_null(dnslist_parse(&strings, &ranges, &bad));
	assert_int_equal(bad, DNSLIST_RANGES_MAX);
}

static void
zones(void **state)
{
	char longest[260];

	(void)state;
	assert_true(dnslist_zone_ok("zen.example.org"));
	assert_false(dnslist_zone_ok(NULL));
	assert_false(dnslist_zone_ok(""));
	assert_false(dnslist_zone_ok("a b.example"));
	assert_false(dnslist_zone_ok(".example"));
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 == 0 ? 'a' : '.';
	longest[DNSLIST_ZONE_MAX] = '\0';
	assert_true(dnslist_zone_ok(longest));
	longest[DNSLIST_ZONE_MAX] = '.';
	longest[DNSLIST_ZONE_MAX + 2] = '\0';
	assert_false(dnslist_zone_ok(longest));
}

static void
is_name(const char *address, const char *expected)
{
	uint8_t room[DNSLIST_NAME_MAX];
	struct buf b = BUF_OVER(room);
	struct ip ip;

	assert_true(ip_parse(span_str(address), &ip));
	dnslist_put_name(&b, &ip, SPAN("list.example"));
	assert_int_equal(b.len, strlen(expected));
	assert_memory_equal(room, expected, b.len);
}

static void
names(void **state)
{
	(void)state;
	is_name("192.0.2.99", "99.2.0.192.list.example");
	is_name("::ffff:10.200.0.1", "1.0.200.10.list.example");
	/* RFC 5782 2.4 */
	is_name("2001:db8:1:2:3:4:567:89ab",
	    "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.list.example");
}

static const struct {
	const char *what;
	unsigned status;
	const char *addresses[3];
	enum dnslist_answer answer;
} answers[] = {
    {"no name", DNS_NO_NAME, {NULL}, DNSLIST_NOT_LISTED},
    {"no data", DNS_NO_DATA, {NULL}, DNSLIST_NOT_LISTED},
    {"no answer", DNS_TROUBLE, {NULL}, DNSLIST_UNKNOWN},
    {"too large an answer", DNS_UNUSABLE, {NULL}, DNSLIST_UNKNOWN},
    {"configured", DNS_OK, {"127.0.0.4"}, DNSLIST_LISTED},
    {"first of a range", DNS_OK, {"127.0.0.2"}, DNSLIST_LISTED},
    {"last of a range", DNS_OK, {"127.0.0.5"}, DNSLIST_LISTED},
    {"after a range", DNS_OK, {"127.0.0.6"}, DNSLIST_NOT_LISTED},
    {"single", DNS_OK, {"127.0.0.10"}, DNSLIST_LISTED},
    {"not configured", DNS_OK, {"127.0.0.1"}, DNSLIST_NOT_LISTED},
    {"a parked domain", DNS_OK, {"203.0.113.7"}, DNSLIST_NOT_LISTED},
    {"one of several", DNS_OK, {"127.0.0.1", "127.0.0.3"}, DNSLIST_LISTED},
    {"refused: public resolver", DNS_OK, {"127.255.255.254"}, DNSLIST_ERROR},
    {"refused: volume", DNS_OK, {"127.255.255.255"}, DNSLIST_ERROR},
    {"refused, and listed", DNS_OK, {"127.0.0.2", "127.255.255.252"}, DNSLIST_ERROR},
};

static void
what_answers_mean(void **state)
{
	const char *items[] = {"127.0.0.2-127.0.0.5", "127.0.0.10"};
	struct conf_strings strings = {2, items};
	struct dnslist_ranges ranges;
	size_t bad;

	(void)state;
	assert_null(dnslist_parse(&strings, &ranges, &bad));
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		uint8_t room[100];
		struct buf b = BUF_OVER(room);

		for (size_t j = 0; j < 3 && answers[i].addresses[j] != NULL; j++) {
			struct ip ip;
			struct msg_dns_record r = {0, {NULL, 0}};

			assert_true(ip_parse(span_str(answers[i].addresses[j]), &ip));
			r.data = span_of(ip.octets + 12, 4);
			assert_true(msg_list_put(&b, RECORD_dns_record, &r));
		}
		if (dnslist_read(&ranges, answers[i].status, buf_span(&b)) != answers[i].answer)
			fail_msg("%s", answers[i].what);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_of_the_configuration),
	    cmocka_unit_test(too_many_answers),
	    cmocka_unit_test(zones),
	    cmocka_unit_test(names),
	    cmocka_unit_test(what_answers_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

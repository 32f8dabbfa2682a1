#include "lib/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	if (!ip_parse(span_str(text), &ip))
		fail_msg("%s", text);
	return ip;
}

static const struct {
	const char *network, *address;
	bool in;
} contains[] = {
    {"192.0.2.0/24", "192.0.2.0", true},
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.0/24", "192.0.1.255", false},
    {"192.0.2.0/24", "::ffff:192.0.2.9", true},
    {"::ffff:192.0.2.0/120", "192.0.2.9", true},
    {"::ffff:192.0.2.0/120", "192.0.3.9", false},
    {"::ffff:0:0/96", "203.0.113.1", true},
    {"0.0.0.0/0", "203.0.113.1", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "203.0.113.1", false},
    {"::/80", "203.0.113.1", false},
    {"::/80", "::1", true},
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.6", false},
    {"192.0.2.7/32", "192.0.2.7", true},
    {"192.0.2.6/31", "192.0.2.7", true},
    {"192.0.2.6/31", "192.0.2.8", false},
    {"128.0.0.0/1", "192.0.2.8", true},
    {"128.0.0.0/1", "127.0.0.1", false},
    {"2001:db8::/32", "2001:db8:ffff::1", true},
    {"2001:db8::/32", "2001:db9::1", false},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"2001:db8::1", "2001:db8::1", true},
    {"2001:db8::1", "2001:db8::2", false},
    {"::1", "::1", true},
    {"::1/128", "127.0.0.1", false},
};

static void
row_018_a_network_contains(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(contains) / sizeof(contains[0]); i++) {
		struct ip ip = ip_of(contains[i].address);
		struct network n;
		const char *wrong = network_parse(span_str(contains[i].network), &n);

		if (wrong != NULL || network_contains(&n, &ip) != contains[i].in)
			fail_msg("%s %s", contains[i].network, contains[i].address);
	}
}

static const char *const bad[] = {
    "",
    "/",
    "/24",
    "192.0.2.0/",
    "192.0.2.0/33",
    "192.0.2.0/+8",
    "192.0.2.0/-1",
    "192.0.2.0/24/24",
    "192.0.2.0/24 ",
    " 192.0.2.0/24",
    "192.0.2.0/255.255.255.0",
    "192.0.2/24",
    "192.0.2.7/24",
    "2001:db8::1/64",
    "2001:db8::/129",
    "::ffff:192.0.2.0/24",
    "[2001:db8::]/32",
    "fe80::1%eth0",
    "example.net",
    "1.2.3.4:25",
    "192.0.2.0/99999999999999999999999",
};

static void
what_is_no_network(void **state)
{
	struct network n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (network_parse(span_str(bad[i]), &n) == NULL)
			fail_msg("%s", bad[i]);
	assert_string_equal(
	    network_parse(SPAN("192.0.2.7/24"), &n), "has bits set beyond its prefix");
	assert_string_equal(
	    network_parse(SPAN("192.0.2.0/33"), &n), "must have a prefix of 0 to 32 bits");
	assert_string_equal(
	    network_parse(SPAN("2001:db8::/x"), &n), "must have a prefix of 0 to 128 bits");
	assert_non_null(network_parse(SPAN("192.0.2.0\0/24"), &n));
}

static void
a_list_is_good_or_empty(void **state)
{
	const char *items[NETWORKS_MAX + 1];
	struct network_list list = {0};
	struct conf_strings texts = {3, items};
	struct ip a = ip_of("192.0.2.1"), b = ip_of("2001:db8::9"), c = ip_of("203.0.113.1");
	size_t wrong = 99;

	(void)state;
	assert_false(network_list_contains(&list, &a));
	items[0] = "192.0.2.0/24";
	items[1] = "2001:db8::/64";
	items[2] = "nonsense";
	assert_non_null(network_list_parse(&texts, &list, &wrong));
	assert_int_equal(wrong, 2);
	assert_int_equal(list.count, 0);
	texts.count = 2;
	assert_null(network_list_parse(&texts, &list, &wrong));
	assert_true(network_list_contains(&list, &a));
	assert_true(network_list_contains(&list, &b));
	assert_false(network_list_contains(&list, &c));
	for (size_t i = 0; i <= NETWORKS_MAX; i++)
		items[i] = "192.0.2.1";
	texts.count = NETWORKS_MAX;
	assert_null(network_list_parse(&texts, &list, &wrong));
	assert_int_equal(list.count, NETWORKS_MAX);
	texts.count++;
	assert_string_equal(network_list_parse(&texts, &list, &wrong), "is one network too many");
	assert_int_equal(list.count, 0);
	assert_int_equal(wrong, NETWORKS_MAX);
}

static void
the_network_of_an_address(void **state)
{
	struct ip v4 = ip_of("192.0.2.201"), v6 = ip_of("2001:db8:1:2:3:4:5:6"), want, got;

	(void)state;
	got = network_base(&v4, 24, 48);
	want = ip_of("192.0.2.0");
	assert_memory_equal(&got, &want, sizeof(got));
	got = network_base(&v4, 32, 64);
	assert_memory_equal(&got, &v4, sizeof(got));
	got = network_base(&v6, 32, 64);
	want = ip_of("2001:db8:1:2::");
	assert_memory_equal(&got, &want, sizeof(got));
	got = network_base(&v6, 24, 48);
	want = ip_of("2001:db8:1::");
	assert_memory_equal(&got, &want, sizeof(got));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_018_a_network_contains),
	    cmocka_unit_test(what_is_no_network),
	    cmocka_unit_test(a_list_is_good_or_empty),
	    cmocka_unit_test(the_network_of_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

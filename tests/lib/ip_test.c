#include "lib/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

static const char *
text_of(const struct ip *ip)
{
	static uint8_t text[IP_TEXT_MAX + 1];
	struct buf b = BUF_OVER(text);

	ip_put(&b, ip);
	text[b.len] = '\0';
	return (const char *)text;
}

static void
row_018_a_mapped_address_is_the_same_client(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(25)};
	struct sockaddr_in6 in6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(25), .sin6_scope_id = 3};
	struct ip a, b;
	uint16_t port;

	(void)state;
	inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr);
	assert_true(ip_from_sockaddr((struct sockaddr *)&in, &a, &port));
	assert_int_equal(port, 25);
	assert_true(ip_from_sockaddr((struct sockaddr *)&in6, &b, &port));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(ip_is_v4(&b));
	assert_string_equal(text_of(&b), "192.0.2.1");
}

static void
row_019_a_scoped_address_loses_its_scope(void **state)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = 3};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct ip ip;
	uint16_t port;

	(void)state;
	inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
	assert_true(ip_from_sockaddr((struct sockaddr *)&in6, &ip, &port));
	assert_string_equal(text_of(&ip), "fe80::1");
	assert_false(ip_from_sockaddr((struct sockaddr *)&un, &ip, &port));
}

static const struct {
	const char *text;
	bool zero_ok, good;
} ports[] = {
    {"192.0.2.1:25", false, true},
    {"[2001:db8::1]:25", false, true},
    {"[::]:25", false, true},
    {"127.0.0.1:0", true, true},
    {"127.0.0.1:0", false, false},
    {"127.0.0.1:65536", true, false},
    {"127.0.0.1:+1", true, false},
    {"127.0.0.1:", true, false},
    {"127.0.0.1", true, false},
    {"2001:db8::1:25", true, false},
    {"[127.0.0.1]:25", true, false},
    {"[::1:25", true, false},
    {"[]:25", true, false},
    {":25", true, false},
    {"", true, false},
    {"localhost:25", true, false},
    {"fe80::1%eth0", true, false},
};

static void
address_and_port(void **state)
{
	struct ip ip;
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (ip_parse_port(span_str(ports[i].text), ports[i].zero_ok, &ip, &port) !=
		    ports[i].good)
			fail_msg("%s", ports[i].text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_018_a_mapped_address_is_the_same_client),
	    cmocka_unit_test(row_019_a_scoped_address_loses_its_scope),
	    cmocka_unit_test(address_and_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

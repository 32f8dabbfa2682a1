/* smtpd/proxy.h: rows 8 and 9, each whole, octet by octet, and with the client's octets behind it. */
#include "smtpd/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define A4 "\xc0\x00\x02\x01\xc6\x33\x64\x01\x10\x92\x00\x19"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01"
#define A6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"

static const struct {
	const char *name;
	struct span octets;
	enum proxy_status status;
	const char *client; /* NULL: unknown */
	uint16_t port;
} rows[] = {
    {"v1 tcp4", SPAN("PROXY TCP4 192.0.2.1 198.51.100.1 4242 25\r\n"), PROXY_GOOD, "192.0.2.1",
	4242},
    {"v1 tcp6", SPAN("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n"), PROXY_GOOD, "2001:db8::1",
	65535},
    {"v1 mapped in tcp6", SPAN("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 25\r\n"), PROXY_GOOD, "192.0.2.1",
	1},
    {"v1 unknown", SPAN("PROXY UNKNOWN\r\n"), PROXY_GOOD, NULL, 0},
    {"v1 unknown, more", SPAN("PROXY UNKNOWN ffff::1 \1 x\r\n"), PROXY_GOOD, NULL, 0},
    {"v1 bare lf", SPAN("PROXY TCP4 192.0.2.1 198.51.100.1 4242 25\n"), PROXY_BAD, NULL, 0},
    {"v1 empty", SPAN("PROXY \r\n"), PROXY_BAD, NULL, 0},
    {"v1 lower case", SPAN("proxy TCP4 192.0.2.1 198.51.100.1 4242 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 family", SPAN("PROXY UDP4 192.0.2.1 198.51.100.1 4242 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 six in tcp4", SPAN("PROXY TCP4 ::1 ::1 4242 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 four in tcp6", SPAN("PROXY TCP6 192.0.2.1 192.0.2.2 4242 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 two spaces", SPAN("PROXY TCP4  192.0.2.1 198.51.100.1 4242 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 one word less", SPAN("PROXY TCP4 192.0.2.1 198.51.100.1 4242\r\n"), PROXY_BAD, NULL, 0},
    {"v1 one word more", SPAN("PROXY TCP4 192.0.2.1 198.51.100.1 4242 25 x\r\n"), PROXY_BAD, NULL,
	0},
    {"v1 space at the end", SPAN("PROXY TCP4 192.0.2.1 198.51.100.1 4242 25 \r\n"), PROXY_BAD, NULL,
	0},
    {"v1 port", SPAN("PROXY TCP4 192.0.2.1 198.51.100.1 65536 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 signed port", SPAN("PROXY TCP4 192.0.2.1 198.51.100.1 +1 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 padded port", SPAN("PROXY TCP4 192.0.2.1 198.51.100.1 025 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 nowhere", SPAN("PROXY TCP4 0.0.0.0 198.51.100.1 4242 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 octal", SPAN("PROXY TCP4 192.0.2.01 198.51.100.1 4242 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 scope", SPAN("PROXY TCP6 fe80::1%eth0 ::1 4242 25\r\n"), PROXY_BAD, NULL, 0},
    {"v1 nul", SPAN("PROXY TCP4 192.0.2.1\0 198.51.100.1 4242 25\r\n"), PROXY_BAD, NULL, 0},
    {"smtp", SPAN("EHLO x\r\n"), PROXY_BAD, NULL, 0},
    {"almost", SPAN("PROXYTCP4"), PROXY_BAD, NULL, 0},
    {"tls", SPAN("\x16\x03\x01"), PROXY_BAD, NULL, 0},

    {"v2 tcp4", SPAN(SIGNATURE "\x21\x11\x00\x0c" A4), PROXY_GOOD, "192.0.2.1", 4242},
    {"v2 tcp6", SPAN(SIGNATURE "\x21\x21\x00\x24" A6 A6 "\x10\x92\x00\x19"), PROXY_GOOD,
	"2001:db8::1", 4242},
    {"v2 mapped in tcp6", SPAN(SIGNATURE "\x21\x21\x00\x24" MAPPED A6 "\x10\x92\x00\x19"),
	PROXY_GOOD, "192.0.2.1", 4242},
    {"v2 values",
	SPAN(SIGNATURE "\x21\x11\x00\x15" A4 "\x04\x00\x03"
		       "abc"
		       "\x20\x00\x00"),
	PROXY_GOOD, "192.0.2.1", 4242},
    {"v2 value too long",
	SPAN(SIGNATURE "\x21\x11\x00\x12" A4 "\x04\x00\x04"
		       "abc"),
	PROXY_BAD, NULL, 0},
    {"v2 half a value", SPAN(SIGNATURE "\x21\x11\x00\x0e" A4 "\x04\x00"), PROXY_BAD, NULL, 0},
    {"v2 local", SPAN(SIGNATURE "\x20\x00\x00\x00"), PROXY_GOOD, NULL, 0},
    {"v2 local with addresses", SPAN(SIGNATURE "\x20\x11\x00\x0c" A4), PROXY_GOOD, NULL, 0},
    {"v2 unspecified", SPAN(SIGNATURE "\x21\x00\x00\x00"), PROXY_GOOD, NULL, 0},
    {"row_009 length 0", SPAN(SIGNATURE "\x21\x11\x00\x00"), PROXY_BAD, NULL, 0},
    {"row_009 length 11",
	SPAN(SIGNATURE "\x21\x11\x00\x0b\xc0\x00\x02\x01\xc6\x33\x64\x01\x10\x92\x00"), PROXY_BAD,
	NULL, 0},
    {"row_009 length 65535", SPAN(SIGNATURE "\x21\x11\xff\xff"), PROXY_BAD, NULL, 0},
    {"row_009 six in four", SPAN(SIGNATURE "\x21\x21\x00\x0c" A4), PROXY_BAD, NULL, 0},
    {"row_009 datagram", SPAN(SIGNATURE "\x21\x12\x00\x0c" A4), PROXY_BAD, NULL, 0},
    {"row_009 unix", SPAN(SIGNATURE "\x21\x31\x00\x0c" A4), PROXY_BAD, NULL, 0},
    {"row_009 family", SPAN(SIGNATURE "\x21\xf1\x00\x0c" A4), PROXY_BAD, NULL, 0},
    {"v2 version", SPAN(SIGNATURE "\x11\x11\x00\x0c" A4), PROXY_BAD, NULL, 0},
    {"v2 command", SPAN(SIGNATURE "\x22\x11\x00\x0c" A4), PROXY_BAD, NULL, 0},
    {"v2 nowhere", SPAN(SIGNATURE "\x21\x11\x00\x0c\0\0\0\0\xc6\x33\x64\x01\x10\x92\x00\x19"),
	PROXY_BAD, NULL, 0},
    {"v2 signature", SPAN("\r\n\r\n\0\r\nQUIT\r"), PROXY_BAD, NULL, 0},
};

static void
check_good(const char *name, size_t i, const struct proxy_header *h, size_t len)
{
	struct ip ip;

	if (h->len != len || h->unknown != (rows[i].client == NULL))
		fail_msg("%s: %zu octets", name, h->len);
	if (h->unknown)
		return;
	assert_true(ip_parse(span_str(rows[i].client), &ip));
	if (memcmp(&ip, &h->client, sizeof(ip)) != 0 || h->port != rows[i].port)
		fail_msg("%s: another client", name);
}

static void
row_009_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span all = rows[i].octets;
		enum proxy_status status = PROXY_MORE;
		struct proxy_header h;
		uint8_t behind[400];
		size_t len = 0;

		while (len < all.len && status == PROXY_MORE)
			status = proxy_parse(span_head(all, ++len), &h);
		if (status != rows[i].status)
			fail_msg("%s: %d after %zu octets", rows[i].name, (int)status, len);
		if (status == PROXY_GOOD)
			check_good(rows[i].name, i, &h, all.len);
		memcpy(behind, all.p, all.len);
		memset(behind + all.len, '\n', 100);
		status = proxy_parse(span_of(behind, all.len + 100), &h);
		if (status != rows[i].status)
			fail_msg("%s: %d with more behind it", rows[i].name, (int)status);
		if (status == PROXY_GOOD)
			check_good(rows[i].name, i, &h, all.len);
	}
}

/* Row 9: a length that is allowed is waited for, and no longer. */
static void
row_009_the_longest(void **state)
{
	static uint8_t octets[PROXY_MAX + 1];
	struct span start = SPAN(SIGNATURE "\x21\x11\x07\xf0" A4 "\x04\x07\xe1");
	struct proxy_header h;

	(void)state;
	memcpy(octets, start.p, start.len);
	for (size_t len = 1; len < PROXY_MAX; len++)
		assert_int_equal(proxy_parse(span_of(octets, len), &h), PROXY_MORE);
	assert_int_equal(proxy_parse(span_of(octets, PROXY_MAX), &h), PROXY_GOOD);
	assert_int_equal(h.len, PROXY_MAX);
	octets[15]++;
	assert_int_equal(proxy_parse(span_of(octets, 16), &h), PROXY_BAD);
}

static void
row_009_the_longest_line(void **state)
{
	uint8_t line[108];
	struct proxy_header h;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(proxy_parse(span_of(line, 106), &h), PROXY_MORE);
	assert_int_equal(proxy_parse(span_of(line, 107), &h), PROXY_GOOD);
	memcpy(line + 105, "x\r\n", 3);
	assert_int_equal(proxy_parse(span_of(line, 106), &h), PROXY_MORE);
	assert_int_equal(proxy_parse(span_of(line, 107), &h), PROXY_BAD);
	assert_int_equal(proxy_parse(span_of(line, 108), &h), PROXY_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_009_headers),
	    cmocka_unit_test(row_009_the_longest),
	    cmocka_unit_test(row_009_the_longest_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

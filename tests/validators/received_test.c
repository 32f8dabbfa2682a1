/* The client in a relay's Received:, as the usual systems write it. */
#include "validators/received.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
	const char *name, *value, *ip, *helo; /* ip: NULL when there is none */
} rows[] = {
    {"postfix", " from mail.a.example (host.a.example [192.0.2.1])\n\tby relay", "192.0.2.1",
	"mail.a.example"},
    {"postfix, no name", " from x (unknown [192.0.2.1]) by relay", "192.0.2.1", "x"},
    {"postfix, v6", " from x (unknown [IPv6:2001:db8::1]) by relay", "2001:db8::1", "x"},
    {"ours", " from mail.a.example ([192.0.2.1])\n\tby relay", "192.0.2.1", "mail.a.example"},
    {"sendmail", " from mail.a.example (IDENT:x@host.a.example [192.0.2.1] (may be forged))",
	"192.0.2.1", "mail.a.example"},
    {"exim, name", " from host.a.example ([192.0.2.1] helo=mail.a.example)", "192.0.2.1",
	"host.a.example"},
    {"exim, no name", " from [192.0.2.1] (helo=mail.a.example)", "192.0.2.1", ""},
    {"exim, port", " from [192.0.2.1] (port=1234 helo=x)", NULL, ""},
    {"literal alone", " from [192.0.2.1] by relay", "192.0.2.1", ""},
    {"the client's own word", " from [10.0.0.1] (unknown [192.0.2.1]) by relay", "192.0.2.1", ""},
    {"the client's own word, exim", " from [192.0.2.1] (helo=[10.0.0.1])", "192.0.2.1", ""},
    {"exim, both", " from a.example ([192.0.2.1] helo=[10.0.0.1])", "192.0.2.1", "a.example"},
    {"comment in name", " from a(b [10.0.0.1]) (unknown [192.0.2.1])", NULL, ""},
    {"no address", " from mail.a.example by relay", NULL, ""},
    {"no address in comment", " from mail.a.example (qmail 1 invoked) by relay", NULL, ""},
    {"not the address", " from x (y [192.0.2.999])", NULL, ""},
    {"no end", " from x (y [192.0.2.1", NULL, ""},
    {"by hand", " by relay.example (Postfix, from userid 0)", NULL, ""},
    {"only local", " (qmail 123 invoked by uid 0); date", NULL, ""},
    {"empty", "", NULL, ""},
};

static void
every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct received_client client;
		struct ip want;
		bool found = received_parse(span_str(rows[i].value), &client);

		if (found != (rows[i].ip != NULL))
			fail_msg("%s", rows[i].name);
		if (!found)
			continue;
		assert_true(ip_parse(span_str(rows[i].ip), &want));
		if (memcmp(&want, &client.ip, sizeof(want)) != 0 ||
		    !span_eq(client.helo, span_str(rows[i].helo)))
			fail_msg(
			    "%s: helo %.*s", rows[i].name, (int)client.helo.len, client.helo.p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_row)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "queue-handoff/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static struct trace_facts
facts(void)
{
	struct trace_facts f = {
	    .hostname = SPAN("mx.our.example"),
	    .authserv_id = SPAN("mx.our.example"),
	    .helo = SPAN("client.example"),
	    .reverse_path = SPAN("a@sender.example"),
	    .esmtp = true,
	    .id = SPAN("4bXyZ0123456"),
	    .received = 1795219200,
	};

	assert_true(ip_parse(SPAN("192.0.2.1"), &f.client));
	return f;
}

static void
expect(const struct trace_facts *f, const char *want)
{
	uint8_t room[TRACE_MAX + 1];
	struct buf b = buf_over(room, TRACE_MAX);

	assert_true(trace_put(&b, f));
	room[b.len] = '\0';
	assert_string_equal((const char *)room, want);
}

static void
received(void **state)
{
	struct trace_facts f = facts();

	(void)state;
	expect(&f, "Received: from client.example ([192.0.2.1])\n"
		   "\tby mx.our.example with ESMTP id 4bXyZ0123456;\n"
		   "\tSat, 21 Nov 2026 00:00:00 +0000\n");
	f.esmtp = false;
	f.helo = SPAN("[192.0.2.1]");
	f.recipient = SPAN("bob+x@our.example");
	expect(&f, "Received: from [192.0.2.1] ([192.0.2.1])\n"
		   "\tby mx.our.example with SMTP id 4bXyZ0123456\n"
		   "\tfor <bob+x@our.example>;\n"
		   "\tSat, 21 Nov 2026 00:00:00 +0000\n");
	f = facts();
	assert_true(ip_parse(SPAN("2001:db8::1"), &f.client));
	f.tls_version = SPAN("TLSv1.3");
	f.tls_cipher = SPAN("AEAD-AES256-GCM-SHA384");
	expect(&f, "Received: from client.example ([IPv6:2001:db8::1])\n"
		   "\tby mx.our.example with ESMTPS id 4bXyZ0123456\n"
		   "\t(version=TLSv1.3 cipher=AEAD-AES256-GCM-SHA384);\n"
		   "\tSat, 21 Nov 2026 00:00:00 +0000\n");
	f.smtputf8 = true;
	f.recipient = SPAN("\xc3\xbcser@our.example"); /* not shown */
	expect(&f, "Received: from client.example ([IPv6:2001:db8::1])\n"
		   "\tby mx.our.example with UTF8SMTPS id 4bXyZ0123456\n"
		   "\t(version=TLSv1.3 cipher=AEAD-AES256-GCM-SHA384);\n"
		   "\tSat, 21 Nov 2026 00:00:00 +0000\n");
	f.tls_server_name = SPAN("mx.our.example");
	expect(&f, "Received: from client.example ([IPv6:2001:db8::1])\n"
		   "\tby mx.our.example with UTF8SMTPS id 4bXyZ0123456\n"
		   "\t(version=TLSv1.3 cipher=AEAD-AES256-GCM-SHA384 sni=mx.our.example);\n"
		   "\tSat, 21 Nov 2026 00:00:00 +0000\n");
	f.tls_version = SPAN("");
	f.client_name = SPAN("host.client.example");
	f.iprev = AUTH_TEMPERROR;
	expect(&f, "Received: from client.example (host.client.example [IPv6:2001:db8::1])\n"
		   "\tby mx.our.example with UTF8SMTP id 4bXyZ0123456;\n"
		   "\tSat, 21 Nov 2026 00:00:00 +0000\n"
		   "Authentication-Results: mx.our.example;\n"
		   "\tiprev=temperror policy.iprev=\"2001:db8::1\"\n");
}

static void
results(void **state)
{
	struct trace_facts f = facts();
	struct msg_dkim_result good = {
	    SPAN("a.example"), SPAN("s1"), AUTH_PASS, DKIM_ED25519_SHA256, SPAN("ab+/cd==")};
	struct msg_dkim_result bad = {
	    SPAN("b.example"), SPAN("s2"), AUTH_PERMERROR, DKIM_OTHER, SPAN("")};
	uint8_t list[256];
	struct buf b = BUF_OVER(list);
	const char *head = "Received: from client.example ([192.0.2.1])\n"
			   "\tby mx.our.example with ESMTP id 4bXyZ0123456;\n"
			   "\tSat, 21 Nov 2026 00:00:00 +0000\n";
	char want[1000];

	(void)state;
	f.spf = AUTH_SOFTFAIL;
	f.spf_domain = SPAN("sender.example");
	snprintf(want, sizeof(want),
	    "%sAuthentication-Results: mx.our.example;\n\tspf=softfail "
	    "smtp.mailfrom=sender.example\n",
	    head);
	expect(&f, want);

	f.reverse_path = SPAN("");
	f.dkim = true;
	snprintf(want, sizeof(want),
	    "%sAuthentication-Results: mx.our.example;\n\tspf=softfail "
	    "smtp.helo=sender.example;\n\tdkim=none\n",
	    head);
	expect(&f, want);

	f.spf = AUTH_UNCHECKED;
	msg_list_put(&b, RECORD_dkim_result, &good);
	msg_list_put(&b, RECORD_dkim_result, &bad);
	f.signatures = (struct msg_list){buf_span(&b), 2};
	snprintf(want, sizeof(want),
	    "%sAuthentication-Results: mx.our.example;\n\tdkim=pass header.d=a.example "
	    "header.s=s1 header.a=ed25519-sha256 header.b=\"ab+/cd==\";\n"
	    "\tdkim=permerror header.d=b.example header.s=s2\n",
	    head);
	expect(&f, want);
}

static void
every_method(void **state)
{
	struct trace_facts f = facts();

	(void)state;
	f.authserv_id = SPAN("our-id");
	f.client_name = SPAN("host.client.example");
	f.spf = AUTH_PASS;
	f.spf_domain = SPAN("sender.example");
	f.spf_helo = AUTH_FAIL;
	f.dmarc = AUTH_FAIL;
	f.author = SPAN("mail.author.example");
	f.dmarc_policy = 1;
	f.dmarc_domain = SPAN("author.example");
	f.quarantine = f.received_spf = true;
	f.spf_client = f.client;
	expect(&f, "Received: from client.example (host.client.example [192.0.2.1])\n"
		   "\tby mx.our.example with ESMTP id 4bXyZ0123456;\n"
		   "\tSat, 21 Nov 2026 00:00:00 +0000\n"
		   "Authentication-Results: our-id;\n"
		   "\tiprev=pass policy.iprev=192.0.2.1 (host.client.example);\n"
		   "\tspf=pass smtp.mailfrom=sender.example;\n"
		   "\tspf=fail smtp.helo=client.example;\n"
		   "\tdmarc=fail (by=author.example dis=quarantine)"
		   " header.from=mail.author.example policy.dmarc=quarantine\n"
		   "Received-SPF: pass\n"
		   "\tclient-ip=192.0.2.1;\n"
		   "\tenvelope-from=\"a@sender.example\";\n"
		   "\thelo=\"client.example\"; identity=mailfrom; receiver=mx.our.example\n"
		   "X-Gatehouse-Disposition: quarantine\n");

	f.quarantine = f.received_spf = false;
	f.dmarc = f.spf = f.spf_helo = AUTH_UNCHECKED;
	f.client_name = SPAN("");
	f.listed = SPAN("black grey.one");
	expect(&f, "Received: from client.example ([192.0.2.1])\n"
		   "\tby mx.our.example with ESMTP id 4bXyZ0123456;\n"
		   "\tSat, 21 Nov 2026 00:00:00 +0000\n"
		   "X-Gatehouse-Listed: black grey.one\n"
		   "X-Gatehouse-Disposition: quarantine\n");
	f.listed = SPAN("a\nb");
	expect(&f, "Received: from client.example ([192.0.2.1])\n"
		   "\tby mx.our.example with ESMTP id 4bXyZ0123456;\n"
		   "\tSat, 21 Nov 2026 00:00:00 +0000\n"
		   "X-Gatehouse-Listed: unknown\n"
		   "X-Gatehouse-Disposition: quarantine\n");
}

/* Anything that is not what its place takes is not shown. */
static void
unsafe_values(void **state)
{
	struct trace_facts f = facts();

	(void)state;
	f.helo = SPAN("x\nBcc: y");
	f.recipient = SPAN("\"a b\"@our.example");
	f.tls_version = SPAN("TLS)\n");
	f.tls_cipher = SPAN("");
	f.id = SPAN("a b");
	f.spf = AUTH_PASS;
	f.spf_domain = SPAN("x; dkim=pass");
	f.reverse_path = SPAN("\"x\"@y");
	f.received_spf = true;
	f.dmarc = AUTH_PASS;
	f.author = SPAN("x (y");
	f.dmarc_domain = SPAN("a\nb");
	f.dmarc_policy = 3;
	f.client_name = SPAN("x)\n");
	expect(&f, "Received: from unknown (unknown [192.0.2.1])\n"
		   "\tby mx.our.example with ESMTPS id unknown\n"
		   "\t(version=unknown cipher=unknown);\n"
		   "\tSat, 21 Nov 2026 00:00:00 +0000\n"
		   "Authentication-Results: mx.our.example;\n\tiprev=pass policy.iprev=192.0.2.1;\n"
		   "\tspf=pass;\n\tdmarc=pass\n"
		   "Received-SPF: pass\n\tclient-ip=::;\n\thelo=\"unknown\"; identity=mailfrom;"
		   " receiver=mx.our.example\n");
}

/* The longest values of everything. */
static void
row_209_lines_and_block(void **state)
{
	uint8_t name[255], list[8 * 600], room[TRACE_MAX];
	struct buf signatures = BUF_OVER(list), b = BUF_OVER(room);
	struct trace_facts f = facts();
	struct span rest;

	(void)state;
	memset(name, 'a', sizeof(name));
	f.hostname = f.helo = f.id = f.spf_domain = span_of(name, sizeof(name));
	f.authserv_id = f.client_name = f.tls_server_name = f.author = f.dmarc_domain = f.helo;
	f.reverse_path = f.helo;
	f.spf_helo = f.dmarc = AUTH_PERMERROR;
	f.received_spf = f.quarantine = true;
	assert_true(ip_parse(SPAN("2001:db8:1111:2222:3333:4444:5555:6666"), &f.client));
	f.spf_client = f.client;
	f.tls_version = span_of(name, 32);
	f.tls_cipher = span_of(name, 64);
	f.recipient = span_of(name, 255);
	f.iprev = AUTH_PASS;
	f.spf = AUTH_TEMPERROR;
	f.dkim = true;
	for (size_t i = 0; i < 8; i++) {
		struct msg_dkim_result s = {span_of(name, 253 - 63 * (i % 2)),
		    span_of(name, i % 2 ? 63 : 255), AUTH_PERMERROR, DKIM_ED25519_SHA256,
		    SPAN("abcdefgh")};

		assert_true(msg_list_put(&signatures, RECORD_dkim_result, &s));
	}
	f.signatures = (struct msg_list){buf_span(&signatures), 8};
	assert_true(trace_put(&b, &f));
	assert_true(b.len <= TRACE_MAX - 1); /* there is room for an empty line too */
	for (rest = buf_span(&b); rest.len > 0; rest = span_from(rest, span_find(rest, '\n') + 1))
		assert_true(span_find(rest, '\n') <= 998);
}

/* Against the C library, over leap years and ends of months; row 307: no time zone is read. */
static void
row_307_dates(void **state)
{
	(void)state;
	for (uint64_t t = 0; t < 8000000000; t += 1234567 * 7) {
		uint8_t room[64];
		struct buf b = BUF_OVER(room);
		time_t when = (time_t)t;
		struct tm tm;
		char want[64];

		gmtime_r(&when, &tm);
		strftime(want, sizeof(want), "%a, %e %b %Y %H:%M:%S +0000", &tm);
		if (want[5] == ' ')
			memmove(want + 5, want + 6, strlen(want + 6) + 1);
		trace_put_date(&b, t);
		room[b.len] = '\0';
		assert_string_equal((const char *)room, want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(received),
	    cmocka_unit_test(results),
	    cmocka_unit_test(every_method),
	    cmocka_unit_test(unsafe_values),
	    cmocka_unit_test(row_209_lines_and_block),
	    cmocka_unit_test(row_307_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

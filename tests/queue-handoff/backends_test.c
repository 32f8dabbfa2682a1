#include "queue-handoff/backends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/ip.h"
#include "queue-handoff/complaints.h"

static struct backends
configured(void)
{
	struct conf *conf = conf_new();
	static const char *const lines[][2] = {
	    {"backend.one.servers", "192.0.2.1:628"},
	    {"backend.one.servers", "192.0.2.2:628"},
	    {"backend.one.servers", "[2001:db8::1]:629"},
	    {"backend.one.connect_timeout", "7"},
	    {"backend.two.servers", "192.0.2.9:628"},
	};
	struct backends b;
	char error[200];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_true(conf_set(conf, lines[i][0], lines[i][1], error, sizeof(error)));
	assert_null(backends_init(&b, conf));
	/* The names are borrowed from a configuration that outlives the program; not in this test. */
	for (size_t i = 0; i < b.count; i++) {
		b.groups[i].title = i == 0 ? "one" : "two";
		for (unsigned n = 0; n < b.groups[i].count; n++)
			b.groups[i].servers[n].name = "";
	}
	conf_free(&conf);
	return b;
}

static void
assert_address(const struct server *s, const char *address, unsigned port)
{
	struct ip got, want;
	uint16_t got_port;

	assert_true(ip_parse(span_str(address), &want));
	assert_true(ip_from_sockaddr((const struct sockaddr *)&s->address, &got, &got_port));
	assert_memory_equal(&got, &want, sizeof(got));
	assert_int_equal(got_port, port);
	assert_true(s->address_len > 0 && s->address_len <= sizeof(s->address));
}

static void
from_configuration(void **state)
{
	struct backends b = configured();

	(void)state;
	assert_int_equal(b.count, 2);
	assert_int_equal(b.groups[0].count, 3);
	assert_int_equal(b.groups[0].connect_ms, 7000);
	assert_int_equal(b.groups[0].write_ms, 30000);
	assert_int_equal(b.groups[0].reply_ms, 60000);
	assert_address(&b.groups[0].servers[0], "192.0.2.1", 628);
	assert_address(&b.groups[0].servers[1], "192.0.2.2", 628);
	assert_address(&b.groups[0].servers[2], "2001:db8::1", 629);
}

static void
wrong_configuration(void **state)
{
	struct conf *conf = conf_new();
	struct backends b;
	char error[200];

	(void)state;
	assert_true(conf_set(conf, "backend.one.connect_timeout", "7", error, sizeof(error)));
	assert_non_null(backends_init(&b, conf));
	conf_free(&conf);
}

static void
routes(void **state)
{
	struct backends b = configured();

	(void)state;
	assert_ptr_equal(backends_group(&b, SPAN("")), &b.groups[0]);
	assert_ptr_equal(backends_group(&b, SPAN("one")), &b.groups[0]);
	assert_ptr_equal(backends_group(&b, SPAN("two")), &b.groups[1]);
	assert_null(backends_group(&b, SPAN("tw")));
	assert_null(backends_group(&b, SPAN("three")));
}

static unsigned
next_index(struct group *g, uint32_t *tried, uint64_t now)
{
	struct server *s = group_next(g, tried, now);

	return s != NULL ? (unsigned)(s - g->servers) : 99;
}

static void
turns(void **state)
{
	struct backends b = configured();
	struct group *g = &b.groups[0];
	uint32_t tried;

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		tried = 0;
		assert_int_equal(next_index(g, &tried, 0), i % 3);
	}
	/* One message tries each once; the turn of the next message is not changed by that. */
	assert_int_equal(next_index(g, &tried, 0), 1);
	assert_int_equal(next_index(g, &tried, 0), 2);
	assert_int_equal(next_index(g, &tried, 0), 99);
	tried = 0;
	assert_int_equal(next_index(g, &tried, 0), 1);
}

static void
sick_ones_last(void **state)
{
	struct backends b = configured();
	struct group *g = &b.groups[0];
	uint32_t tried = 0;

	(void)state;
	assert_true(server_failed(&g->servers[0], 1000));
	assert_false(server_failed(&g->servers[0], 1000));
	assert_true(server_failed(&g->servers[1], 1000));
	assert_int_equal(next_index(g, &tried, 2000), 2);
	assert_int_equal(next_index(g, &tried, 2000), 0);
	assert_int_equal(next_index(g, &tried, 2000), 1);
	assert_int_equal(next_index(g, &tried, 2000), 99);
	/* After the back-off it has its turn again. */
	tried = 0;
	g->turn = 0;
	assert_int_equal(next_index(g, &tried, 1000 + BACKENDS_BACK_OFF_MS), 0);
	assert_true(server_took(&g->servers[0], 20000));
	assert_false(server_took(&g->servers[0], 20000));
	/* All sick: still tried. */
	for (int i = 0; i < 3; i++)
		server_failed(&g->servers[i], 30000);
	tried = 0;
	g->turn = 1;
	assert_int_equal(next_index(g, &tried, 30001), 1);
}

static void
trust(void **state)
{
	struct server s = {0};

	(void)state;
	assert_false(server_is_trusted(&s, 5));
	server_took(&s, 1000);
	assert_true(server_is_trusted(&s, 1000 + BACKENDS_TRUST_MS));
	assert_false(server_is_trusted(&s, 1001 + BACKENDS_TRUST_MS));
}

static void
known_complaints(void **state)
{
	size_t n;
	const struct complaint *table = complaints(&n);
	static const struct {
		const char *text, *about;
	} rows[] = {
	    {"Error: mx[192.0.2.1] is not authorized to use this service", "authorisation"},
	    {"netstring format error while receiving QMQP packet header", "framing"},
	    {"netstring length exceeds storage limit while receiving message content", "size"},
	    {"Error: message too large", "size"},
	    {"sorry, I can't accept addresses like that (#5.1.3)", "framing"},
	    {"5.1.0 Mail system is not configured to accept that recipient", "configuration"},
	    {"5.1.1 SORRY, THAT RECIPIENT DOES NOT EXIST.", "recipients"},
	    {"mail server permanently rejected message (#5.3.0)", NULL},
	    {"Error: 5.7.1 message content rejected", NULL},
	    {"Error: too many hops", NULL},
	    {"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct complaint *c = complaint_find(span_str(rows[i].text));

		if (rows[i].about == NULL)
			assert_null(c);
		else
			assert_string_equal(c->about, rows[i].about);
	}
	assert_true(n > 20);
	for (size_t i = 0; i < n; i++)
		assert_ptr_equal(complaint_find(span_str(table[i].text)), &table[i]);
}

/* The table that operators read is the one that decides. */
static void
documented_complaints(void **state)
{
	static char text[100000];
	FILE *f = fopen("docs/backends.md", "r");
	const struct complaint *table;
	size_t n;

	(void)state;
	assert_non_null(f); /* tests run at the top of the tree */
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	table = complaints(&n);
	for (size_t i = 0; i < n; i++) {
		char row[300];

		snprintf(row, sizeof(row), "| `%s` | %s | %s |\n", table[i].text, table[i].about,
		    table[i].source);
		if (strstr(text, row) == NULL)
			fail_msg("not in docs/backends.md: %s", row);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(from_configuration),
	    cmocka_unit_test(wrong_configuration),
	    cmocka_unit_test(routes),
	    cmocka_unit_test(turns),
	    cmocka_unit_test(sick_ones_last),
	    cmocka_unit_test(trust),
	    cmocka_unit_test(known_complaints),
	    cmocka_unit_test(documented_complaints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

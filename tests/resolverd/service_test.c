/*
 * Questions through the real library to a name server of the test's own: real packets over UDP
 * on loopback, and real deadlines.
 */
#include "resolverd/counters.h"
#include "resolverd/service.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- names as the library is given them ------------------------------------------------------------ */

static void
presentation_rows(void **state)
{
	static const struct {
		struct span name;
		const char *text;
	} rows[] = {
	    {SPAN("a.example"), "a.example."},
	    {SPAN("_spf.A-1.example"), "_spf.A-1.example."},
	    {SPAN("a b.example"), "a\\032b.example."},
	    {SPAN("a\\046b.example"), "a\\092046b.example."},
	    {SPAN("a;\"(b.example"), "a\\059\\034\\040b.example."},
	    {SPAN("\xff@.example"), "\\255\\064.example."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t room[100];
		struct buf b = BUF_OVER(room);

		service_put_presentation(&b, rows[i].name);
		assert_false(b.full);
		assert_string_equal((const char *)room, rows[i].text);
	}
}

/* ---- a name server ------------------------------------------------------------------------------- */

static struct loop *loop;
static struct watch server;
static int server_fd = -1;
static unsigned asked;

/* What is answered to names that begin so; the rest gets NXDOMAIN, "dead" nothing at all. */
static const struct {
	const char *prefix;
	uint16_t type;
	const char *data;
	size_t len;
} zone[] = {
    {"ok", 1, "\xc0\0\2\5", 4},
    {"short", 1, "\1\2\3", 3},
    {"text", 16, "\6v=spf1\5 -all", 13},
    {"a b", 1, "\xc0\0\2\6", 4},
};

static size_t
question_end(const uint8_t *p, size_t len)
{
	size_t at = 12;

	while (at < len && p[at] != 0)
		at += 1u + p[at];
	return at + 5;
}

static size_t
add_record(uint8_t *p, size_t at, uint16_t type, const char *data, size_t len)
{
	const uint8_t head[] = {0xc0, 12, 0, (uint8_t)type, 0, 1, 0, 0, 0, 60, 0, (uint8_t)len};

	memcpy(p + at, head, sizeof(head));
	memcpy(p + at + sizeof(head), data, len);
	p[7] = 1;
	return at + sizeof(head) + len;
}

static void
on_packet(void *arg, unsigned events)
{
	uint8_t p[2000];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(server_fd, p, sizeof(p) - 300, 0, (struct sockaddr *)&from, &from_len);
	size_t end = n > 0 ? question_end(p, (size_t)n) : 0;

	(void)arg;
	(void)events;
	if (n < 17 || end > (size_t)n || memcmp(p + 13, "dead", 4) == 0)
		return;
	asked++;
	p[2] |= 0x84; /* an authoritative answer */
	p[3] = 0x83;  /* no such name */
	memset(p + 6, 0, 6);
	for (size_t i = 0; i < sizeof(zone) / sizeof(zone[0]); i++) {
		if (memcmp(p + 13, zone[i].prefix, strlen(zone[i].prefix)) != 0)
			continue;
		p[3] = 0x80;
		if (p[end - 3] == zone[i].type)
			end = add_record(p, end, zone[i].type, zone[i].data, zone[i].len);
	}
	sendto(server_fd, p, end, 0, (struct sockaddr *)&from, from_len);
}

/* ---- the asker ----------------------------------------------------------------------------------- */

static struct recursor *recursor;
static struct service *service;
static struct link *asker;
static unsigned answers;
static struct msg_dns_answer last;
static struct msg_dns_record first_record;
static uint8_t record_data[4096];

static void
on_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct span rest = m->dns_answer.records.encoded;

	(void)ctx;
	(void)link;
	(void)fd;
	answers++;
	last = m->dns_answer;
	if (msg_list_next(&rest, RECORD_dns_record, &first_record))
		memcpy(record_data, first_record.data.p, first_record.data.len);
}

static const struct link_handler handlers[] = {{MSG_dns_answer, on_answer}};
static const struct link_role role = {
    PROGRAM_VALIDATORS, PROGRAM_RESOLVERD, handlers, 1, NULL, true};

static void
connect_asker(void)
{
	int fds[2];

	assert_int_equal(link_pair(fds), 0);
	assert_int_equal(service_take_asker(service, fds[0]), 0);
	asker = link_new(loop, fds[1], &role, NULL);
}

static int
set_up(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	char text[40];
	const char *const items[] = {text};
	struct conf_dns conf = {.servers = {1, items}};
	bool validating = true;

	(void)state;
	loop = loop_new();
	server_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (loop == NULL || bind(server_fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    getsockname(server_fd, (struct sockaddr *)&a, &len) != 0 ||
	    watch_start(loop, &server, server_fd, WATCH_READ, on_packet, NULL) != 0)
		return -1;
	snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(a.sin_port));
	recursor = recursor_new(loop, &conf, &validating);
	service = service_new(loop, recursor);
	if (recursor == NULL || service == NULL || validating)
		return -1;
	connect_asker();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	link_free(&asker);
	service_free(&service);
	recursor_free(&recursor);
	watch_stop(&server);
	close(server_fd);
	loop_free(&loop);
	return 0;
}

static void
await_answer(unsigned wanted)
{
	for (int i = 0; i < 8000 && answers < wanted; i++) {
		loop_turn(loop, false);
		usleep(1000);
	}
	assert_int_equal(answers, wanted);
}

static enum dns_status
ask_for(uint32_t query, const char *name, uint16_t type, uint32_t timeout_ms)
{
	struct msg_dns_ask m = {query, type, span_str(name), timeout_ms, 0, 0};
	unsigned before = answers;

	assert_true(link_send(asker, MSG_dns_ask, &m, -1));
	await_answer(before + 1);
	assert_int_equal(last.query, query);
	return (enum dns_status)last.status;
}

/* ---- questions ----------------------------------------------------------------------------------- */

static void
row_250_answers_over_real_packets(void **state)
{
	unsigned before;

	(void)state;
	assert_int_equal(ask_for(1, "ok.example", PACKET_A, 5000), DNS_OK);
	assert_memory_equal(record_data, "\xc0\0\2\5", 4);
	assert_int_equal(last.security, DNS_INSECURE);
	assert_int_equal(ask_for(2, "text.example", PACKET_TXT, 5000), DNS_OK);
	assert_memory_equal(record_data, "v=spf1 -all", 11);
	assert_int_equal(ask_for(3, "ok.example", PACKET_MX, 5000), DNS_NO_DATA);
	assert_int_equal(ask_for(4, "nothing.example", PACKET_A, 5000), DNS_NO_NAME);
	before = asked;
	assert_int_equal(ask_for(5, "OK.example", PACKET_A, 5000), DNS_OK);
	assert_int_equal(asked, before); /* from the cache */
}

static void
send_ask(uint32_t query, const char *name, uint8_t known_only, uint8_t own)
{
	struct msg_dns_ask m = {query, PACKET_A, span_str(name), 5000, known_only, own};
	unsigned before = answers;

	assert_true(link_send(asker, MSG_dns_ask, &m, -1));
	await_answer(before + 1);
}

static void
known_only_asks_nobody(void **state)
{
	unsigned before = asked;

	(void)state;
	send_ask(1, "fresh.example", 1, 0);
	assert_int_equal(last.status, DNS_TROUBLE);
	assert_int_equal(asked, before);
	send_ask(2, "fresh.example", 0, 0);
	assert_int_equal(last.status, DNS_NO_NAME);
	assert_int_equal(last.asked, 1);
	before = asked;
	send_ask(3, "fresh.example", 1, 0);
	assert_int_equal(last.status, DNS_NO_NAME);
	assert_int_equal(last.asked, 0);
	assert_int_equal(asked, before);
}

/* Names in one zone, all different: after some it is not asked any more (row 257). */
static void
row_257_zone_budget(void **state)
{
	unsigned before;

	(void)state;
	send_ask(1, "ok.example", 0, 0);
	for (unsigned i = 0; i < TRAFFIC_BURST; i++) {
		struct packet_name name;

		assert_true(packet_name_parse(SPAN("a.b.victim.example"), &name));
		traffic_spend(&service->traffic, &name, loop_now(loop));
	}
	before = asked;
	send_ask(2, "x.victim.example", 0, 0);
	assert_int_equal(last.status, DNS_TROUBLE);
	assert_int_equal(asked, before);
	/* other zones are, and what the operator named */
	send_ask(3, "x.other.example", 0, 0);
	assert_int_equal(asked, before + 1);
	send_ask(4, "y.victim.example", 0, 1);
	assert_int_equal(asked, before + 2);
}

static void
zones_of_names(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
	    {"a.victim.example", "b.c.d.victim.example", true},
	    {"victim.example", "b.victim.example", true},
	    {"a.victim.example", "a.other.example", false},
	    {"a.victim.co.uk", "b.victim.co.uk", true},
	    {"a.victim.co.uk", "a.other.co.uk", false},
	    {"a.b.victim.de", "c.victim.de", true},
	    {"example", "example", true},
	};
	struct traffic *t = calloc(1, sizeof(*t));

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packet_name a, b;

		memset(t, 0, sizeof(*t));
		assert_true(packet_name_parse(span_str(rows[i].a), &a));
		assert_true(packet_name_parse(span_str(rows[i].b), &b));
		while (traffic_spend(t, &a, 1000))
			;
		assert_int_equal(traffic_spend(t, &b, 1000), !rows[i].same);
		traffic_return(t, &a);
		assert_true(traffic_spend(t, &a, 1000));
	}
	free(t);
}

static void
row_255_names_with_odd_octets(void **state)
{
	(void)state;
	assert_int_equal(ask_for(1, "a b.example", PACKET_A, 5000), DNS_OK);
	assert_memory_equal(record_data, "\xc0\0\2\6", 4);
}

static void
row_252_malformed_record(void **state)
{
	(void)state;
	assert_int_equal(ask_for(1, "short.example", PACKET_A, 3000), DNS_TROUBLE);
}

static void
row_250_dead_server_has_our_deadline(void **state)
{
	(void)state;
	assert_int_equal(ask_for(1, "dead.example", PACKET_A, 300), DNS_TROUBLE);
	assert_int_equal(service->running, 0);
}

static void
what_is_not_asked(void **state)
{
	unsigned before = asked;

	(void)state;
	assert_int_equal(ask_for(1, "ok.example", 255, 5000), DNS_TROUBLE); /* ANY */
	assert_int_equal(ask_for(2, "ok.example", 6, 5000), DNS_TROUBLE);   /* SOA */
	assert_int_equal(ask_for(3, "a..example", PACKET_A, 5000), DNS_TROUBLE);
	assert_int_equal(asked, before);
}

static void
asker_that_goes_leaves_nothing(void **state)
{
	struct msg_dns_ask m = {1, PACKET_A, SPAN("dead2.example"), 20000, 0, 0};

	(void)state;
	link_send(asker, MSG_dns_ask, &m, -1);
	for (int i = 0; i < 20; i++)
		loop_turn(loop, false);
	assert_int_equal(service->running, 1);
	link_free(&asker);
	for (int i = 0; i < 20; i++)
		loop_turn(loop, false);
	assert_int_equal(service->running, 0);
	connect_asker();
	assert_int_equal(ask_for(9, "ok.example", PACKET_A, 5000), DNS_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(presentation_rows),
	    cmocka_unit_test(row_250_answers_over_real_packets),
	    cmocka_unit_test(known_only_asks_nobody),
	    cmocka_unit_test(row_257_zone_budget),
	    cmocka_unit_test(zones_of_names),
	    cmocka_unit_test(row_255_names_with_odd_octets),
	    cmocka_unit_test(row_252_malformed_record),
	    cmocka_unit_test(row_250_dead_server_has_our_deadline),
	    cmocka_unit_test(what_is_not_asked),
	    cmocka_unit_test(asker_that_goes_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Limits that a client has over all its sessions, and stress: rows 13, 14, 27, 101. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "smtpd/counters.h"
#include "tests/smtpd/stage.h"

static void *memory;
static const uint8_t key[SIPHASH_KEY_LEN] = {5};

static struct stage *
begin(void)
{
	struct stage *g = stage_new();

	memory =
	    mmap(NULL, clients_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	clients_init(&g->worker.clients, memory, 0, key);
	stage_set(g, "limits.connections_per_client", "3");
	stage_set(g, "limits.connections_per_network", "5");
	stage_set(g, "limits.connections_per_minute", "10");
	stage_set(g, "limits.handshakes_per_minute", "2");
	stage_set(g, "limits.unknown_per_hour", "2");
	stage_set(g, "limits.unknown_recipients", "100");
	stage_set(g, "limits.sessions", "20");
	assert_int_equal(worker_configure(&g->worker, g->conf), 0);
	return g;
}

static void
finish(struct stage *g)
{
	stage_free(g);
	munmap(memory, clients_size());
}

/* One more client; its end of the connection. Out: *said_out, the first words it hears. */
static int
dial(struct stage *g, const char *from, char said_out[100])
{
	struct ip ip;
	ssize_t n;
	int pair[2];

	assert_true(ip_parse(span_str(from), &ip));
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	worker_wake(&g->worker);
	arrival_take(&g->worker, pair[1], &ip, 1, false);
	stage_run(g);
	n = recv(pair[0], said_out, 99, MSG_DONTWAIT);
	said_out[n > 0 ? n : 0] = '\0';
	return pair[0];
}

static void
expect(struct stage *g, const char *from, const char *reply, int *fd_out)
{
	char said[100];
	int fd = dial(g, from, said);

	if (strncmp(said, reply, strlen(reply)) != 0)
		fail_msg("%s got %s", from, said);
	if (fd_out != NULL)
		*fd_out = fd;
	else
		close(fd);
}

static void
hang_up(struct stage *g, int fd)
{
	close(fd);
	stage_run(g);
}

static const char full[] = "421 4.7.0 Too many connections from your network\r\n";

static void
row_013_too_many_of_one_address(void **state)
{
	struct stage *g = begin();
	int fds[4];

	(void)state;
	for (int i = 0; i < 3; i++)
		expect(g, "192.0.2.1", "220 ", &fds[i]);
	expect(g, "192.0.2.1", full, NULL);
	assert_int_equal(worker_sessions_open(&g->worker), 3);
	expect(g, "192.0.2.2", "220 ", &fds[3]);
	hang_up(g, fds[0]);
	expect(g, "192.0.2.1", "220 ", &fds[0]);
	expect(g, "192.0.2.1", full, NULL);
	for (int i = 0; i < 4; i++)
		hang_up(g, fds[i]);
	assert_int_equal(worker_sessions_open(&g->worker), 0);
	finish(g);
}

static void
row_013_an_ipv6_64_is_one_address(void **state)
{
	struct stage *g = begin();
	int fds[3];

	(void)state;
	expect(g, "2001:db8:1:2::1", "220 ", &fds[0]);
	expect(g, "2001:db8:1:2::2", "220 ", &fds[1]);
	expect(g, "2001:db8:1:2:ffff::2", "220 ", &fds[2]);
	expect(g, "2001:db8:1:2:abcd::3", full, NULL);
	for (int i = 0; i < 3; i++)
		hang_up(g, fds[i]);
	finish(g);
}

static void
row_014_too_many_of_one_network(void **state)
{
	struct stage *g = begin();
	int fds[5];
	char ip[40];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(ip, sizeof(ip), "2001:db8:7:%x::1", (unsigned)i);
		expect(g, ip, "220 ", &fds[i]);
	}
	expect(g, "2001:db8:7:ffff::1", full, NULL);
	for (int i = 0; i < 5; i++)
		hang_up(g, fds[i]);
	for (int i = 0; i < 5; i++) {
		snprintf(ip, sizeof(ip), "192.0.2.%d", i);
		expect(g, ip, "220 ", &fds[i]);
	}
	expect(g, "192.0.2.200", full, NULL);
	expect(g, "192.0.3.200", "220 ", NULL);
	for (int i = 0; i < 5; i++)
		hang_up(g, fds[i]);
	finish(g);
}

static void
row_027_312_connections_too_fast(void **state)
{
	struct stage *g = begin();

	(void)state;
	for (int i = 0; i < 10; i++) {
		expect(g, "192.0.2.1", "220 ", NULL);
		stage_run(g);
	}
	expect(g, "192.0.2.1", full, NULL);
	expect(g, "192.0.2.2", "220 ", NULL); /* others are served */
	stage_run(g);
	g->now_ms += 6000;
	expect(g, "192.0.2.1", "220 ", NULL);
	stage_run(g);
	expect(g, "192.0.2.1", full, NULL);
	finish(g);
}

static void
say(struct stage *g, int fd, const char *text, char heard_out[2000])
{
	ssize_t n;

	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	stage_run(g);
	n = recv(fd, heard_out, 1999, MSG_DONTWAIT);
	heard_out[n > 0 ? n : 0] = '\0';
}

static void
row_101_guesses_are_counted_across_sessions(void **state)
{
	static const char two[] = "EHLO x\r\n",
			  guess[] = "MAIL FROM:<a@b.example>\r\nRCPT TO:<unknown@ours.example>\r\n",
			  good[] =
			      "RSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<u@ours.example>\r\n";
	struct stage *g = begin();
	char heard[2000];
	int a, b, c;

	(void)state;
	expect(g, "192.0.2.1", "220 ", &a);
	expect(g, "192.0.2.1", "220 ", &b);
	say(g, a, two, heard);
	say(g, b, two, heard);
	say(g, a, guess, heard);
	assert_non_null(strstr(heard, "550 5.1.1"));
	say(g, b, guess, heard);
	assert_non_null(strstr(heard, "550 5.1.1"));
	/* As long as it has more right than wrong, nothing happens. */
	say(g, a, good, heard);
	say(g, b, good, heard);
	say(g, b, good, heard);
	say(g, b, "RCPT TO:<unknown@ours.example>\r\n", heard);
	assert_non_null(strstr(heard, "550 5.1.1"));
	say(g, b, "RCPT TO:<unknown@ours.example>\r\n", heard);
	assert_string_equal(heard, "421 4.7.0 Too many unknown recipients\r\n");
	expect(g, "192.0.2.1", "421 4.7.0 Too many unknown recipients\r\n", NULL);
	expect(g, "192.0.2.2", "220 ", &c);
	g->now_ms += 3600 * 1000;
	expect(g, "192.0.2.1", "220 ", NULL);
	close(a);
	close(b);
	close(c);
	stage_run(g);
	finish(g);
}

static void
commands_too_fast(void **state)
{
	struct stage *g = begin();
	char heard[2000];
	int fd;

	(void)state;
	g->conf->limits.commands_per_minute = 60;
	g->conf->limits.junk = 1000;
	expect(g, "192.0.2.1", "220 ", &fd);
	for (int i = 0; i < 60; i++) {
		say(g, fd, "NOOP\r\n", heard);
		assert_string_equal(heard, "250 2.0.0 Ok\r\n");
	}
	say(g, fd, "NOOP\r\n", heard);
	assert_string_equal(heard, "421 4.7.0 Too many commands\r\n");
	close(fd);
	finish(g);
}

static void
trusted_relays_are_not_counted(void **state)
{
	struct stage *g = stage_new();
	int fds[10];

	(void)state;
	stage_set(g, "trusted_relays", "192.0.2.0/24");
	stage_free(g);
	g = begin();
	assert_true(ip_parse(SPAN("192.0.2.0"), &g->worker.trusted_relays.networks[0].base));
	g->worker.trusted_relays.networks[0].bits = 120;
	g->worker.trusted_relays.count = 1;
	for (int i = 0; i < 10; i++)
		expect(g, "192.0.2.1", "220 ", &fds[i]);
	for (int i = 0; i < 10; i++)
		hang_up(g, fds[i]);
	for (int i = 0; i < 10; i++)
		expect(g, "192.0.2.1", "220 ", NULL);
	finish(g);
}

/* The balancer is not counted, its clients are. */
static void
row_013_clients_of_a_balancer(void **state)
{
	static const char first[] = "PROXY TCP4 203.0.113.9 5.6.7.8 1 25\r\n";
	static const char second[] = "PROXY TCP4 203.0.114.9 5.6.7.8 1 25\r\n";
	struct stage *g = begin();
	char said[100], heard[2000];
	int fds[5];

	(void)state;
	assert_true(ip_parse(SPAN("192.0.2.0"), &g->worker.proxy_from.networks[0].base));
	g->worker.proxy_from.networks[0].bits = 120;
	g->worker.proxy_from.count = 1;
	for (int i = 0; i < 5; i++) {
		fds[i] = dial(g, "192.0.2.1", said);
		assert_string_equal(said, "");
		say(g, fds[i], i < 4 ? first : second, heard);
		if (i == 3)
			assert_string_equal(heard, full);
		else
			assert_string_equal(heard, "220 mx.ours.example ESMTP\r\n");
	}
	for (int i = 0; i < 5; i++)
		hang_up(g, fds[i]);
	stage_wait(g, 5000);
	assert_int_equal(worker_sessions_open(&g->worker), 0);
	finish(g);
}

/* The header is for us, what follows it for tlsd. */
static void
a_handshake_behind_a_header(void **state)
{
	static const char hello[] = "\x16\x03\x01\x02";
	struct stage *g = stage_new();
	char got[100];
	char early[] = "PROXY TCP4 203.0.113.9 5.6.7.8 1 25\r\n\x16\x03\x01\x02";
	struct ip client;

	(void)state;
	stage_set(g, "proxy_from", "192.0.2.1");
	g->tls_first = true;
	stage_connect_saying(g, early, sizeof(early) - 1);
	stage_run(g);
	assert_true(g->tls_fd >= 0);
	assert_int_equal(g->session->state, STATE_TLS);
	assert_true(ip_parse(SPAN("203.0.113.9"), &client));
	assert_memory_equal(&g->session->client, &client, sizeof(client));
	assert_int_equal(recv(g->tls_fd, got, sizeof(got), MSG_DONTWAIT), 4);
	assert_memory_equal(got, hello, 4);
	stage_free(g);
}

/* Row 14: the limit of all; before it is reached, who does nothing is told to hurry. */
static void
row_014_315_stress_and_full(void **state)
{
	struct stage *g = begin();
	int fds[20];
	char ip[40], said[100];

	(void)state;
	for (int i = 0; i < 15; i++) {
		snprintf(ip, sizeof(ip), "10.0.%d.1", i);
		expect(g, ip, "220 ", &fds[i]);
	}
	assert_false(g->worker.stress);
	for (int i = 15; i < 20; i++) {
		snprintf(ip, sizeof(ip), "10.0.%d.1", i);
		expect(g, ip, "220 ", &fds[i]);
	}
	assert_true(g->worker.stress);
	expect(g, "10.1.0.1", "421 4.3.2 ", NULL);
	for (int i = 19; i > 12; i--)
		hang_up(g, fds[i]);
	assert_true(g->worker.stress); /* at 13 of 20 */
	hang_up(g, fds[12]);
	assert_false(g->worker.stress); /* at 12 */
	for (int i = 12; i < 16; i++) {
		snprintf(ip, sizeof(ip), "10.0.%d.1", i);
		expect(g, ip, "220 ", &fds[i]);
	}
	assert_true(g->worker.stress);
	/* The sessions that began before have no more time than the others. */
	stage_wait(g, 31000);
	assert_int_equal(worker_sessions_open(&g->worker), 0);
	assert_false(g->worker.stress);
	for (int i = 0; i < 16; i++) {
		ssize_t n = recv(fds[i], said, sizeof(said), MSG_DONTWAIT);

		assert_true(n > 5 && strncmp(said, "421 4.4.2", 9) == 0);
		close(fds[i]);
	}
	finish(g);
}

/* Says EHLO and STARTTLS. Returns: whether the answer to that begins with `reply`. */
static bool
starttls(struct stage *g, const char *from, const char *reply)
{
	char said[2000];
	int fd = dial(g, from, said);
	ssize_t n;

	assert_true(send(fd, "EHLO client.example\r\n", 21, 0) == 21);
	stage_run(g);
	assert_true(recv(fd, said, sizeof(said), MSG_DONTWAIT) > 0);
	assert_true(send(fd, "STARTTLS\r\n", 10, 0) == 10);
	stage_run(g);
	n = recv(fd, said, sizeof(said) - 1, MSG_DONTWAIT);
	said[n > 0 ? n : 0] = '\0';
	hang_up(g, fd);
	return strncmp(said, reply, strlen(reply)) == 0;
}

/* Too many handshakes of one client; the session goes on in plain text, and others are not concerned. */
static void
row_136_handshakes_of_one_client(void **state)
{
	struct stage *g = begin();
	char said[100];

	(void)state;
	assert_true(starttls(g, "192.0.2.1", "220 "));
	assert_true(starttls(g, "192.0.2.1", "220 "));
	assert_true(starttls(g, "192.0.2.1", "454 4.7.0 "));
	assert_true(starttls(g, "192.0.2.2", "220 "));
	dial(g, "192.0.2.1", said);
	assert_true(strncmp(said, "220 ", 4) == 0);
	finish(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_013_too_many_of_one_address),
	    cmocka_unit_test(row_013_an_ipv6_64_is_one_address),
	    cmocka_unit_test(row_014_too_many_of_one_network),
	    cmocka_unit_test(row_027_312_connections_too_fast),
	    cmocka_unit_test(row_101_guesses_are_counted_across_sessions),
	    cmocka_unit_test(row_136_handshakes_of_one_client),
	    cmocka_unit_test(commands_too_fast),
	    cmocka_unit_test(trusted_relays_are_not_counted),
	    cmocka_unit_test(row_013_clients_of_a_balancer),
	    cmocka_unit_test(a_handshake_behind_a_header),
	    cmocka_unit_test(row_014_315_stress_and_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

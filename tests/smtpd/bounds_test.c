/*
 * Everything is bounded: memory that runs out at any point, clients that are slow in any state,
 * content without an end, clients that read an octet at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/un.h>

#include "smtpd/listener.h"
#include "tests/smtpd/stage.h"

/* A request that no allocator can meet is NULL here too, instead of the end of the test. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

enum { FAR_TOO_MUCH = 60 };

/* ---- memory ------------------------------------------------------------------------------------ */

static void
exhaust(struct pool *pool)
{
	pool_clear(pool);
	pool->size |= SIZE_MAX << FAR_TOO_MUCH;
}

static void
replenish(struct pool *pool)
{
	pool->size &= ~(SIZE_MAX << FAR_TOO_MUCH);
}

static bool
heard(const struct stage *g, const char *text)
{
	return memmem(g->heard, g->heard_len, text, strlen(text)) != NULL;
}

static void
memory_runs_out_at_accept(void **state)
{
	struct stage *g = stage_new();

	(void)state;
	exhaust(&g->worker.session_pool);
	for (int i = 0; i < 3; i++) {
		stage_connect(g);
		stage_run(g);
		assert_null(g->session);
		assert_true(heard(g, "421 4.3.2 Service busy"));
		assert_true(g->closed);
		close(g->client);
	}
	assert_int_equal(worker_sessions_open(&g->worker), 0);
	replenish(&g->worker.session_pool);
	stage_connect(g);
	stage_run(g);
	assert_true(heard(g, "220 "));
	stage_free(g);
}

/* One whole message, in steps; none of the pools has anything to give from step `from` to `until`. */
static void
play_short_of_memory(struct stage *g, struct pool *pool, size_t from, size_t until)
{
	static const char *const steps[] = {"EHLO x\r\n", "MAIL FROM:<a@b.exa", "mple>\r\n",
	    "RCPT TO:<u@ours.example>\r\nRCPT TO:<v@ours.example>\r\n", "DATA\r\n",
	    "Subject: x\r\n\r\nhalf", " a line\r\n.\r\n", "NOOP\r\n"};

	for (size_t i = 0; i <= sizeof(steps) / sizeof(steps[0]) && !g->closed; i++) {
		if (i == from)
			exhaust(pool);
		if (i == until)
			replenish(pool);
		if (i == 0)
			stage_connect(g);
		else
			stage_say(g, steps[i - 1], strlen(steps[i - 1]));
		stage_run(g);
	}
	replenish(pool);
}

/* Whatever fails: a 4xx or a closed connection, nothing promised, and the next client is served. */
static void
memory_runs_out_at_any_step(void **state)
{
	(void)state;
	for (size_t from = 0; from < 9; from++) {
		for (size_t until = from + 1; until <= 9; until++) {
			for (int which = 0; which < 2; which++) {
				struct stage *g = stage_new();
				struct pool *pool =
				    which == 0 ? &g->worker.blocks : &g->worker.messages;

				play_short_of_memory(g, pool, from, until);
				assert_false(g->cheated);
				assert_false(heard(g, "\r\n5") && !heard(g, "503 "));
				if (heard(g, "250 2.0.0 Accepted"))
					assert_int_equal(g->commits, 1);
				close(g->client);
				stage_run(g);
				assert_int_equal(worker_sessions_open(&g->worker), 0);
				assert_int_equal(g->worker.budget.used, 0);
				assert_int_equal(pool->taken, 0);
				stage_connect(g);
				stage_run(g);
				assert_true(heard(g, "220 "));
				stage_free(g);
			}
		}
	}
}

/* ---- slow clients --------------------------------------------------------------------------------- */

/* Row 11, in every state in which a client can be waited for: an octet now and then is no progress. */
static void
row_011_slow_in_every_state(void **state)
{
	static const struct {
		const char *name, *before, *octets;
		unsigned every_s, most_s;
	} rows[] = {
	    {"greeted", "", "NOOP", 299, 300},
	    {"ready", "EHLO x\r\n", "MAIL FROM:<", 60, 300},
	    {"mail", "EHLO x\r\n|MAIL FROM:<a@b.example>\r\n", "RCPT TO:<", 60, 300},
	    {"rcpt", "EHLO x\r\n|MAIL FROM:<a@b.example>\r\nRCPT TO:<u@ours.example>\r\n", "DATA",
		90, 300},
	    {"content",
		"EHLO x\r\n|MAIL FROM:<a@b.example>\r\nRCPT TO:<u@ours.example>\r\nDATA\r\n",
		"Subject: slow as can be", 10, 65},
	    {"chunk",
		"EHLO x\r\n|MAIL FROM:<a@b.example>\r\nRCPT TO:<u@ours.example>\r\n|BDAT 5000\r\n",
		"Subject: slow as can be", 10, 65},
	    {"closing", "QUIT\r\n", "xxxxxxxxx", 1, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stage *g = stage_new();
		const char *p = rows[i].before, *bar;
		unsigned passed = 0;

		stage_connect(g);
		stage_run(g);
		for (; (bar = strchr(p, '|')) != NULL; p = bar + 1)
			stage_say(g, p, (size_t)(bar - p));
		stage_say(g, p, strlen(p));
		for (p = rows[i].octets; *p != '\0' && worker_sessions_open(&g->worker) > 0; p++) {
			stage_say(g, p, 1);
			for (unsigned s = 0;
			     s < rows[i].every_s && worker_sessions_open(&g->worker) > 0; s++) {
				stage_wait(g, 1000);
				passed++;
			}
		}
		if (worker_sessions_open(&g->worker) > 0 || passed > rows[i].most_s)
			fail_msg("%s: open %u after %u s", rows[i].name,
			    worker_sessions_open(&g->worker), passed);
		stage_free(g);
	}
}

/* Reads one octet and lets time pass. */
static void
sip(struct stage *g)
{
	uint8_t octet;

	recv(g->client, &octet, 1, MSG_DONTWAIT);
	g->now_ms += 1000;
	worker_wake(&g->worker);
	worker_sweep(&g->worker);
	loop_turn(g->loop, false);
}

/* A window of one octet: that something moves is not enough. */
static void
row_016_an_octet_at_a_time(void **state)
{
	static const int small = 2048;
	struct stage *g = stage_new();
	unsigned seconds = 0;

	(void)state;
	stage_set(g, "limits.junk", "100000");
	stage_connect(g);
	setsockopt(g->client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(g->session->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < 2000; i++) {
		send(
		    g->client, "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n", 24, MSG_DONTWAIT | MSG_NOSIGNAL);
		loop_turn(g->loop, false);
	}
	assert_true(g->session->blocked);
	while (worker_sessions_open(&g->worker) > 0 && seconds++ < 100)
		sip(g);
	assert_true(seconds <= 62);
	stage_free(g);
}

/* ---- without an end ---------------------------------------------------------------------------------- */

/* Says `total` octets x. Out: *most_out, the most that was in use meanwhile. Returns: octets said. */
static size_t
pour(struct stage *g, size_t total, uint64_t *most_out)
{
	static uint8_t wave[64 * 1024];
	size_t said = 0;

	memset(wave, 'x', sizeof(wave));
	for (*most_out = 0; said < total && !g->closed; said += sizeof(wave)) {
		stage_say(g, wave, sizeof(wave));
		if (g->worker.budget.used > *most_out)
			*most_out = g->worker.budget.used;
		assert_true(g->worker.blocks.taken <= 4);
	}
	return said;
}

static void
row_030_a_command_without_an_end(void **state)
{
	struct stage *g = stage_new();
	uint64_t most;

	(void)state;
	stage_connect(g);
	stage_run(g);
	/* 64 KiB, and what may lie in the socket while we wait for the client to read our reply. */
	assert_true(pour(g, 1 << 30, &most) <= 1 << 20);
	assert_true(heard(g, "500 5.5.2 Command line too long\r\n"));
	assert_int_equal(most, 0);
	stage_free(g);
}

static void
row_030_content_without_an_end(void **state)
{
	struct stage *g = stage_new();
	uint64_t most;

	(void)state;
	stage_set(g, "limits.message_size", "65536");
	stage_connect(g);
	stage_run(g);
	stage_say(g, "EHLO x\r\n", 8);
	stage_say(g, "MAIL FROM:<a@b.example>\r\nRCPT TO:<u@ours.example>\r\nDATA\r\n", 57);
	assert_true(pour(g, 1 << 30, &most) <= 1 << 20);
	assert_true(heard(g, "552 5.3.4 Message exceeds the size limit"));
	assert_true(most <= 65536 + MESSAGE_STEP + MESSAGE_INLINE);
	stage_wait(g, 3000);
	assert_int_equal(worker_sessions_open(&g->worker), 0);
	assert_int_equal(g->worker.budget.used, 0);
	stage_free(g);
}

/* ---- addresses ------------------------------------------------------------------------------------------ */

/* Row 20: no address, no session. */
static void
row_020_a_client_without_an_address(void **state)
{
	struct stage *g = stage_new();
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(address);
	struct listener *l;
	char octet;

	(void)state;
	assert_int_equal(worker_configure(&g->worker, g->conf), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	l = listener_new(&g->worker, fd, false);
	assert_non_null(l);
	assert_int_equal(connect(client, (struct sockaddr *)&address, len), 0);
	stage_run(g);
	assert_int_equal(worker_sessions_open(&g->worker), 0);
	assert_int_equal(recv(client, &octet, 1, MSG_DONTWAIT), 0);
	close(client);
	listener_free(&l);
	stage_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(memory_runs_out_at_accept),
	    cmocka_unit_test(memory_runs_out_at_any_step),
	    cmocka_unit_test(row_011_slow_in_every_state),
	    cmocka_unit_test(row_016_an_octet_at_a_time),
	    cmocka_unit_test(row_030_a_command_without_an_end),
	    cmocka_unit_test(row_030_content_without_an_end),
	    cmocka_unit_test(row_020_a_client_without_an_address),
	};

	log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

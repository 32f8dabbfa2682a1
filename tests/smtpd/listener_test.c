/* Connections over TCP: rows 1, 3, 17 and the options that accepted sockets inherit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "smtpd/counters.h"
#include "smtpd/listener.h"
#include "tests/smtpd/stage.h"

static struct sockaddr_in address;

static struct listener *
listen_on(struct stage *g)
{
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	address =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(worker_configure(&g->worker, g->conf), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	return listener_new(&g->worker, fd, false);
}

static int
dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Turns until the other side has said something, or so many turns. */
static ssize_t
hear(struct stage *g, int fd, char *text, size_t size)
{
	ssize_t n = -1;

	for (int i = 0; i < 200 && n < 0; i++) {
		loop_turn(g->loop, false);
		n = recv(fd, text, size, MSG_DONTWAIT);
		if (n < 0)
			usleep(1000);
	}
	return n;
}

static void
options_are_inherited(void **state)
{
	struct stage *g = stage_new();
	struct listener *l = listen_on(g);
	char text[200];
	int fd = dial(), on = 0;
	socklen_t len = sizeof(on);

	(void)state;
	assert_non_null(l);
	assert_true(hear(g, fd, text, sizeof(text)) > 0);
	assert_memory_equal(text, "220 mx.ours.example ESMTP\r\n", 27);
	assert_non_null(g->worker.slots[0]);
	assert_int_equal(
	    getsockopt(g->worker.slots[0]->fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_true(on != 0);
	assert_int_equal(
	    getsockopt(g->worker.slots[0]->fd, SOL_SOCKET, SO_OOBINLINE, &on, &len), 0);
	assert_true(on != 0);
	assert_true(ip_is_v4(&g->worker.slots[0]->client));
	close(fd);
	listener_free(&l);
	stage_free(g);
}

static void
row_017_urgent_octets_are_in_line(void **state)
{
	struct stage *g = stage_new();
	struct listener *l = listen_on(g);
	char text[200];

	(void)state;
	for (int i = 0; i < 5; i++) {
		int fd = dial();

		assert_true(hear(g, fd, text, sizeof(text)) > 0);
		assert_int_equal(send(fd, "NO", 2, 0), 2);
		assert_int_equal(send(fd, "O", 1, MSG_OOB), 1);
		assert_int_equal(send(fd, "P\r\n", 3, 0), 3);
		assert_true(hear(g, fd, text, sizeof(text)) > 0);
		assert_memory_equal(text, "250 2.0.0 Ok\r\n", 14);
		close(fd);
	}
	listener_free(&l);
	stage_free(g);
}

static void
row_001_reset_before_accept(void **state)
{
	static const struct linger at_once = {1, 0};
	struct stage *g = stage_new();
	struct listener *l = listen_on(g);
	char text[200];
	int fd;

	(void)state;
	for (int i = 0; i < 20; i++) {
		fd = dial();
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(fd);
	}
	fd = dial();
	assert_true(hear(g, fd, text, sizeof(text)) > 0);
	assert_memory_equal(text, "220 ", 4);
	close(fd);
	for (int i = 0; i < 50 && worker_sessions_open(&g->worker) > 0; i++)
		loop_turn(g->loop, false);
	assert_int_equal(worker_sessions_open(&g->worker), 0);
	listener_free(&l);
	stage_free(g);
}

static void
row_003_out_of_descriptors(void **state)
{
	struct stage *g = stage_new();
	struct listener *l = listen_on(g);
	struct rlimit before, none;
	uint64_t failed = smtpd_counters[COUNT_accept_failed].value;
	char text[200] = "";
	int fd = dial(), second = dial();

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)second + 1, .rlim_max = before.rlim_max};
	/* Fill the gaps below. */
	while (dup(fd) >= 0 && dup(fd) < 200)
		continue;
	none.rlim_cur = (rlim_t)dup(fd) + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_true(hear(g, fd, text, sizeof(text)) > 0);
	assert_memory_equal(text, "421 4.3.2 ", 10);
	assert_true(l->reserve >= 0);
	assert_true(smtpd_counters[COUNT_accept_failed].value > failed);
	/* No busy loop: it pauses, although the second connection waits. */
	assert_false(l->watch.active);
	assert_true(l->pause.active);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(hear(g, second, text, sizeof(text)) > 0);
	assert_memory_equal(text, "220 ", 4);
	listener_free(&l);
	stage_free(g);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_are_inherited),
	    cmocka_unit_test(row_017_urgent_octets_are_in_line),
	    cmocka_unit_test(row_001_reset_before_accept),
	    cmocka_unit_test(row_003_out_of_descriptors),
	};

	log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

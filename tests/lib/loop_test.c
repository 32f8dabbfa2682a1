#include "lib/clock.h"
#include "lib/loop.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct trace {
	struct loop *loop;
	char text[64];
	struct deferred again;
};

static void
note(struct trace *t, const char *what)
{
	strncat(t->text, what, sizeof(t->text) - strlen(t->text) - 1);
}

static void
on_deferred_twice(void *arg)
{
	note(arg, "D");
}

static void
on_deferred(void *arg)
{
	struct trace *t = arg;

	note(t, "d");
	t->again = (struct deferred){.fn = on_deferred_twice, .arg = t};
	loop_defer(t->loop, &t->again);
}

static void
on_hook(void *arg)
{
	note(arg, "h");
}

static void
a_turn_runs_what_was_deferred_then_the_hooks(void **state)
{
	struct trace t = {.loop = loop_new()};
	struct deferred item = {.fn = on_deferred, .arg = &t};
	struct deferred taken_back = {.fn = on_deferred, .arg = &t};
	struct turn_hook hook = {.fn = on_hook, .arg = &t};

	(void)state;
	loop_add_hook(t.loop, &hook);
	loop_defer(t.loop, &item);
	loop_defer(t.loop, &item);
	loop_defer(t.loop, &taken_back);
	loop_undefer(&taken_back);
	loop_turn(t.loop, false);
	assert_string_equal(t.text, "dDh");
	loop_turn(t.loop, false);
	assert_string_equal(t.text, "dDhh");
	loop_free(&t.loop);
}

static void
what_was_deferred_outside_a_turn_does_not_wait_for_an_event(void **state)
{
	struct trace t = {.loop = loop_new()};
	struct deferred item = {.fn = on_deferred, .arg = &t};
	struct timer wake = {.active = false};

	(void)state;
	assert_int_equal(timer_set(t.loop, &wake, 20, on_hook, &t), 0);
	loop_defer(t.loop, &item);
	loop_turn(t.loop, true);
	assert_string_equal(t.text, "dDh");
	loop_free(&t.loop);
}

static void
on_timer(void *arg)
{
	struct trace *t = arg;

	note(t, "t");
	loop_stop(t->loop);
}

static void
a_timer_fires_once_and_not_when_stopped(void **state)
{
	struct trace t = {.loop = loop_new()};
	struct timer timer = {.active = false}, stopped = {.active = false};
	uint64_t before = clock_ms();

	(void)state;
	assert_int_equal(timer_set(t.loop, &stopped, 1, on_timer, &t), 0);
	timer_stop(&stopped);
	assert_int_equal(timer_set(t.loop, &timer, 30, on_timer, &t), 0);
	loop_run(t.loop);
	assert_string_equal(t.text, "t");
	assert_true(loop_now(t.loop) >= before + 29);
	loop_free(&t.loop);
}

static void
on_event(void *arg, unsigned events)
{
	struct trace *t = arg;

	note(t, (events & WATCH_READ) != 0 ? "r" : "");
	note(t, (events & WATCH_CLOSED) != 0 ? "c" : "");
}

static void
an_edge_watch_tells_data_once_and_the_peers_end_without_reading(void **state)
{
	struct trace t = {.loop = loop_new()};
	struct watch watch = {.active = false};
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(watch_start(t.loop, &watch, fds[0], WATCH_READ | WATCH_CLOSED | WATCH_EDGE,
			     on_event, &t),
	    0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_turn(t.loop, true);
	loop_turn(t.loop, false);
	assert_string_equal(t.text, "r");
	shutdown(fds[1], SHUT_WR);
	loop_turn(t.loop, true);
	assert_string_equal(t.text, "rrc");
	watch_stop(&watch);
	close(fds[0]);
	close(fds[1]);
	loop_free(&t.loop);
}

/* A reset is EPOLLERR and EPOLLHUP, which libevent does not call closed; data is no end. */
static void
a_watch_for_the_end_alone_sees_a_reset(void **state)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger hard = {1, 0};
	struct trace t = {.loop = loop_new()};
	struct watch watch = {.active = false};
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client, server;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	server = accept(listener, NULL, NULL);
	assert_int_equal(watch_start(t.loop, &watch, server, WATCH_CLOSED, on_event, &t), 0);
	assert_int_equal(send(client, "x", 1, 0), 1);
	loop_turn(t.loop, true);
	loop_turn(t.loop, false);
	assert_string_equal(t.text, "");
	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(client);
	loop_turn(t.loop, true);
	loop_turn(t.loop, false);
	assert_string_equal(t.text, "c");
	watch_stop(&watch);
	close(server);
	close(listener);
	loop_free(&t.loop);
}

static void
a_watch_that_is_never_drained_does_not_hold_the_turn(void **state)
{
	struct trace t = {.loop = loop_new()};
	struct watch watch = {.active = false};
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(watch_start(t.loop, &watch, fds[0], WATCH_READ, on_event, &t), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_turn(t.loop, true);
	assert_string_equal(t.text, "rr");
	watch_stop(&watch);
	close(fds[0]);
	close(fds[1]);
	loop_free(&t.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_turn_runs_what_was_deferred_then_the_hooks),
	    cmocka_unit_test(what_was_deferred_outside_a_turn_does_not_wait_for_an_event),
	    cmocka_unit_test(a_timer_fires_once_and_not_when_stopped),
	    cmocka_unit_test(a_watch_that_is_never_drained_does_not_hold_the_turn),
	    cmocka_unit_test(an_edge_watch_tells_data_once_and_the_peers_end_without_reading),
	    cmocka_unit_test(a_watch_for_the_end_alone_sees_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

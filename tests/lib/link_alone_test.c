/* Links without a loop, and links whose end is no event. */
#include "lib/link.h"
#include "lib/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned got, lost;
static bool violated;

static void
on_gone(void *ctx, struct link *link, const union msg *m, int *fd)
{
	(void)ctx;
	(void)link;
	(void)fd;
	got += m->child_gone.serial;
}

static void
on_lost(void *ctx, struct link *link)
{
	(void)ctx;
	lost++;
	violated = link_violated(link);
}

static const struct link_handler handlers[] = {{MSG_child_gone, on_gone}};
static const struct link_role asker = {
    PROGRAM_VALIDATORS, PROGRAM_VALIDATOR, handlers, 1, on_lost, true};
static const struct link_role alone = {PROGRAM_VALIDATOR, PROGRAM_VALIDATORS, NULL, 0, NULL, true};

static struct loop *loop;
static struct link *one;

/* Returns: the other end's descriptor. */
static int
begin(void)
{
	int fds[2];

	got = lost = 0;
	violated = false;
	loop = loop_new();
	assert_int_equal(link_pair(fds), 0);
	one = link_new(loop, fds[0], &asker, NULL);
	assert_non_null(one);
	return fds[1];
}

static void
turn(void)
{
	for (int i = 0; i < 5; i++)
		loop_turn(loop, false);
}

static void
end(void)
{
	link_free(&one);
	loop_free(&loop);
}

static void
speaks_without_a_loop(void **state)
{
	struct link *other = link_new(NULL, begin(), &alone, NULL);
	struct msg_child_gone gone = {5, 0};

	(void)state;
	turn();
	assert_int_equal(link_wait(other, 1000), 1); /* hello */
	assert_true(link_send(other, MSG_child_gone, &gone, -1));
	link_flush(other);
	turn();
	assert_int_equal(got, 5);
	link_free(&other);
	turn();
	assert_int_equal(lost, 1);
	assert_false(violated);
	end();
}

static void
hears_of_the_end_without_a_loop(void **state)
{
	struct link *other = link_new(NULL, begin(), &alone, NULL);

	(void)state;
	turn();
	assert_int_equal(link_wait(other, 1000), 1);
	link_free(&one);
	assert_int_equal(link_wait(other, 1000), -1);
	link_free(&other);
	end();
}

static void
says_when_the_peer_was_to_blame(void **state)
{
	int fd = begin();

	(void)state;
	assert_int_equal(send(fd, "noise", 5, 0), 5);
	turn();
	assert_int_equal(lost, 1);
	assert_true(violated);
	close(fd);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(speaks_without_a_loop),
	    cmocka_unit_test(hears_of_the_end_without_a_loop),
	    cmocka_unit_test(says_when_the_peer_was_to_blame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

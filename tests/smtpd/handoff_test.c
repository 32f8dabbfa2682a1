/* What queue-handoff tells besides outcomes: groups that are down, answers that recipients are
 * owed; and what it is told of replies that nobody may have heard. */
#include "tests/smtpd/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "smtpd/avoid.h"

static void *clients_memory; /* which all workers share */

static void
say(struct stage *g, const char *text)
{
	g->heard_len = 0;
	stage_say(g, text, strlen(text));
	stage_run(g);
}

static bool
heard(const struct stage *g, const char *text)
{
	struct span all = span_of(g->heard, g->heard_len);

	for (size_t i = 0; i < all.len; i++)
		if (stage_begins(span_from(all, i), text))
			return true;
	return false;
}

static struct stage *
begin(void)
{
	struct stage *g = stage_new();

	stage_set(g, "backend.first.servers", "192.0.2.1:628");
	stage_set(g, "backend.second.servers", "192.0.2.2:628");
	stage_set(g, "backend.second.message_size", "108192");
	g->outcome = HANDOFF_TAKEN;
	return g;
}

static const uint8_t clients_key[SIPHASH_KEY_LEN] = {7};

static int
share(void **state)
{
	(void)state;
	clients_memory =
	    mmap(NULL, clients_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return clients_memory == MAP_FAILED ? -1 : 0;
}

static int
unshare_all(void **state)
{
	(void)state;
	return munmap(clients_memory, clients_size());
}

/* One of several workers. */
static struct stage *
begin_worker(unsigned slot)
{
	struct stage *g = begin();

	clients_init(&g->worker.clients, clients_memory, slot, clients_key);
	stage_connect(g);
	say(g, "EHLO c.example\r\n");
	return g;
}

static void
group_state(struct stage *g, const char *route, bool down)
{
	union msg m = {.group_state = {span_str(route), down}};

	stage_dispatch(g, MSG_group_state, &m);
}

static void
groups_that_are_down(void **state)
{
	struct stage *g = begin();

	(void)state;
	stage_connect(g);
	say(g, "EHLO c.example\r\n");
	say(g, "MAIL FROM:<a@b.example>\r\n");
	group_state(g, "nobody", true);
	group_state(g, "first", true);
	group_state(g, "first", true); /* told twice */
	say(g, "RCPT TO:<x@ours.example>\r\n");
	assert_true(heard(g, "451 4.4.1 "));
	/* The group of second@ is "second". */
	say(g, "RCPT TO:<second@ours.example>\r\n");
	assert_true(heard(g, "250 2.1.5 "));
	group_state(g, "first", false);
	say(g, "RSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@ours.example>\r\n");
	assert_false(heard(g, "451"));
	stage_free(g);
}

static void
all_groups_down(void **state)
{
	struct stage *g = begin();

	(void)state;
	stage_connect(g);
	say(g, "QUIT\r\n");
	close(g->client);
	group_state(g, "first", true);
	group_state(g, "second", true);
	stage_connect(g);
	stage_run(g);
	assert_true(heard(g, "421 4.3.2 "));
	close(g->client);
	/* Without queue-handoff nothing is known any more. */
	stage_lose(g, PROGRAM_QUEUE_HANDOFF);
	stage_connect(g);
	stage_run(g);
	assert_true(heard(g, "220 "));
	stage_free(g);
}

static void
sizes_of_groups(void **state)
{
	struct stage *g = begin();

	(void)state;
	stage_connect(g);
	say(g, "EHLO c.example\r\n");
	assert_true(heard(g, "250-SIZE 36700160\r\n"));
	say(g, "MAIL FROM:<a@b.example> SIZE=100001\r\nRCPT TO:<second@ours.example>\r\n");
	assert_true(heard(g, "552 5.3.4 "));
	say(g, "RCPT TO:<x@ours.example>\r\n");
	assert_true(heard(g, "250 2.1.5 "));
	say(g, "RSET\r\nMAIL FROM:<a@b.example> SIZE=100000\r\nRCPT TO:<second@ours.example>\r\n");
	assert_false(heard(g, "552"));
	stage_free(g);
}

static void
recall(struct stage *g, const char *recipient, uint64_t size, bool for_good)
{
	union msg m = {.recall = {SPAN("a@b.example"), span_str(recipient), size, for_good}};

	stage_dispatch(g, MSG_recall, &m);
}

static void
row_289_answers_that_are_owed(void **state)
{
	struct stage *g = begin();
	union msg used = {.recall_used = {SPAN("a@b.example"), SPAN("z@ours.example"), 700}};

	(void)state;
	stage_connect(g);
	say(g, "EHLO c.example\r\n");
	recall(g, "x@ours.example", 700, true);
	recall(g, "y@ours.example", 700, false);
	recall(g, "z@ours.example", 700, true);
	/* Another sender, another size: another message. */
	say(g, "MAIL FROM:<b@b.example> SIZE=700\r\nRCPT TO:<x@ours.example>\r\nRSET\r\n");
	assert_true(heard(g, "250 2.1.5 "));
	say(g, "MAIL FROM:<a@b.example> SIZE=701\r\nRCPT TO:<x@ours.example>\r\nRSET\r\n");
	assert_true(heard(g, "250 2.1.5 "));
	/* Another worker has given that answer. */
	stage_dispatch(g, MSG_recall_used, &used);
	say(g, "MAIL FROM:<a@b.example> SIZE=700\r\nRCPT TO:<x@ours.example>\r\n"
	       "RCPT TO:<y@ours.example>\r\nRCPT TO:<z@ours.example>\r\nRSET\r\n");
	assert_true(heard(g, "554 5.3.0 "));
	assert_true(heard(g, "451 4.3.0 "));
	assert_true(heard(g, "250 2.1.5 "));
	assert_int_equal(g->recalls_used, 2);
	/* Each is given once. */
	say(g, "MAIL FROM:<a@b.example> SIZE=700\r\nRCPT TO:<x@ours.example>\r\n"
	       "RCPT TO:<y@ours.example>\r\nRSET\r\n");
	assert_false(heard(g, "554"));
	assert_false(heard(g, "451"));
	/* And not for ever. */
	recall(g, "x@ours.example", 700, true);
	g->now_ms += 14400 * 1000;
	say(g, "MAIL FROM:<a@b.example> SIZE=700\r\nRCPT TO:<x@ours.example>\r\n");
	assert_false(heard(g, "554"));
	stage_free(g);
}

/* The newest are kept, whatever comes. */
static void
owed_answers_are_bounded(void **state)
{
	struct stage *g = begin();
	char text[100];

	(void)state;
	stage_connect(g);
	say(g, "EHLO c.example\r\n");
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "u%u@ours.example", i);
		recall(g, text, 0, true);
		g->now_ms++;
	}
	say(g, "MAIL FROM:<a@b.example>\r\nRCPT TO:<u19999@ours.example>\r\n"
	       "RCPT TO:<u0@ours.example>\r\n");
	assert_true(heard(g, "554 5.3.0 "));
	assert_true(heard(g, "250 2.1.5 "));
	stage_free(g);
}

static void
send_message(struct stage *g)
{
	say(g, "EHLO c.example\r\n");
	say(g, "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@ours.example>\r\nDATA\r\n");
	say(g, "Subject: x\r\n\r\nx\r\n.\r\n");
}

static void
replies_that_nobody_heard(void **state)
{
	(void)state;
	for (int heard_it = 0; heard_it < 2; heard_it++) {
		struct stage *g = begin();

		stage_connect(g);
		send_message(g);
		assert_true(heard(g, "250 2.0.0 "));
		if (heard_it)
			say(g, "NOOP\r\n");
		close(g->client);
		g->client = -1;
		stage_run(g);
		assert_int_equal(g->undelivered, heard_it ? 0 : 1);
		stage_free(g);
	}
}

/* What was refused or deferred is no promise. */
static void
only_promises_count(void **state)
{
	struct stage *g = begin();

	(void)state;
	g->outcome = HANDOFF_DEFERRED;
	stage_connect(g);
	send_message(g);
	close(g->client);
	g->client = -1;
	stage_run(g);
	assert_int_equal(g->undelivered, 0);
	stage_free(g);
}

/* Recipients of two groups; the first one defers. */
static void
send_for_two_groups(struct stage *g)
{
	g->outcome = HANDOFF_DEFERRED;
	say(g, "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@ours.example>\r\n"
	       "RCPT TO:<second@ours.example>\r\nDATA\r\n");
	assert_true(heard(g, "452 4.5.3 "));
	say(g, "Subject: x\r\n\r\nx\r\n.\r\n");
	assert_true(heard(g, "451 4.3.0 "));
	g->outcome = HANDOFF_TAKEN;
}

/* The group that deferred the message does not keep the others waiting, whichever worker the
 * repeat comes to. */
static void
no_group_starves(void **state)
{
	struct stage *g = begin_worker(0), *other = begin_worker(1);

	(void)state;
	send_for_two_groups(g);
	/* Another sender may go where it likes. */
	say(other, "MAIL FROM:<b@b.example>\r\nRCPT TO:<x@ours.example>\r\nRSET\r\n");
	assert_false(heard(other, "452"));
	/* The other group first; it is taken. */
	say(other, "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@ours.example>\r\n"
		   "RCPT TO:<second@ours.example>\r\nDATA\r\n");
	assert_true(heard(other, "452 4.5.3 "));
	assert_true(heard(other, "354 "));
	say(other, "Subject: x\r\n\r\nx\r\n.\r\n");
	assert_true(heard(other, "250 2.0.0 "));
	/* Then the rest. */
	say(g, "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@ours.example>\r\nRSET\r\n");
	assert_false(heard(g, "452"));
	stage_free(other);
	stage_free(g);
}

/* A client that has nothing else waits for one repeat, not for an hour. */
static void
nothing_else_to_offer(void **state)
{
	struct stage *g = begin_worker(0);

	(void)state;
	send_for_two_groups(g);
	say(g, "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@ours.example>\r\nRSET\r\n");
	assert_true(heard(g, "452 4.5.3 "));
	say(g, "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@ours.example>\r\nRSET\r\n");
	assert_false(heard(g, "452"));
	stage_free(g);
}

static void
turns_are_forgotten(void **state)
{
	struct stage *g = begin_worker(0);

	(void)state;
	send_for_two_groups(g);
	g->now_ms += AVOID_S * UINT64_C(1000);
	say(g, "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@ours.example>\r\nRSET\r\n");
	assert_false(heard(g, "452"));
	stage_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(groups_that_are_down),
	    cmocka_unit_test(all_groups_down),
	    cmocka_unit_test(sizes_of_groups),
	    cmocka_unit_test(row_289_answers_that_are_owed),
	    cmocka_unit_test(owed_answers_are_bounded),
	    cmocka_unit_test(replies_that_nobody_heard),
	    cmocka_unit_test(only_promises_count),
	    cmocka_unit_test_setup_teardown(no_group_starves, share, unshare_all),
	    cmocka_unit_test_setup_teardown(nothing_else_to_offer, share, unshare_all),
	    cmocka_unit_test_setup_teardown(turns_are_forgotten, share, unshare_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

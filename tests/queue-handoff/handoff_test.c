/* Jobs as they usually go, and as back ends usually break them. */
#include "tests/queue-handoff/handoff_place.h"

/* ---- good ends -------------------------------------------------------------------------------- */

static void
taken(void **state)
{
	struct place *p = *state;

	assert_int_equal(run_small(p), HANDOFF_TAKEN);
	assert_int_equal(p->fakes[0]->complete, 1);
	assert_int_equal(p->fakes[0]->have, PACKAGE_LEN);
	assert_memory_equal(p->fakes[0]->octets, package, PACKAGE_LEN);
}

/* Until smtpd says go, the end is not sent, and then it comes at once: qmqp-sink of Postfix sees
 * no end of which only a single octet is left to come. */
static void
end_is_held_back(void **state)
{
	struct place *p = *state;
	struct handoff_request r = request(p, SPAN("Subject: x\n\nhello\n"));

	assert_true(handoff_start(p->handoff, &r));
	while (p->fakes[0]->have == 0 || !p->asked[r.owner.transaction])
		loop_turn(p->loop, true);
	for (int i = 0; i < 10; i++)
		loop_turn(p->loop, false);
	assert_int_equal(p->fakes[0]->have, PACKAGE_LEN - QMQP_HELD_BACK);
	assert_int_equal(QMQP_HELD_BACK, 2);
	handoff_commit(p->handoff, &r.owner, true);
	while (handoff_running(p->handoff) > 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_TAKEN);
}

static void
answers(void **state)
{
	static const struct {
		const char *reply;
		int outcome;
	} rows[] = {
	    {"3:Kok,", HANDOFF_TAKEN},
	    {"5:Zno!,", HANDOFF_BROKEN},
	    {"3:Zno,", HANDOFF_DEFERRED},
	    {"3:Dno,", HANDOFF_REFUSED},
	    {"0:,", HANDOFF_PROTOCOL},
	    {"3:Kok;", HANDOFF_PROTOCOL},
	    {"03:Kok,", HANDOFF_PROTOCOL},
	    {"-1:", HANDOFF_PROTOCOL},
	    {":K,", HANDOFF_PROTOCOL},
	    {"99999999999:K", HANDOFF_PROTOCOL},
	    {"3:kok,", HANDOFF_PROTOCOL},
	    {"3:Xok,", HANDOFF_PROTOCOL},
	    {"1:,,", HANDOFF_PROTOCOL},
	    {"11:Z\r\n250 ok\r\n,", HANDOFF_PROTOCOL},
	    {"4:K\r\nx,", HANDOFF_PROTOCOL},
	    {"3:Kok,more", HANDOFF_TAKEN},
	};
	struct place *p = *state;

	for (size_t step = 0; step < 2; step++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			p->fakes[0]->script.reply = span_str(rows[i].reply);
			p->fakes[0]->script.reply_step = step;
			if (run_small(p) != rows[i].outcome)
				fail_msg("%s, step %zu", rows[i].reply, step);
		}
	}
}

/* ---- every octet ------------------------------------------------------------------------------- */

/* F1: the back end closes or resets after reading octet k, for every k of the package. */
static void
row_278_close_at_every_octet(void **state)
{
	struct place *p = *state;

	for (long k = 0; k < 2 * PACKAGE_LEN; k++) {
		p->fakes[0]->script = FAKE_GOOD;
		p->fakes[0]->script.close_at = k / 2;
		p->fakes[0]->script.reset = k % 2 != 0;
		if (run_small(p) != HANDOFF_BROKEN)
			fail_msg("closed after %ld octets", k / 2);
	}
	assert_int_equal(p->fakes[0]->complete, 0);
}

/* F3, F4: the whole package was read, and no answer came. */
static void
row_278_close_after_the_comma(void **state)
{
	struct place *p = *state;

	p->fakes[0]->script.close_at = PACKAGE_LEN;
	assert_int_equal(run_small(p), HANDOFF_BROKEN);
	assert_int_equal(p->fakes[0]->have, PACKAGE_LEN);
}

/* F5: the answer is cut after octet j. */
static void
answer_cut_at_every_octet(void **state)
{
	struct place *p = *state;

	for (size_t j = 0; j < 6; j++) {
		p->fakes[0]->script.reply = span_head(SPAN("3:Kok,"), j);
		p->fakes[0]->script.reset = j % 2 != 0;
		assert_int_equal(run_small(p), HANDOFF_BROKEN);
	}
}

static void
row_279_answer_before_the_last_octet(void **state)
{
	struct place *p = *state;

	p->commit = COMMIT_AFTER_EARLY;
	for (long k = 0; k <= PACKAGE_LEN - QMQP_HELD_BACK; k++) {
		p->fakes[0]->script.early_at = k;
		p->fakes[0]->script.early = SPAN("3:Kok,");
		p->fakes[0]->said_early = false;
		if (run_small(p) != HANDOFF_PROTOCOL)
			fail_msg("answered after %ld octets", k);
	}
	assert_int_equal(p->fakes[0]->complete, 0);
}

/* One octet of it is enough. */
static void
row_279_part_of_an_answer(void **state)
{
	struct place *p = *state;

	p->commit = COMMIT_AFTER_EARLY;
	p->fakes[0]->script.early_at = 10;
	p->fakes[0]->script.early = SPAN("3");
	assert_int_equal(run_small(p), HANDOFF_PROTOCOL);
	assert_int_equal(p->fakes[0]->complete, 0);
}

/* F7, row 286: it stops reading at octet k; a small package is in the kernel by then. */
static void
row_286_never_reads_small(void **state)
{
	struct place *p = *state;

	p->backends.groups[0].reply_ms = 5;
	for (long k = 0; k < PACKAGE_LEN; k += 7) {
		p->fakes[0]->script.stop_at = k;
		assert_int_equal(run_small(p), HANDOFF_BROKEN);
	}
	assert_int_equal(p->fakes[0]->complete, 0);
}

static void
row_286_never_reads_large(void **state)
{
	static const long stops[] = {0, 1, 5000, 2000000};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		p->fakes[0]->script.stop_at = stops[i];
		assert_int_equal(run(p, request_file(p, 16 * 1024 * 1024, 0)), HANDOFF_BROKEN);
	}
	assert_int_equal(p->fakes[0]->complete, 0);
	assert_false(p->asked[p->transaction]);
}

static void
large_message_from_a_file(void **state)
{
	static const uint64_t froms[] = {0, 1, 4096, 12345};
	struct place *p = *state;
	const size_t size = 3 * 1024 * 1024;

	for (size_t i = 0; i < 4; i++) {
		struct span got, tail = SPAN(",11:s@t.example,11:u@r.example,,");
		uint8_t *want = malloc(size);
		struct handoff_request r = request_file(p, size, froms[i]);

		assert_int_equal(pread(r.content_fd, want, size, 0), (ssize_t)size);
		assert_int_equal(run(p, r), HANDOFF_TAKEN);
		got = span_of(p->fakes[0]->octets, p->fakes[0]->have);
		assert_true(span_eq(span_from(got, got.len - tail.len), tail));
		got = span_head(got, got.len - tail.len);
		assert_true(span_eq(span_from(got, got.len - (size - froms[i])),
		    span_of(want + froms[i], size - froms[i])));
		free(want);
	}
}

/* ---- time ---------------------------------------------------------------------------------------- */

/* Octets of an answer do not extend its deadline. */
static void
row_284_answer_octet_by_octet_too_slow(void **state)
{
	struct place *p = *state;
	uint64_t began = clock_ms();

	p->backends.groups[0].reply_ms = 20;
	p->fakes[0]->script.reply =
	    SPAN("999:Kxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	p->fakes[0]->script.reply_step = 1;
	p->fakes[0]->script.close_after = false;
	assert_int_equal(run_small(p), HANDOFF_BROKEN);
	assert_true(clock_ms() - began < 2000);
}

static void
row_285_answer_after_we_gave_up(void **state)
{
	struct place *p = *state;
	struct handoff_request r = request(p, SPAN("x\n"));
	struct fake_connection *c = &p->fakes[0]->connections[0];

	p->backends.groups[0].reply_ms = 500;
	p->fakes[0]->script.stop_at = 3;
	assert_true(handoff_start(p->handoff, &r));
	while (p->told == 0) {
		answer_question(p, &r.owner);
		loop_turn(p->loop, true);
	}
	assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_BROKEN);
	/* Now it reads the rest, and takes the message; smtpd is not told again. */
	p->fakes[0]->script = FAKE_GOOD;
	watch_start(p->loop, &c->watch, c->fd, WATCH_READ, fake_read, c);
	while (handoff_running(p->handoff) > 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->told, 1);
	assert_true(p->backends.groups[0].servers[0].has_taken);
}

static void
budget_bounds_every_wait(void **state)
{
	struct place *p = *state;
	struct handoff_request r = request(p, SPAN("x\n"));
	uint64_t began = clock_ms();

	p->backends.groups[0].write_ms = p->backends.groups[0].connect_ms = 60000;
	p->fakes[0]->script.stop_at = 5;
	r.budget_ms = 30;
	assert_int_equal(run(p, r), HANDOFF_BROKEN);
	assert_true(clock_ms() - began < 5000);
}

static void
smtpd_does_not_answer(void **state)
{
	struct place *p = *state;
	struct handoff_request r = request(p, SPAN("x\n"));

	p->commit = COMMIT_NEVER;
	r.budget_ms = 30;
	assert_int_equal(run(p, r), HANDOFF_INTERNAL);
	assert_int_equal(p->fakes[0]->complete, 0);
	assert_false(p->backends.groups[0].servers[0].sick);
}

/* ---- smtpd's side -------------------------------------------------------------------------------- */

static void
client_gone_at_the_question(void **state)
{
	struct place *p = *state;

	p->commit = COMMIT_NO;
	assert_int_equal(run_small(p), HANDOFF_GIVEN_UP);
	loop_turn(p->loop, false);
	assert_int_equal(p->fakes[0]->complete, 0);
}

static void
worker_lost_before_the_last_octet(void **state)
{
	struct place *p = *state;

	p->commit = COMMIT_WORKER_LOST;
	assert_int_equal(run_small(p), NOTHING);
	for (int i = 0; i < 5; i++)
		loop_turn(p->loop, false);
	assert_int_equal(p->fakes[0]->complete, 0);
}

static void
worker_lost_after_the_last_octet(void **state)
{
	struct place *p = *state;
	struct handoff_request r = request(p, SPAN("x\n"));

	p->fakes[0]->script.stop_at = 3;
	assert_true(handoff_start(p->handoff, &r));
	while (!p->asked[r.owner.transaction])
		loop_turn(p->loop, true);
	handoff_commit(p->handoff, &r.owner, true);
	handoff_worker_lost(p->handoff, 2); /* another one */
	handoff_worker_lost(p->handoff, r.owner.worker);
	assert_int_equal(handoff_running(p->handoff), 1);
	while (handoff_running(p->handoff) > 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->told, 0);
}

static void
strange_commit_answers(void **state)
{
	struct place *p = *state;
	struct handoff_request r = request(p, SPAN("x\n"));
	struct handoff_owner other = r.owner;

	assert_true(handoff_start(p->handoff, &r));
	other.worker++;
	handoff_commit(p->handoff, &other, true);
	other = r.owner;
	other.session++;
	handoff_commit(p->handoff, &other, false);
	other = r.owner;
	other.transaction++;
	handoff_commit(p->handoff, &other, true);
	assert_int_equal(p->fakes[0]->complete, 0);
	assert_int_equal(handoff_running(p->handoff), 1);
	handoff_commit(p->handoff, &r.owner, true);
	handoff_commit(p->handoff, &r.owner, true); /* twice */
	handoff_commit(p->handoff, &r.owner, false);
	while (handoff_running(p->handoff) > 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_TAKEN);
}

/* ---- servers ------------------------------------------------------------------------------------ */

static void
row_277_connection_refused(void **state)
{
	struct place *p = *state;

	fake_refuse(p->fakes[0]);
	assert_int_equal(run_small(p), HANDOFF_NO_CONNECTION);
	assert_true(p->backends.groups[0].servers[0].sick);
}

static void
row_277_connect_timeout(void **state)
{
	struct place *p = *state;
	int fill[8];
	int fd = full_listener(server_in(&p->backends.groups[0].servers[0]), fill);

	p->backends.groups[0].connect_ms = 50;
	assert_int_equal(run_small(p), HANDOFF_NO_CONNECTION);
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	close(fd);
}

static void
row_290_next_server_before_the_last_octet(void **state)
{
	struct place *p = *state;

	group_set(p, 3);
	fake_refuse(p->fakes[0]);
	assert_int_equal(run_small(p), HANDOFF_TAKEN);
	assert_int_equal(p->fakes[1]->complete, 1);
	/* The sick one is tried last now. */
	assert_int_equal(run_small(p), HANDOFF_TAKEN);
	assert_int_equal(run_small(p), HANDOFF_TAKEN);
	assert_int_equal(p->fakes[1]->complete + p->fakes[2]->complete, 3);
	fake_refuse(p->fakes[1]);
	fake_refuse(p->fakes[2]);
	assert_int_equal(run_small(p), HANDOFF_NO_CONNECTION);
}

static void
row_290_no_other_server_after_the_last_octet(void **state)
{
	struct place *p = *state;

	group_set(p, 2);
	p->fakes[0]->script.close_at = PACKAGE_LEN;
	assert_int_equal(run_small(p), HANDOFF_BROKEN);
	assert_int_equal(p->fakes[1]->accepted, 0);
}

static void
row_287_complete_answer_then_reset(void **state)
{
	struct place *p = *state;

	p->fakes[0]->script.reset = true;
	for (int i = 0; i < 50; i++)
		assert_int_equal(run_small(p), HANDOFF_TAKEN);
}

/* ---- D ------------------------------------------------------------------------------------------ */

static void
row_282_refusal_of_an_untried_server(void **state)
{
	struct place *p = *state;

	p->fakes[0]->script.reply = SPAN("5:Dspam,");
	assert_int_equal(run_small(p), HANDOFF_DOUBTED);
	p->fakes[0]->script.reply = SPAN("3:Kok,");
	assert_int_equal(run_small(p), HANDOFF_TAKEN);
	p->fakes[0]->script.reply = SPAN("5:Dspam,");
	assert_int_equal(run_small(p), HANDOFF_REFUSED);
	/* An hour later it is unknown again. */
	p->backends.groups[0].servers[0].taken_ms = clock_ms() - BACKENDS_TRUST_MS - 1000;
	assert_int_equal(run_small(p), HANDOFF_DOUBTED);
}

static void
row_282_complaints_are_never_believed(void **state)
{
	struct place *p = *state;

	assert_int_equal(run_small(p), HANDOFF_TAKEN);
	p->fakes[0]->script.reply =
	    SPAN("66:DError: localhost[127.0.0.1] is not authorized to use this service,");
	assert_int_equal(run_small(p), HANDOFF_DOUBTED);
}

/* ---- many --------------------------------------------------------------------------------------- */

static void
thousand_at_the_same_time(void **state)
{
	struct place *p = *state;
	struct handoff_owner owners[HANDOFF_JOBS];
	struct handoff_request r;
	size_t asked = 0;

	p->backends.groups[0].connect_ms = p->backends.groups[0].write_ms = 30000;
	p->backends.groups[0].reply_ms = 30000;
	for (size_t i = 0; i < HANDOFF_JOBS; i++) {
		r = request(p, SPAN("Subject: x\n\nhello\n"));
		r.budget_ms = 30000;
		owners[i] = r.owner;
		assert_true(handoff_start(p->handoff, &r));
		loop_turn(p->loop, false);
	}
	r = request(p, SPAN("one too many\n"));
	assert_false(handoff_start(p->handoff, &r));
	while (asked < HANDOFF_JOBS) {
		asked = 0;
		loop_turn(p->loop, false);
		for (size_t i = 0; i < HANDOFF_JOBS; i++)
			asked += p->asked[owners[i].transaction];
	}
	for (size_t i = 0; i < HANDOFF_JOBS; i++)
		handoff_commit(p->handoff, &owners[i], true);
	while (handoff_running(p->handoff) > 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->fakes[0]->complete, HANDOFF_JOBS);
	for (size_t i = 0; i < HANDOFF_JOBS; i++)
		assert_int_equal(p->outcome[owners[i].transaction], HANDOFF_TAKEN);
}

static void
slow_back_end_delays_nobody(void **state)
{
	struct place *p = *state;
	struct handoff_request slow;

	group_set(p, 2);
	p->backends.groups[0].write_ms = 30000;
	p->fakes[0]->script.stop_at = 100;
	slow = request_file(p, 16 * 1024 * 1024, 0);
	slow.budget_ms = 30000;
	assert_true(handoff_start(p->handoff, &slow));
	for (int i = 0; i < 10; i++) {
		struct handoff_request r = request(p, SPAN("quick\n"));

		p->backends.groups[0].turn = 1;
		assert_true(handoff_start(p->handoff, &r));
		while (p->outcome[r.owner.transaction] == NOTHING) {
			answer_question(p, &r.owner);
			loop_turn(p->loop, false);
		}
		assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_TAKEN);
	}
	assert_int_equal(handoff_running(p->handoff), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PLACED(taken),
	    PLACED(end_is_held_back),
	    PLACED(answers),
	    PLACED(row_278_close_at_every_octet),
	    PLACED(row_278_close_after_the_comma),
	    PLACED(answer_cut_at_every_octet),
	    PLACED(row_279_answer_before_the_last_octet),
	    PLACED(row_279_part_of_an_answer),
	    PLACED(row_286_never_reads_small),
	    PLACED(row_286_never_reads_large),
	    PLACED(large_message_from_a_file),
	    PLACED(row_284_answer_octet_by_octet_too_slow),
	    PLACED(row_285_answer_after_we_gave_up),
	    PLACED(budget_bounds_every_wait),
	    PLACED(smtpd_does_not_answer),
	    PLACED(client_gone_at_the_question),
	    PLACED(worker_lost_before_the_last_octet),
	    PLACED(worker_lost_after_the_last_octet),
	    PLACED(strange_commit_answers),
	    PLACED(row_277_connection_refused),
	    PLACED(row_277_connect_timeout),
	    PLACED(row_290_next_server_before_the_last_octet),
	    PLACED(row_290_no_other_server_after_the_last_octet),
	    PLACED(row_287_complete_answer_then_reset),
	    PLACED(row_282_refusal_of_an_untried_server),
	    PLACED(row_282_complaints_are_never_believed),
	    PLACED(thousand_at_the_same_time),
	    PLACED(slow_back_end_delays_nobody),
	};

	process_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

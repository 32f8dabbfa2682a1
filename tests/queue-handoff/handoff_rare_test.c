/* Steps of a job that are seldom taken: no room, no descriptors, no memory, slow connections. */
#include "tests/queue-handoff/handoff_place.h"

/* Row F1 while smtpd thinks: the job need not wait for its answer. */
static void
row_278_close_during_the_question(void **state)
{
	struct place *p = *state;

	p->commit = COMMIT_NEVER;
	for (long k = 0; k < PACKAGE_LEN - QMQP_HELD_BACK; k += 3) {
		p->fakes[0]->script.close_at = k;
		assert_int_equal(run_small(p), HANDOFF_BROKEN);
	}
	/* All of it read, and closed in good order. */
	p->fakes[0]->script.close_at = PACKAGE_LEN - QMQP_HELD_BACK;
	assert_int_equal(run_small(p), HANDOFF_BROKEN);
	p->fakes[0]->script = FAKE_GOOD;
	p->fakes[0]->script.early_at = 5;
	p->fakes[0]->script.early = SPAN("3:Kok,");
	assert_int_equal(run_small(p), HANDOFF_PROTOCOL);
}

/* Makes room in the queue of the listener. */
static void
drain_listener(int fd, int *fill)
{
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	for (int one = 0; one >= 0; close(one))
		one = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
}

/* The second SYN, after a second, finds room. */
static void
connection_after_a_while(void **state)
{
	struct place *p = *state;
	struct handoff_request r = request(p, SPAN("x\n"));
	int fill[8], fd, accepted;

	p->backends.groups[0].connect_ms = r.budget_ms = 10000;
	fd = full_listener(server_in(&p->backends.groups[0].servers[0]), fill);
	assert_true(handoff_start(p->handoff, &r));
	turns(p, 3);
	assert_int_equal(job_find(p->handoff, &r.owner)->state, JOB_CONNECTING);
	drain_listener(fd, fill);
	while (!p->asked[r.owner.transaction])
		loop_turn(p->loop, true);
	accepted = accept(fd, NULL, NULL);
	answer_question(p, &r.owner);
	assert_int_equal(send(accepted, "3:Kok,", 6, 0), 6);
	while (p->told == 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_TAKEN);
	close(accepted);
	close(fd);
}

/* It finds that nobody listens any more. */
static void
refusal_after_a_while(void **state)
{
	struct place *p = *state;
	struct handoff_request r = request(p, SPAN("x\n"));
	int fill[8], fd;

	p->backends.groups[0].connect_ms = r.budget_ms = 10000;
	fd = full_listener(server_in(&p->backends.groups[0].servers[0]), fill);
	assert_true(handoff_start(p->handoff, &r));
	turns(p, 3);
	drain_listener(fd, fill);
	close(fd);
	while (p->told == 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_NO_CONNECTION);
}

/*
 * No room in the kernel for the end of a package: the rest of it is filled up behind the job's
 * back. Out: *held_out, what the kernel has. Returns: the job, COMMITTING.
 */
static struct job *
job_without_room(struct place *p, struct handoff_request *r, size_t *held_out)
{
	uint8_t filling[10000];
	struct job *j;
	ssize_t n;

	p->backends.groups[0].write_ms = 10000;
	p->fakes[0]->script.stop_at = 3;
	*r = request_file(p, 200000, 0);
	r->budget_ms = 10000;
	assert_true(handoff_start(p->handoff, r));
	while (!p->asked[r->owner.transaction])
		loop_turn(p->loop, true);
	j = job_find(p->handoff, &r->owner);
	memset(filling, 'f', sizeof(filling));
	*held_out = j->sent;
	while ((n = send(j->fd, filling, sizeof(filling), MSG_DONTWAIT)) > 0)
		*held_out += (size_t)n;
	handoff_commit(p->handoff, &r->owner, true);
	assert_int_equal(j->state, JOB_COMMITTING);
	return j;
}

/* The back end reads all that there is. Returns: how much that was. */
static size_t
fake_go_on(struct place *p)
{
	struct fake_connection *c = &p->fakes[0]->connections[0];
	uint8_t *octets = malloc(1 << 20);
	size_t have = c->have;
	ssize_t n;

	while ((n = recv(c->fd, octets, 1 << 20, MSG_DONTWAIT)) > 0) {
		have += (size_t)n;
		turns(p, 1);
	}
	free(octets);
	return have;
}

static void
last_octet_waits_for_room(void **state)
{
	struct place *p = *state;
	struct handoff_request r;
	size_t held;

	job_without_room(p, &r, &held);
	turns(p, 5);
	assert_int_equal(p->told, 0);
	assert_int_equal(fake_go_on(p), held + QMQP_HELD_BACK);
	assert_int_equal(job_find(p->handoff, &r.owner)->state, JOB_ANSWERING);
	assert_int_equal(send(p->fakes[0]->connections[0].fd, "3:Kok,", 6, MSG_NOSIGNAL), 6);
	while (p->told == 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_TAKEN);
}

static void
row_279_while_the_last_octet_waits(void **state)
{
	struct place *p = *state;
	struct handoff_request r;
	size_t held;

	job_without_room(p, &r, &held);
	turns(p, 5);
	assert_int_equal(send(p->fakes[0]->connections[0].fd, "3:Kok,", 6, MSG_NOSIGNAL), 6);
	while (p->told == 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_PROTOCOL);
	assert_true(fake_go_on(p) <= held);
}

static void
worker_lost_while_the_last_octet_waits(void **state)
{
	struct place *p = *state;
	struct handoff_request r;
	size_t held;

	job_without_room(p, &r, &held);
	handoff_worker_lost(p->handoff, r.owner.worker);
	assert_int_equal(handoff_running(p->handoff), 0);
	assert_true(fake_go_on(p) <= held);
}

/* The kernel refuses to send; whatever the reason, nothing is queued. */
static void
sending_fails(void **state)
{
	struct place *p = *state;
	struct handoff_request r = request(p, SPAN("x\n"));

	assert_true(handoff_start(p->handoff, &r));
	shutdown(job_find(p->handoff, &r.owner)->fd, SHUT_WR);
	handoff_commit(p->handoff, &r.owner, true);
	assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_BROKEN);
	p->fakes[0]->script.stop_at = 100;
	p->backends.groups[0].write_ms = 5000;
	r = request_file(p, 16 * 1024 * 1024, 0);
	assert_true(handoff_start(p->handoff, &r));
	shutdown(job_find(p->handoff, &r.owner)->fd, SHUT_WR);
	while (p->told < 2)
		loop_turn(p->loop, true);
	assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_BROKEN);
	turns(p, 10);
	assert_int_equal(p->fakes[0]->complete, 0);
}

/* Cannot be with a sealed file; if it is, the package is not filled with anything else. */
static void
file_shorter_than_it_was(void **state)
{
	struct place *p = *state;
	struct handoff_request r = request_file(p, 16 * 1024 * 1024, 0);

	assert_int_equal(ftruncate(r.content_fd, 1000), 0);
	assert_int_equal(run(p, r), HANDOFF_INTERNAL);
	assert_false(p->backends.groups[0].servers[0].sick);
	assert_int_equal(p->fakes[0]->complete, 0);
}

/* Row F9: connect() itself fails. */
static void
row_293_no_way_to_connect(void **state)
{
	struct place *p = *state;

	server_in(&p->backends.groups[0].servers[0])->sin_addr.s_addr = htonl(INADDR_BROADCAST);
	assert_int_equal(run_small(p), HANDOFF_NO_CONNECTION);
}

/* Row F33 */
static void
no_descriptors(void **state)
{
	struct place *p = *state;
	struct rlimit before, none;
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(run_small(p), HANDOFF_INTERNAL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(run_small(p), HANDOFF_TAKEN);
}

static void
smtpd_cannot_be_asked(void **state)
{
	struct place *p = *state;

	p->deaf = true;
	assert_int_equal(run_small(p), HANDOFF_INTERNAL);
	turns(p, 5);
	assert_int_equal(p->fakes[0]->complete, 0);
}

static void
memory_is_bounded(void **state)
{
	struct place *p = *state;
	size_t half = HANDOFF_MEMORY / 2 + 1;
	uint8_t *content = calloc(1, half);
	struct handoff_request r = request(p, span_of(content, half));

	p->fakes[0]->script.stop_at = 10;
	p->backends.groups[0].write_ms = 1;
	assert_true(handoff_start(p->handoff, &r));
	r.owner.transaction++;
	assert_false(handoff_start(p->handoff, &r));
	while (handoff_running(p->handoff) > 0)
		loop_turn(p->loop, true);
	/* What the first one held is free again. */
	r = request(p, span_of(content, half));
	assert_int_equal(run(p, r), HANDOFF_BROKEN);
	free(content);
}

static void
count_end(void *arg)
{
	(*(unsigned *)arg)++;
}

static void
every_end_is_said(void **state)
{
	struct place *p = *state;
	unsigned ends = 0;

	handoff_on_end(p->handoff, count_end, &ends);
	run_small(p);
	p->commit = COMMIT_NO;
	run_small(p);
	p->commit = COMMIT_WORKER_LOST;
	run_small(p);
	assert_int_equal(ends, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PLACED(row_278_close_during_the_question),
	    PLACED(connection_after_a_while),
	    PLACED(refusal_after_a_while),
	    PLACED(last_octet_waits_for_room),
	    PLACED(row_279_while_the_last_octet_waits),
	    PLACED(worker_lost_while_the_last_octet_waits),
	    PLACED(sending_fails),
	    PLACED(file_shorter_than_it_was),
	    PLACED(row_293_no_way_to_connect),
	    PLACED(no_descriptors),
	    PLACED(smtpd_cannot_be_asked),
	    PLACED(memory_is_bounded),
	    PLACED(every_end_is_said),
	};

	process_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

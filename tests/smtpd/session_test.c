/* What dialogues cannot say: clients that do not read, many sessions, memory, writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <poll.h>

#include "tests/smtpd/stage.h"

/* The client's socket buffers, small and full. */
static void
shrink_buffers(struct stage *g)
{
	static const int small = 2048;

	setsockopt(g->client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(g->session->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

/* Says without ever reading. */
static void
say_deaf(struct stage *g, const char *text, int times)
{
	for (int i = 0; i < times; i++) {
		send(g->client, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
		loop_turn(g->loop, false);
		stage_play_queue(g);
		loop_turn(g->loop, false);
	}
}

/* Rows 15, 16, 319: our output is bounded, and so is the time that we wait for it to leave. */
static void
row_015_row_016_row_319_client_does_not_read(void **state)
{
	struct stage *g = stage_new();

	(void)state;
	stage_set(g, "limits.junk", "100000");
	stage_set(g, "limits.command_timeout", "3600");
	stage_connect(g);
	shrink_buffers(g);
	say_deaf(g, "EHLO x\r\n", 1);
	say_deaf(g, "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n", 2000);
	assert_int_equal(worker_sessions_open(&g->worker), 1);
	assert_true(g->session->blocked);
	assert_true(g->session->output.cap <= OUTPUT_MAX);
	for (int s = 0; s < 59; s++) {
		g->now_ms += 1000;
		worker_wake(&g->worker);
		worker_sweep(&g->worker);
		loop_turn(g->loop, false);
	}
	assert_int_equal(worker_sessions_open(&g->worker), 1);
	g->now_ms += 2000;
	worker_wake(&g->worker);
	worker_sweep(&g->worker);
	loop_turn(g->loop, false);
	assert_int_equal(worker_sessions_open(&g->worker), 0);
	stage_free(g);
}

/* Backpressure, not loss: who reads late gets every reply. */
static void
client_reads_late(void **state)
{
	struct stage *g = stage_new();
	size_t lines = 0;

	(void)state;
	stage_set(g, "limits.junk", "100000");
	stage_connect(g);
	shrink_buffers(g);
	say_deaf(g, "NOOP\r\nNOOP\r\n", 400);
	assert_true(g->session->blocked);
	stage_run(g);
	for (size_t i = 0; i < g->heard_len; i++)
		lines += g->heard[i] == '\n';
	assert_true(lines > 100);
	g->heard_len = 0;
	stage_say(g, "\r\nQUIT\r\n", 8);
	assert_true(g->closed);
	stage_free(g);
}

/* Row 14: the global limit. */
static void
row_014_session_limit(void **state)
{
	struct stage *g = stage_new();
	int clients[10];

	(void)state;
	stage_set(g, "limits.sessions", "10");
	for (int i = 0; i < 10; i++) {
		stage_connect(g);
		stage_run(g);
		clients[i] = g->client;
		assert_memory_equal(g->heard, "220 ", 4);
	}
	stage_connect(g);
	stage_run(g);
	assert_null(g->session);
	assert_true(span_eq(
	    span_of(g->heard, g->heard_len), SPAN("421 4.3.2 Service busy, try again later\r\n")));
	assert_true(g->closed);
	close(g->client);
	g->client = -1;
	close(clients[3]);
	stage_run(g);
	assert_int_equal(worker_sessions_open(&g->worker), 9);
	stage_connect(g);
	stage_run(g);
	assert_memory_equal(g->heard, "220 ", 4);
	for (int i = 0; i < 10; i++)
		if (i != 3)
			close(clients[i]);
	stage_free(g);
}

/* A late message for a session that has ended must not reach the one that has its slot now. */
static void
handles_are_not_reused(void **state)
{
	struct stage *g = stage_new();
	uint64_t first;

	(void)state;
	stage_connect(g);
	stage_run(g);
	first = g->session->handle;
	stage_say(g, "QUIT\r\n", 6);
	close(g->client);
	stage_connect(g);
	stage_run(g);
	assert_int_equal(g->session->slot, first & 0xffffff);
	assert_true(g->session->handle != first);
	assert_null(worker_find(&g->worker, first));
	assert_non_null(worker_find(&g->worker, g->session->handle));
	stage_free(g);
}

/* Row 76 and the memory of an idle session: what it has between commands. */
static void
row_076_no_memory_is_kept_between_commands(void **state)
{
	struct stage *g = stage_new();
	size_t blocks;

	(void)state;
	stage_set(g, "limits.junk", "100000");
	stage_connect(g);
	stage_say(g, "EHLO x\r\n", 8);
	assert_int_equal(g->worker.blocks.taken, 0);
	for (int i = 0; i < 3000; i++) {
		stage_say(g, "NOOP\r\n", 6);
		g->heard_len = 0;
	}
	assert_int_equal(g->worker.blocks.taken, 0);
	blocks = g->worker.blocks.kept;
	assert_true(blocks <= 4);
	/* 5 KB user and kernel; the kernel takes two and a half of them. */
	assert_true(sizeof(struct session) <= 1024);
	stage_free(g);
}

/* Answers to a group of commands leave in one write. */
static void
replies_are_gathered(void **state)
{
	static const char group[] = "MAIL FROM:<a@b.example>\r\nRCPT TO:<u@ours.example>\r\n"
				    "RCPT TO:<unknown@ours.example>\r\nDATA\r\n";
	struct stage *g = stage_new();
	int pair[2];
	struct ip client;
	char got[1000];
	ssize_t n;

	(void)state;
	stage_connect(g);
	close(g->client);
	stage_run(g);
	/* Each write of the server is one packet here. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_true(ip_parse(SPAN("192.0.2.1"), &client));
	arrival_take(&g->worker, pair[1], &client, 1, false);
	loop_turn(g->loop, false);
	assert_true(recv(pair[0], got, sizeof(got), MSG_DONTWAIT) > 0);
	send(pair[0], "EHLO x\r\n", 8, 0);
	loop_turn(g->loop, false);
	n = recv(pair[0], got, sizeof(got), MSG_DONTWAIT);
	assert_true(n > 20);
	assert_memory_equal(got + n - 14, "250 8BITMIME\r\n", 14);
	send(pair[0], group, sizeof(group) - 1, 0);
	loop_turn(g->loop, false);
	while (stage_play_queue(g))
		continue;
	loop_turn(g->loop, false);
	/* MAIL is answered while lookupd is asked; then the rest. */
	n = recv(pair[0], got, sizeof(got), MSG_DONTWAIT);
	assert_memory_equal(got, "250 2.1.0", 9);
	n = recv(pair[0], got, sizeof(got), MSG_DONTWAIT);
	assert_memory_equal(got, "250 2.1.5", 9);
	assert_memory_equal(got + n - 36, "354 End data with <CR><LF>.<CR><LF>\r\n" + 1, 36);
	assert_int_equal(recv(pair[0], got, sizeof(got), MSG_DONTWAIT), -1);
	close(pair[0]);
	g->client = -1;
	stage_free(g);
}

/* Recipients are also limited by the room that they take; what was accepted fits into `submit`. */
static void
longest_recipients_fit(void **state)
{
	struct stage *g = stage_new();
	char line[400], local[255], body[16384];
	unsigned accepted = 0;

	(void)state;
	stage_set(g, "limits.recipients", "1000");
	stage_connect(g);
	stage_say(g, "EHLO x\r\n", 8);
	stage_say(g, "MAIL FROM:<a@b.example>\r\n", 25);
	memset(local, 'a', sizeof(local));
	for (int i = 0; i < 300; i++) {
		int n = snprintf(
		    line, sizeof(line), "RCPT TO:<%.*s%d@ours.example>\r\n", 250, local, i);

		g->heard_len = 0;
		stage_say(g, line, (size_t)n);
		assert_true(g->heard_len > 9);
		if (memcmp(g->heard, "250 2.1.5", 9) == 0)
			accepted++;
		else
			assert_memory_equal(g->heard, "452 4.5.3", 9);
	}
	assert_true(accepted > 200 && accepted < 300);
	stage_say(g, "DATA\r\nSubject: x\r\n", 6);
	memset(body, 'b', sizeof(body));
	memcpy(body, "Subject:", 8);
	g->heard_len = 0;
	stage_say(g, body, MESSAGE_INLINE - 1);
	stage_say(g, "\r\n.\r\n", 5);
	assert_memory_equal(g->heard, "250 2.0.0", 9);
	assert_int_equal(g->last.recipients, accepted);
	assert_int_equal(g->last.len, MESSAGE_INLINE);
	assert_false(g->last.with_file);
	assert_false(g->cheated);
	stage_free(g);
}

/* Promise P2: an outcome without our word to go is not believed. */
static void
taken_before_the_commit_is_not_believed(void **state)
{
	struct stage *g = stage_new();
	union msg m = {0};

	(void)state;
	g->validators = STAGE_HOLDS;
	stage_connect(g);
	stage_say(g, "EHLO x\r\n", 8);
	stage_say(g, "MAIL FROM:<a@b.example>\r\nRCPT TO:<u@ours.example>\r\n", 51);
	stage_say(g, "DATA\r\n", 6);
	g->heard_len = 0;
	stage_say(g, "Subject: x\r\n\r\n.\r\n", 17);
	m.outcome = (struct msg_outcome){
	    g->session->handle, g->session->transaction->number, HANDOFF_TAKEN};
	stage_dispatch(g, MSG_outcome, &m);
	stage_run(g);
	assert_memory_equal(g->heard, "451 4.3.0", 9);
	stage_free(g);
}

/* Messages of the wrong session or transaction, or at the wrong time, change nothing. */
/* Row 269: more recipients than may be asked about at once, all asked about again, in order. */
static void
row_269_a_full_envelope(void **state)
{
	enum { RECIPIENTS = 1000 };
	struct stage *g = stage_new();
	char line[64];

	(void)state;
	stage_set(g, "limits.recipients", "1000");
	stage_announce(g, 1);
	stage_connect(g);
	stage_say(g, "EHLO x\r\n", 8);
	stage_say(g, "MAIL FROM:<a@b.example>\r\n", 25);
	for (int i = 0; i < RECIPIENTS; i++) {
		snprintf(line, sizeof(line), "RCPT TO:<u%d@ours.example>\r\n", i);
		stage_say(g, line, strlen(line));
	}
	stage_say(g, "DATA\r\n", 6);
	stage_announce(g, 2);
	g->lookupd = STAGE_HOLDS;
	stage_say(g, "Subject: x\r\n\r\n.\r\n", 17);
	assert_int_equal(g->asks, RECIPIENTS + TRANSACTION_PENDING_MAX);
	assert_int_equal(g->session->state, STATE_RECHECK);
	g->lookupd = STAGE_ANSWERS;
	stage_run(g);
	assert_int_equal(g->asks, 2 * RECIPIENTS);
	assert_int_equal(g->submits, 1);
	assert_int_equal(g->last.recipients, RECIPIENTS);
	assert_int_equal(g->last.generation, 2);
	assert_false(g->cheated);
	assert_int_equal(g->session->state, STATE_READY);
	stage_free(g);
}

static void
stray_messages_are_ignored(void **state)
{
	struct stage *g = stage_new();
	union msg m = {0};

	(void)state;
	stage_connect(g);
	stage_say(g, "EHLO x\r\nMAIL", 8);
	stage_say(g, "MAIL FROM:<a@b.example>\r\n", 25);
	g->heard_len = 0;
	for (unsigned transaction = 0; transaction < 3; transaction++) {
		for (int wrong_session = 0; wrong_session < 2; wrong_session++) {
			uint64_t session = g->session->handle + (wrong_session == 1 ? 1 << 24 : 0);

			m.outcome = (struct msg_outcome){session, transaction, HANDOFF_TAKEN};
			stage_dispatch(g, MSG_outcome, &m);
			m.refused =
			    (struct msg_refused){.session = session, .transaction = transaction};
			stage_dispatch(g, MSG_refused, &m);
			m.commit_ask = (struct msg_commit_ask){session, transaction};
			stage_dispatch(g, MSG_commit_ask, &m);
			memset(&m, 0, sizeof(m));
			m.rcpt_answer.session = session;
			m.rcpt_answer.transaction = transaction;
			stage_dispatch(g, MSG_rcpt_answer, &m);
			m.tls_failed = (struct msg_tls_failed){session, 0};
			stage_dispatch(g, MSG_tls_failed, &m);
		}
	}
	stage_run(g);
	assert_int_equal(g->heard_len, 0);
	assert_int_equal(g->go, 0);
	assert_int_equal(g->session->state, STATE_MAIL);
	stage_free(g);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_015_row_016_row_319_client_does_not_read),
	    cmocka_unit_test(client_reads_late),
	    cmocka_unit_test(row_014_session_limit),
	    cmocka_unit_test(handles_are_not_reused),
	    cmocka_unit_test(row_076_no_memory_is_kept_between_commands),
	    cmocka_unit_test(replies_are_gathered),
	    cmocka_unit_test(longest_recipients_fit),
	    cmocka_unit_test(taken_before_the_commit_is_not_believed),
	    cmocka_unit_test(row_269_a_full_envelope),
	    cmocka_unit_test(stray_messages_are_ignored),
	};

	log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

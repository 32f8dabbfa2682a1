/* Jobs over QMTP, SMTP and LMTP: good ends, every octet, answers for each recipient, connections. */
#include "tests/queue-handoff/handoff_place.h"

#include "tests/queue-handoff/fake_mail.h"

static const enum mail_kind kinds[] = {MAIL_QMTP, MAIL_SMTP, MAIL_LMTP};
static const unsigned protocols[] = {CONF_PROTOCOL_QMTP, CONF_PROTOCOL_SMTP, CONF_PROTOCOL_LMTP};

static void
choose(struct place *p, struct mail *m, enum mail_kind kind)
{
	struct group *g = &p->backends.groups[0];

	m->script = MAIL_GOOD(kind);
	p->protocol = protocols[kind];
	group_set(p, 1);
	*server_in(&g->servers[0]) = m->address;
}

static struct mail *
begin(struct place *p, enum mail_kind kind)
{
	struct mail *m = mail_new(p->loop, kind);

	choose(p, m, kind);
	return m;
}

/* A list of so many recipients. */
static void
address(struct place *p, unsigned count)
{
	struct buf b = BUF_OVER(p->list);
	static const char *const names[] = {"a@r.example", "b@r.example", "c@r.example"};

	for (unsigned i = 0; i < count; i++) {
		struct msg_granted g = {.recipient = span_str(names[i])};

		assert_true(msg_list_put(&b, RECORD_granted, &g));
	}
	p->recipients = (struct msg_list){buf_span(&b), (uint16_t)count};
}

static const char *const streams[] = {
    [MAIL_QMTP] = "34:\nReceived: by test\n.dot\n\n.\nx..\nnol,11:s@t.example,15:11:a@r.example,,",
    [MAIL_SMTP] = "EHLO mx.our.example\r\nMAIL FROM:<s@t.example> SIZE=33\r\n"
		  "RCPT TO:<a@r.example>\r\nDATA\r\n"
		  "Received: by test\r\n..dot\r\n\r\n..\r\nx..\r\nnol\r\n.\r\n",
    [MAIL_LMTP] = "LHLO mx.our.example\r\nMAIL FROM:<s@t.example> SIZE=33\r\n"
		  "RCPT TO:<a@r.example>\r\nDATA\r\n"
		  "Received: by test\r\n..dot\r\n\r\n..\r\nx..\r\nnol\r\n.\r\n",
};

static int
run_dots(struct place *p)
{
	return run(p, request(p, SPAN(".dot\n\n.\nx..\nnol")));
}

static void
taken(void **state)
{
	struct place *p = *state;

	address(p, 1);
	for (size_t k = 0; k < 3; k++) {
		struct mail *m = begin(p, kinds[k]);
		struct span want = span_str(streams[k]);

		for (size_t step = 0; step < 2; step++) {
			m->script.step = step;
			m->script.close_after = true;
			assert_int_equal(run_dots(p), HANDOFF_TAKEN);
			assert_int_equal(m->stream_len, want.len);
			assert_memory_equal(m->stream, want.p, want.len);
			turns(p, 3);
		}
		assert_int_equal(m->complete, 2);
		mail_free(m);
	}
}

/* F1: the server closes or resets after octet k, for every k of the conversation. */
static void
row_F1_close_at_every_octet(void **state)
{
	struct place *p = *state;

	address(p, 1);
	for (size_t k = 0; k < 3; k++) {
		struct mail *m = begin(p, kinds[k]);

		for (size_t at = 0; at < 2 * strlen(streams[k]); at++) {
			m->script.close_at = (long)at / 2;
			m->script.reset = at % 2 != 0;
			if (run_dots(p) != HANDOFF_BROKEN)
				fail_msg("protocol %zu: closed after %zu octets", k, at / 2);
		}
		assert_int_equal(m->complete, 0);
		mail_free(m);
	}
}

/* F5: what the server says ends after octet j. Only the whole answer makes it 250; before the
 * commit octet nothing is taken, after it the server may have it. */
static void
row_F5_cut_at_every_octet(void **state)
{
	struct place *p = *state;

	address(p, 1);
	for (size_t k = 0; k < 3; k++) {
		struct mail *m = begin(p, kinds[k]);
		size_t length;

		m->script.close_after = true;
		assert_int_equal(run_dots(p), HANDOFF_TAKEN);
		length = m->connections[0]->say_len;
		for (size_t j = 0; j < length; j++) {
			m->script.cut_at = (long)j;
			if (run_dots(p) != HANDOFF_BROKEN)
				fail_msg("protocol %zu: cut after %zu octets", k, j);
		}
		m->script.cut_at = (long)length;
		assert_int_equal(run_dots(p), HANDOFF_TAKEN);
		mail_free(m);
	}
}

static void
client_gone_at_the_question(void **state)
{
	struct place *p = *state;

	p->commit = COMMIT_NO;
	for (size_t k = 0; k < 3; k++) {
		struct mail *m = begin(p, kinds[k]);

		assert_int_equal(run_dots(p), HANDOFF_GIVEN_UP);
		turns(p, 5);
		assert_int_equal(m->complete, 0);
		mail_free(m);
	}
}

/* The dot itself waits for smtpd's word. */
static void
end_is_held_back(void **state)
{
	struct place *p = *state;

	address(p, 1);
	for (size_t k = 0; k < 3; k++) {
		struct mail *m = begin(p, kinds[k]);
		struct handoff_request r = request(p, SPAN(".dot\n\n.\nx..\nnol"));

		assert_true(handoff_start(p->handoff, &r));
		while (!p->asked[r.owner.transaction])
			loop_turn(p->loop, true);
		turns(p, 20);
		assert_int_equal(m->stream_len, strlen(streams[k]) - (k == MAIL_QMTP ? 2 : 3));
		handoff_commit(p->handoff, &r.owner, true);
		while (handoff_running(p->handoff) > 0)
			loop_turn(p->loop, true);
		assert_int_equal(p->outcome[r.owner.transaction], HANDOFF_TAKEN);
		mail_free(m);
	}
}

static void
large_message(void **state)
{
	struct place *p = *state;
	const size_t size = 500000;

	for (size_t k = 0; k < 3; k++) {
		struct mail *m = begin(p, kinds[k]);
		struct handoff_request r = request_file(p, size, 0);
		uint8_t *want = malloc(size);
		size_t at = 0;

		p->backends.groups[0].write_ms = p->backends.groups[0].reply_ms = 20000;
		r.budget_ms = 20000;
		assert_int_equal(pread(r.content_fd, want, size, 0), (ssize_t)size);
		assert_int_equal(run(p, r), HANDOFF_TAKEN);
		for (size_t i = strlen("Received: by test") + (k == MAIL_QMTP ? 2 : 2);
		     i < m->message_len && at < size; i++)
			if (m->message[i] != '\r')
				assert_int_equal(m->message[i], want[at++]);
		assert_int_equal(at, size);
		free(want);
		mail_free(m);
	}
}

/* ---- each recipient -------------------------------------------------------------------------------- */

static int
run_answers(struct place *p, struct mail *m, enum mail_kind kind, const char *a, const char *b)
{
	choose(p, m, kind);
	m->script.close_after = true;
	m->script.answer[0] = a;
	m->script.answer[1] = b;
	p->backends.groups[0].servers[0].has_taken = true;
	p->backends.groups[0].servers[0].taken_ms = clock_ms();
	return run_dots(p);
}

static void
row_289_answers_for_each_recipient(void **state)
{
	static const struct {
		const char *qmtp[2], *lmtp[2];
		int outcome;
	} rows[] = {
	    {{"K1", "K2"}, {"250 ok\r\n", "250 ok\r\n"}, HANDOFF_TAKEN},
	    {{"K1", "D2"}, {"250 ok\r\n", "550 5.6.0 no\r\n"}, HANDOFF_MIXED},
	    {{"D1", "K2"}, {"550 5.2.1 no\r\n", "250 ok\r\n"}, HANDOFF_MIXED},
	    {{"K1", "Z2"}, {"250 ok\r\n", "450 later\r\n"}, HANDOFF_MIXED},
	    {{"Z1", "D2"}, {"452-4.2.2 later\r\n452 4.2.2 full\r\n", "550 no\r\n"}, HANDOFF_MIXED},
	    {{"Z1", "Z2"}, {"450 later\r\n", "450 later\r\n"}, HANDOFF_DEFERRED},
	    {{"D1", "D2"}, {"550 no\r\n", "550 no\r\n"}, HANDOFF_REFUSED},
	    {{"Dmessage too large", "Dmessage too large"},
		{"554 5.7.1 no\r\n", "552 5.3.4 big\r\n"}, HANDOFF_DOUBTED},
	};
	struct place *p = *state;
	struct mail *m = begin(p, MAIL_QMTP);

	address(p, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (run_answers(p, m, MAIL_QMTP, rows[i].qmtp[0], rows[i].qmtp[1]) !=
		    rows[i].outcome)
			fail_msg("QMTP row %zu", i);
		if (run_answers(p, m, MAIL_LMTP, rows[i].lmtp[0], rows[i].lmtp[1]) !=
		    rows[i].outcome)
			fail_msg("LMTP row %zu", i);
	}
	mail_free(m);
}

/* What is refused before the content ends the transaction before it. */
static void
refusals_before_the_content(void **state)
{
	static const struct {
		const char *mail, *rcpt[2], *data;
		int outcome;
	} rows[] = {
	    {NULL, {"250 ok\r\n", "550 5.1.1 unknown\r\n"}, NULL, HANDOFF_MIXED},
	    {NULL, {"550 5.1.1 unknown\r\n", "250 ok\r\n"}, NULL, HANDOFF_MIXED},
	    {NULL, {"550 5.1.1 unknown\r\n", "550 5.1.1 unknown\r\n"}, NULL, HANDOFF_REFUSED},
	    {NULL, {"450 4.2.2 full\r\n", "450 4.2.2 full\r\n"}, NULL, HANDOFF_DEFERRED},
	    {NULL, {"450 4.2.2 full\r\n", "250 ok\r\n"}, NULL, HANDOFF_MIXED},
	    {NULL, {"554 5.7.1 Relay access denied\r\n", "554 5.7.1 no\r\n"}, NULL,
		HANDOFF_DOUBTED},
	    {"550 5.6.0 no\r\n", {NULL, NULL}, NULL, HANDOFF_REFUSED},
	    {"451 4.3.0 no\r\n", {NULL, NULL}, NULL, HANDOFF_DEFERRED},
	    {"503 5.5.1 no\r\n", {NULL, NULL}, NULL, HANDOFF_DOUBTED},
	    {NULL, {NULL, NULL}, "451 4.3.0 no\r\n", HANDOFF_DEFERRED},
	    {NULL, {NULL, NULL}, "554 5.6.0 no\r\n", HANDOFF_REFUSED},
	    {NULL, {NULL, NULL}, "250 what\r\n", HANDOFF_PROTOCOL},
	    {NULL, {NULL, NULL}, "421 4.3.2 bye\r\n", HANDOFF_BROKEN},
	    {NULL, {"421 4.3.2 bye\r\n", NULL}, NULL, HANDOFF_BROKEN},
	    {"hello\r\n", {NULL, NULL}, NULL, HANDOFF_PROTOCOL},
	    {"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n", {NULL, NULL}, NULL, HANDOFF_PROTOCOL},
	};
	struct place *p = *state;
	struct mail *m = begin(p, MAIL_SMTP);

	address(p, 2);
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const size_t row = i / 2;

		choose(p, m, i % 2 == 0 ? MAIL_SMTP : MAIL_LMTP);
		p->backends.groups[0].servers[0].has_taken = true;
		p->backends.groups[0].servers[0].taken_ms = clock_ms();
		if (rows[row].mail != NULL)
			m->script.mail = rows[row].mail;
		if (rows[row].rcpt[0] != NULL)
			memcpy(m->script.rcpt, rows[row].rcpt, sizeof(rows[row].rcpt));
		if (rows[row].data != NULL)
			m->script.data = rows[row].data;
		if (run_dots(p) != rows[row].outcome)
			fail_msg("row %zu: %d", row, p->outcome[p->transaction]);
	}
	assert_int_equal(m->complete, 0);
	mail_free(m);
}

static void
servers_that_offer_little(void **state)
{
	static const struct {
		const char *hello;
		bool eight_bit, smtputf8;
		int outcome;
	} rows[] = {
	    {"250 tiny\r\n", false, false, HANDOFF_TAKEN},
	    {"250 tiny\r\n", true, false, HANDOFF_DOUBTED},
	    {"250 tiny\r\n", false, true, HANDOFF_DOUBTED},
	    {"250-tiny\r\n250-8bitmime\r\n250 smtputf8\r\n", true, true, HANDOFF_TAKEN},
	    {"250-tiny\r\n250 SIZE 10\r\n", false, false, HANDOFF_DOUBTED},
	    {"250-tiny\r\n250 SIZE 0\r\n", false, false, HANDOFF_TAKEN},
	    {"250-tiny\r\n250 SIZE\r\n", false, false, HANDOFF_TAKEN},
	    {"500 what\r\n", false, false, HANDOFF_TAKEN}, /* HELO */
	    {"450 no\r\n", false, false, HANDOFF_BROKEN},
	};
	struct place *p = *state;
	struct mail *m = begin(p, MAIL_SMTP);

	address(p, 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct handoff_request r = request(p, SPAN("x\n"));

		choose(p, m, MAIL_SMTP);
		m->script.hello = rows[i].hello;
		m->script.close_after = true;
		r.parts.eight_bit = rows[i].eight_bit;
		r.parts.smtputf8 = rows[i].smtputf8;
		if (run(p, r) != rows[i].outcome)
			fail_msg("row %zu: %d", i, p->outcome[p->transaction]);
	}
	mail_free(m);
}

/* ---- connections ---------------------------------------------------------------------------------- */

static void
connection_serves_again(void **state)
{
	struct place *p = *state;

	for (size_t k = 0; k < 3; k++) {
		struct mail *m = begin(p, kinds[k]);

		p->backends.groups[0].keep_ms = 5000;
		for (int i = 0; i < 5; i++)
			assert_int_equal(run_dots(p), HANDOFF_TAKEN);
		assert_int_equal(m->accepted, 1);
		assert_int_equal(m->complete, 5);
		/* The server closes it: seen at once, or with the next message. */
		mail_hang_up(m);
		assert_int_equal(run_dots(p), HANDOFF_TAKEN);
		assert_int_equal(m->accepted, 2);
		assert_false(p->backends.groups[0].servers[0].sick);
		/* It is not kept for longer than it may be. */
		p->backends.groups[0].keep_ms = 1;
		assert_int_equal(run_dots(p), HANDOFF_TAKEN);
		while (m->open > 0)
			loop_turn(p->loop, true);
		mail_free(m);
	}
}

/* As run_dots, but smtpd takes its time: what happens to the connection meanwhile is seen. */
static int
run_dots_slowly(struct place *p)
{
	struct handoff_request r = request(p, SPAN(".dot\n\n.\nx..\nnol"));

	assert_true(handoff_start(p->handoff, &r));
	while (handoff_running(p->handoff) > 0) {
		turns(p, 20);
		answer_question(p, &r.owner);
		if (handoff_running(p->handoff) > 0)
			loop_turn(p->loop, true);
	}
	return p->outcome[r.owner.transaction];
}

/* A kept connection that breaks at any octet before the commit octet costs no message: the next
 * connection carries it. */
static void
stale_connection_at_every_octet(void **state)
{
	struct place *p = *state;

	address(p, 1);
	for (size_t k = 0; k < 3; k++) {
		/* The second conversation is without the greeting. */
		size_t hello = k == MAIL_QMTP ? 0 : strlen("EHLO mx.our.example\r\n");
		size_t first = strlen(streams[k]);
		size_t held = k == MAIL_QMTP ? 2 : 3;

		for (size_t at = 1; at < first - hello - held; at++) {
			struct mail *m = begin(p, kinds[k]);

			p->backends.groups[0].keep_ms = 5000;
			assert_int_equal(run_dots(p), HANDOFF_TAKEN);
			m->script.close_at = (long)(first + at);
			if (run_dots_slowly(p) != HANDOFF_TAKEN)
				fail_msg("protocol %zu: closed after %zu octets", k, at);
			assert_int_equal(m->accepted, 2);
			assert_int_equal(m->complete, 2);
			mail_free(m);
		}
	}
}

static void
connections_are_limited(void **state)
{
	struct place *p = *state;
	struct mail *m = begin(p, MAIL_QMTP);
	struct handoff_request r[6];

	p->backends.groups[0].connections = 2;
	p->backends.groups[0].reply_ms = p->backends.groups[0].write_ms = 20000;
	for (int i = 0; i < 6; i++) {
		r[i] = request(p, SPAN("x\n"));
		r[i].budget_ms = i == 5 ? 20 : 20000;
		assert_true(handoff_start(p->handoff, &r[i]));
	}
	/* The last one has no time to wait. */
	while (p->told == 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->outcome[r[5].owner.transaction], HANDOFF_BUSY);
	assert_int_equal(m->accepted, 2);
	while (handoff_running(p->handoff) > 0) {
		for (int i = 0; i < 5; i++)
			answer_question(p, &r[i].owner);
		loop_turn(p->loop, false);
	}
	for (int i = 0; i < 5; i++)
		assert_int_equal(p->outcome[r[i].owner.transaction], HANDOFF_TAKEN);
	assert_int_equal(m->complete, 5);
	assert_int_equal(p->backends.groups[0].servers[0].busy, 0);
	mail_free(m);
}

static void
worker_lost_while_waiting(void **state)
{
	struct place *p = *state;
	struct mail *m = begin(p, MAIL_SMTP);
	struct handoff_request r[3];

	p->backends.groups[0].connections = 1;
	for (int i = 0; i < 3; i++) {
		r[i] = request(p, SPAN("x\n"));
		assert_true(handoff_start(p->handoff, &r[i]));
	}
	handoff_worker_lost(p->handoff, 1);
	assert_int_equal(handoff_running(p->handoff), 0);
	turns(p, 3);
	assert_int_equal(run_dots(p), HANDOFF_TAKEN);
	mail_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PLACED(taken),
	    PLACED(row_F1_close_at_every_octet),
	    PLACED(row_F5_cut_at_every_octet),
	    PLACED(client_gone_at_the_question),
	    PLACED(end_is_held_back),
	    PLACED(large_message),
	    PLACED(row_289_answers_for_each_recipient),
	    PLACED(refusals_before_the_content),
	    PLACED(servers_that_offer_little),
	    PLACED(connection_serves_again),
	    PLACED(stale_connection_at_every_octet),
	    PLACED(connections_are_limited),
	    PLACED(worker_lost_while_waiting),
	};

	process_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

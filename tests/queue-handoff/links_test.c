/*
 * The whole program but its main: `deliver` comes in over a real link as validators send it, the
 * question and the outcome go over a real link to smtpd, the package to a scripted back end.
 */
#include "queue-handoff/links.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/link.h"
#include "lib/log.h"
#include "tests/queue-handoff/fake_backend.h"

enum { NOTHING = -1, INSTANCE = 1000, WORKER = 2 };

static const uint8_t key[GRANT_KEY_LEN] = {7, 7, 7};

struct place {
	struct loop *loop;
	struct fake *fake;
	struct conf *conf;
	struct backends backends;
	struct handoff *handoff;
	struct deliver *deliver;
	struct links *links;
	struct link *smtpd, *validators; /* the other ends */
	struct grant_key *grants;
	int outcome;
	unsigned told, asked;
	bool lose_smtpd; /* instead of an answer */
	/* what the message is made of */
	uint8_t list[4096];
	struct msg_deliver m;
};

static void
on_commit_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct place *p = ctx;
	struct msg_commit_answer answer = {m->commit_ask.session, m->commit_ask.transaction, 1};

	(void)fd;
	p->asked++;
	if (p->lose_smtpd)
		link_free(&p->smtpd);
	else
		assert_true(link_send(link, MSG_commit_answer, &answer, -1));
}

static void
on_outcome(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct place *p = ctx;

	(void)link;
	(void)fd;
	assert_int_equal(m->outcome.session, p->m.session);
	assert_int_equal(m->outcome.transaction, p->m.transaction);
	p->outcome = m->outcome.outcome;
	p->told++;
}

static const struct link_handler smtpd_handlers[] = {
    {MSG_commit_ask, on_commit_ask},
    {MSG_outcome, on_outcome},
};
static const struct link_role smtpd_role = {.self = PROGRAM_SMTPD,
    .peer = PROGRAM_QUEUE_HANDOFF,
    .handlers = smtpd_handlers,
    .handler_count = 2};
static const struct link_role validators_role = {
    .self = PROGRAM_VALIDATORS, .peer = PROGRAM_QUEUE_HANDOFF};

static void
connect_smtpd(struct place *p, uint32_t instance)
{
	int fds[2];

	link_free(&p->smtpd);
	assert_int_equal(link_pair(fds), 0);
	p->smtpd = link_new(p->loop, fds[0], &smtpd_role, p);
	assert_int_equal(links_add_smtpd(p->links, WORKER, instance, fds[1]), 0);
}

static void
connect_validators(struct place *p)
{
	int fds[2];

	link_free(&p->validators);
	assert_int_equal(link_pair(fds), 0);
	p->validators = link_new(p->loop, fds[0], &validators_role, p);
	assert_int_equal(links_add_validators(p->links, fds[1]), 0);
}

static void
message_default(struct place *p)
{
	static const struct span content = SPAN("Subject: x\n\nhello\n");

	p->m = (struct msg_deliver){
	    .worker = WORKER,
	    .instance = INSTANCE,
	    .session = 12345,
	    .transaction = p->m.transaction + 1,
	    .id = SPAN("abcdefghijkl"),
	    .received = 1795219200,
	    .budget_ms = 5000,
	    .helo = SPAN("client.example"),
	    .esmtp = 1,
	    .reverse_path = SPAN("s@t.example"),
	    .size = content.len,
	    .content = content,
	};
}

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	char server[40], error[200];

	p->loop = loop_new();
	p->fake = fake_new(p->loop);
	p->conf = conf_new();
	snprintf(server, sizeof(server), "127.0.0.1:%u", ntohs(p->fake->address.sin_port));
	assert_true(conf_set(p->conf, "backend.mailstore.servers", server, error, sizeof(error)));
	assert_true(conf_set(p->conf, "backend.unicode.servers", server, error, sizeof(error)));
	assert_true(conf_set(p->conf, "backend.unicode.smtputf8", "true", error, sizeof(error)));
	assert_null(backends_init(&p->backends, p->conf));
	p->links = links_new(p->loop);
	p->handoff =
	    handoff_new(p->loop, links_port(p->links), SPAN("mx.our.example"), HANDOFF_JOBS);
	assert_true(conf_set(p->conf, "hostname", "mx.our.example", error, sizeof(error)));
	assert_true(conf_set(p->conf, "limits.message_size", "10000000", error, sizeof(error)));
	p->deliver = deliver_new(p->handoff, &p->backends, p->conf, key);
	links_connect(p->links, p->handoff, p->deliver);
	p->grants = grant_key_new(key);
	connect_smtpd(p, INSTANCE);
	connect_validators(p);
	message_default(p);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	link_free(&p->smtpd);
	link_free(&p->validators);
	links_free(&p->links);
	handoff_free(&p->handoff);
	deliver_free(&p->deliver);
	grant_key_free(&p->grants);
	fake_free(p->fake);
	conf_free(&p->conf);
	loop_free(&p->loop);
	free(p);
	return 0;
}

/* ---- one message ---- */

static void
recipients_grant(struct place *p, uint16_t n)
{
	struct buf b = BUF_OVER(p->list);

	for (uint16_t i = 0; i < n; i++) {
		char address[40];
		struct msg_granted g = {.generation = 1, .expiry = clock_ms() / 1000 + 60};
		struct grant_terms terms;

		snprintf(address, sizeof(address), "u%u@r.example", i);
		g.recipient = span_str(address);
		terms = (struct grant_terms){p->m.instance, p->m.transaction, g.recipient,
		    p->m.route, p->m.class, g.exempt, g.size_limit, g.generation, g.expiry};
		grant_make(p->grants, &terms, g.grant);
		assert_true(msg_list_put(&b, RECORD_granted, &g));
	}
	p->m.recipients = (struct msg_list){buf_span(&b), n};
}

/* Sends it as it is. Returns: the outcome that smtpd is told, NOTHING when none comes. */
static int
send_message(struct place *p, int fd)
{
	p->outcome = NOTHING;
	p->told = 0;
	assert_true(link_send(p->validators, MSG_deliver, &p->m, fd));
	for (int i = 0; i < 50; i++)
		loop_turn(p->loop, false);
	while (p->told == 0 && handoff_running(p->handoff) > 0)
		loop_turn(p->loop, true);
	for (int i = 0; i < 5; i++)
		loop_turn(p->loop, false);
	return p->outcome;
}

static int
run(struct place *p)
{
	recipients_grant(p, 1);
	return send_message(p, -1);
}

static struct span
got(const struct place *p)
{
	return span_of(p->fake->octets, p->fake->have);
}

static bool
holds(struct span s, const char *part)
{
	return memmem(s.p, s.len, part, strlen(part)) != NULL;
}

static int
file(struct span content, int seals)
{
	int fd = memfd_create("content", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, content.p, content.len), (ssize_t)content.len);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

enum { SEALED = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

static int
run_file(struct place *p, struct span content, int seals)
{
	p->m.size = content.len;
	p->m.content = SPAN("");
	recipients_grant(p, 1);
	return send_message(p, file(content, seals));
}

static void
taken(void **state)
{
	struct place *p = *state;

	assert_int_equal(run(p), HANDOFF_TAKEN);
	assert_int_equal(p->asked, 1);
	assert_true(holds(got(p), "Received: from client.example ([IPv6:::])\n"
				  "\tby mx.our.example with ESMTP id abcdefghijkl\n"
				  "\tfor <u0@r.example>;\n"
				  "\tSat, 21 Nov 2026 00:00:00 +0000\n"
				  "Subject: x\n\nhello\n,11:s@t.example,12:u0@r.example,,"));
}

static void
many_recipients(void **state)
{
	struct place *p = *state;

	recipients_grant(p, 20);
	assert_int_equal(send_message(p, -1), HANDOFF_TAKEN);
	assert_false(holds(got(p), "for <"));
	assert_true(holds(got(p), "12:u0@r.example,12:u1@r.example,"));
	assert_true(holds(got(p), "13:u19@r.example,,"));
}

static void
from_a_file(void **state)
{
	struct place *p = *state;

	assert_int_equal(run_file(p, SPAN("Subject: y\n\nfile\n"), SEALED), HANDOFF_TAKEN);
	assert_true(holds(got(p), " +0000\nSubject: y\n\nfile\n,11:s@t"));
}

static void
empty_message(void **state)
{
	struct place *p = *state;

	p->m.size = 0;
	p->m.content = SPAN("");
	assert_int_equal(run(p), HANDOFF_TAKEN);
	assert_true(holds(got(p), " +0000\n,11:s@t"));
	message_default(p);
	assert_int_equal(run_file(p, SPAN(""), SEALED), HANDOFF_TAKEN);
	assert_true(holds(got(p), " +0000\n,11:s@t"));
}

/* ---- what is not handed off ---- */

static void
file_not_sealed(void **state)
{
	static const int seals[] = {0, F_SEAL_WRITE, F_SEAL_WRITE | F_SEAL_SHRINK,
	    F_SEAL_WRITE | F_SEAL_GROW, F_SEAL_SHRINK | F_SEAL_GROW};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
		message_default(p);
		assert_int_equal(
		    run_file(p, SPAN("Subject: y\n\nfile\n"), seals[i]), HANDOFF_INTERNAL);
	}
	assert_int_equal(p->fake->accepted, 0);
}

static void
not_a_file(void **state)
{
	struct place *p = *state;

	p->m.content = SPAN("");
	p->m.size = 0;
	recipients_grant(p, 1);
	assert_int_equal(send_message(p, open("/dev/zero", O_RDONLY)), HANDOFF_INTERNAL);
	message_default(p);
	p->m.content = SPAN("");
	recipients_grant(p, 1);
	assert_int_equal(send_message(p, socket(AF_INET, SOCK_STREAM, 0)), HANDOFF_INTERNAL);
	assert_int_equal(p->fake->accepted, 0);
}

static void
other_size(void **state)
{
	struct place *p = *state;

	p->m.size++;
	assert_int_equal(run(p), HANDOFF_INTERNAL);
	message_default(p);
	p->m.size--;
	assert_int_equal(run(p), HANDOFF_INTERNAL);
	message_default(p);
	recipients_grant(p, 1);
	assert_int_equal(send_message(p, file(p->m.content, SEALED)), HANDOFF_INTERNAL); /* both */
	message_default(p);
	p->m.size = 17;
	p->m.content = SPAN("");
	recipients_grant(p, 1);
	assert_int_equal(
	    send_message(p, file(SPAN("16 octets of it\n"), SEALED)), HANDOFF_INTERNAL);
	message_default(p);
	p->m.size = 10000001;
	p->m.content = SPAN("");
	assert_int_equal(run(p), HANDOFF_INTERNAL);
	assert_int_equal(p->fake->accepted, 0);
}

static void
special_senders(void **state)
{
	static const char *const senders[] = {
	    "#@[]", "a@b.example-@[]", "x\ny@t.example", "x\x7f@t.example"};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		message_default(p);
		p->m.reverse_path = span_str(senders[i]);
		assert_int_equal(run(p), HANDOFF_INTERNAL);
	}
	assert_int_equal(p->fake->accepted, 0);
}

static void
without_a_grant(void **state)
{
	struct place *p = *state;

	recipients_grant(p, 3);
	p->list[p->m.recipients.encoded.len - 1] ^= 1; /* the last grant */
	assert_int_equal(send_message(p, -1), HANDOFF_GRANT);
	/* That of another transaction. */
	message_default(p);
	recipients_grant(p, 1);
	p->m.transaction++;
	assert_int_equal(send_message(p, -1), HANDOFF_GRANT);
	assert_int_equal(p->fake->accepted, 0);
}

static void
transaction_twice(void **state)
{
	struct place *p = *state;

	assert_int_equal(run(p), HANDOFF_TAKEN);
	assert_int_equal(send_message(p, -1), HANDOFF_GRANT);
	assert_int_equal(p->fake->complete, 1);
}

/* A new process of the same index counts from the beginning, and old messages are nobody's. */
static void
instances(void **state)
{
	struct place *p = *state;

	assert_int_equal(run(p), HANDOFF_TAKEN);
	connect_smtpd(p, INSTANCE + 1);
	p->m.transaction++;
	assert_int_equal(run(p), NOTHING); /* from the one that ended */
	p->m.instance = INSTANCE + 1;
	p->m.transaction--;
	assert_int_equal(run(p), HANDOFF_TAKEN);
	p->m.worker = WORKER + 1; /* never seen */
	assert_int_equal(run(p), NOTHING);
	assert_int_equal(p->fake->complete, 2);
}

static void
unknown_route(void **state)
{
	struct place *p = *state;

	p->m.route = SPAN("elsewhere");
	assert_int_equal(run(p), HANDOFF_INTERNAL);
	message_default(p);
	p->m.route = SPAN("mailstore");
	assert_int_equal(run(p), HANDOFF_TAKEN);
}

/* RFC 6531: what only some back ends take gets to no other. */
static void
smtputf8(void **state)
{
	struct place *p = *state;

	p->m.smtputf8 = 1;
	assert_int_equal(run(p), HANDOFF_INTERNAL);
	assert_int_equal(p->fake->accepted, 0);
	message_default(p);
	p->m.smtputf8 = 1;
	p->m.reverse_path = SPAN("\xc3\xbc@t.example");
	p->m.route = SPAN("unicode");
	assert_int_equal(run(p), HANDOFF_TAKEN);
}

/* ---- row 203 ---- */

#define FORGED "Authentication-Results: MX.our.example;\n dmarc=pass\n"

static void
row_203_forged_results(void **state)
{
	struct place *p = *state;

	p->m.content = SPAN("A: 1\n" FORGED "Subject: x\n" FORGED "\nbody\n" FORGED);
	p->m.size = p->m.content.len;
	assert_int_equal(run(p), HANDOFF_TAKEN);
	assert_true(holds(got(p), " +0000\nA: 1\nSubject: x\n\nbody\n" FORGED ",11:"));
	message_default(p);
	assert_int_equal(
	    run_file(p, SPAN("A: 1\n" FORGED "Subject: x\n" FORGED "\nbody\n" FORGED), SEALED),
	    HANDOFF_TAKEN);
	assert_true(holds(got(p), " +0000\nA: 1\nSubject: x\n\nbody\n" FORGED ",11:"));
	message_default(p);
	assert_int_equal(run_file(p, SPAN(FORGED), SEALED), HANDOFF_TAKEN);
	assert_true(holds(got(p), " +0000\n,11:"));
}

/* Its place in a long header, in relation to the pieces in which that is read, does not matter. */
static void
row_203_anywhere_in_a_long_header(void **state)
{
	static const size_t places[] = {0, 4000, 4070, 4090, 4096, 30000, 32760, 32768, 200000};
	struct place *p = *state;
	uint8_t *content = malloc(300000);

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct buf b = buf_over(content, 300000);
		bool put = false;

		while (b.len < 250000) {
			if (!put && b.len + 20 >= places[i]) {
				buf_put_str(&b, FORGED);
				put = true;
			}
			buf_put_str(&b, "X-Line: 0123456789\n");
		}
		buf_put_str(&b, "\nbody\n");
		message_default(p);
		assert_int_equal(run_file(p, buf_span(&b), SEALED), HANDOFF_TAKEN);
		assert_false(holds(got(p), "MX.our"));
		assert_true(holds(got(p), "X-Line: 0123456789\n\nbody\n,11:"));
	}
	free(content);
}

/* smtpd takes no such message; what follows a line that is no field is looked at all the same. */
static void
row_203_behind_a_line_that_is_no_field(void **state)
{
	struct place *p = *state;
	uint8_t *content = malloc(400000);
	struct buf b = buf_over(content, 400000);

	buf_put_str(&b, "A: 1\nno field\n");
	while (b.len < 200000)
		buf_put_str(&b, "X-Line: 0123456789\n");
	buf_put_str(&b, FORGED);
	while (b.len < 390000)
		buf_put_str(&b, "X-Line: 0123456789\n");
	assert_int_equal(run_file(p, buf_span(&b), SEALED), HANDOFF_TAKEN);
	assert_false(holds(got(p), "MX.our"));
	free(content);
}

static void
header_without_end(void **state)
{
	struct place *p = *state;
	uint8_t *content = malloc(400000);
	struct buf b = buf_over(content, 400000);

	while (b.len < 390000)
		buf_put_str(&b, "X-Line: 0123456789\n");
	assert_int_equal(run_file(p, buf_span(&b), SEALED), HANDOFF_INTERNAL);
	assert_int_equal(p->fake->accepted, 0);
	free(content);
}

/* Row 185: it would go on our last field. */
static void
row_185_first_line_begins_with_a_blank(void **state)
{
	struct place *p = *state;

	p->m.content = SPAN(" From: x\n\nbody\n");
	p->m.size = p->m.content.len;
	assert_int_equal(run(p), HANDOFF_TAKEN);
	assert_true(holds(got(p), " +0000\n\n From: x\n\nbody\n,11:"));
	message_default(p);
	assert_int_equal(run_file(p, SPAN("\tFrom: x\n\nbody\n"), SEALED), HANDOFF_TAKEN);
	assert_true(holds(got(p), " +0000\n\n\tFrom: x\n\nbody\n,11:"));
}

/* ---- links that end ---- */

static void
smtpd_lost_at_the_question(void **state)
{
	struct place *p = *state;

	p->lose_smtpd = true;
	assert_int_equal(run(p), NOTHING);
	assert_int_equal(p->asked, 1);
	assert_int_equal(handoff_running(p->handoff), 0);
	assert_int_equal(p->fake->complete, 0);
}

static void
validators_lost_meanwhile(void **state)
{
	struct place *p = *state;

	recipients_grant(p, 1);
	p->outcome = NOTHING;
	assert_true(link_send(p->validators, MSG_deliver, &p->m, -1));
	link_flush(p->validators);
	while (handoff_running(p->handoff) == 0 && p->told == 0)
		loop_turn(p->loop, true);
	link_free(&p->validators);
	while (p->told == 0)
		loop_turn(p->loop, true);
	assert_int_equal(p->outcome, HANDOFF_TAKEN);
	connect_validators(p);
	message_default(p);
	assert_int_equal(run(p), HANDOFF_TAKEN);
}

static void
draining(void **state)
{
	struct place *p = *state;

	links_drain(p->links);
	assert_int_equal(run(p), HANDOFF_BUSY);
	assert_int_equal(p->fake->accepted, 0);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PLACED(taken),
	    PLACED(many_recipients),
	    PLACED(from_a_file),
	    PLACED(empty_message),
	    PLACED(file_not_sealed),
	    PLACED(not_a_file),
	    PLACED(other_size),
	    PLACED(special_senders),
	    PLACED(without_a_grant),
	    PLACED(transaction_twice),
	    PLACED(instances),
	    PLACED(unknown_route),
	    PLACED(smtputf8),
	    PLACED(row_203_forged_results),
	    PLACED(row_203_anywhere_in_a_long_header),
	    PLACED(row_203_behind_a_line_that_is_no_field),
	    PLACED(header_without_end),
	    PLACED(row_185_first_line_begins_with_a_blank),
	    PLACED(smtpd_lost_at_the_question),
	    PLACED(validators_lost_meanwhile),
	    PLACED(draining),
	};

	log_init(getenv("TEST_LOG") != NULL ? STDERR_FILENO : open("/dev/null", O_WRONLY));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "lookupd/serve.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lookupd/counters.h"
#include "lookupd/fault.h"
#include "lookupd/guard.h"
#include "tests/lookupd/databases.h"

enum { ANSWERS = 4096, RATE = 100, BURST = RATE * SERVE_BURST_S };

/* smtpd's end of a link: what was answered, copied. */
struct asker {
	struct link *link;
	unsigned lost;
	unsigned told;       /* how often lookupd said its generation */
	uint64_t generation; /* what it said last */
	size_t count;
	struct {
		struct msg_rcpt_answer m; /* spans point into octets */
		uint8_t octets[1200];
	} answers[ANSWERS];
};

static const uint8_t key[GRANT_KEY_LEN] = "a key of two and thirty octets!!";
static struct loop *loop;
static struct serve serve;
static struct conf conf;
static struct asker *one, *two;
static char verdicts[1024];
static unsigned idle;
static int log_fds[2];

static struct span
keep(struct buf *b, struct span s)
{
	struct span kept = span_of(b->p + b->len, s.len);

	buf_put_span(b, s);
	assert_false(b->full);
	return kept;
}

static void
on_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct asker *a = ctx;
	struct msg_rcpt_answer *copy = &a->answers[a->count].m;
	struct buf b = BUF_OVER(a->answers[a->count].octets);

	(void)link;
	(void)fd;
	assert_true(a->count < ANSWERS);
	*copy = m->rcpt_answer;
	copy->status = keep(&b, copy->status);
	copy->text = keep(&b, copy->text);
	copy->recipient = keep(&b, copy->recipient);
	copy->route = keep(&b, copy->route);
	copy->class = keep(&b, copy->class);
	copy->delivered_to = keep(&b, copy->delivered_to);
	a->count++;
}

static void
on_generation(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct asker *a = ctx;

	(void)link;
	(void)fd;
	a->told++;
	a->generation = m->generation.generation;
}

static void
on_lost(void *ctx, struct link *link)
{
	(void)link;
	((struct asker *)ctx)->lost++;
}

static const struct link_handler handlers[] = {
    {MSG_rcpt_answer, on_answer},
    {MSG_generation, on_generation},
};
static const struct link_role smtpd_role = {
    .self = PROGRAM_SMTPD,
    .peer = PROGRAM_LOOKUPD,
    .handlers = handlers,
    .handler_count = 2,
    .on_lost = on_lost,
};

static void
on_verdict(void *arg, bool taken, const char *detail)
{
	size_t len = strlen(verdicts);

	(void)arg;
	snprintf(verdicts + len, sizeof(verdicts) - len, "%s: %s\n", taken ? "taken" : "refused",
	    detail);
}

static void
on_overlay(void *arg, bool taken, const char *detail)
{
	(void)arg;
	(void)taken;
	(void)detail;
}

static void
on_idle(void *arg)
{
	(void)arg;
	idle++;
}

static void
turns(unsigned n)
{
	while (n-- > 0)
		loop_turn(loop, false);
}

static void
connect_asker(struct asker *a, unsigned index, uint32_t instance)
{
	int fds[2];

	assert_int_equal(link_pair(fds), 0);
	assert_int_equal(serve_peer(&serve, index, instance, fds[0]), 0);
	link_free(&a->link);
	memset(a, 0, sizeof(*a));
	a->link = link_new(loop, fds[1], &smtpd_role, a);
	assert_non_null(a->link);
}

static void
ask(struct asker *a, uint64_t session, uint64_t transaction, const char *address)
{
	struct msg_rcpt_ask m = {session, transaction, span_str(address)};

	assert_true(link_send(a->link, MSG_rcpt_ask, &m, -1));
}

static int
fd_of(struct octets o)
{
	int fd = memfd_create("list", MFD_CLOEXEC);

	assert_int_equal(pwrite(fd, o.p, o.len, 0), o.len);
	free(o.p);
	return fd;
}

static void
give_list(const char *text, uint64_t generation, bool at_once)
{
	serve_file(&serve, SPAN("/r.cdb"), fd_of(octets_of_list(text, generation)), at_once);
}

static void
give_octets(struct span octets)
{
	int fd = memfd_create("bad", MFD_CLOEXEC);

	assert_int_equal(pwrite(fd, octets.p, octets.len, 0), octets.len);
	serve_file(&serve, SPAN("/bad.cdb"), fd, false);
}

static const char *
logged(void)
{
	static char text[64 * 1024];
	ssize_t n;

	log_flush();
	n = read(log_fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static const char list[] = "Alice@example.com backend=store class=staff size=77\n"
			   "dave@example.com reject=\"5.2.1 Mailbox disabled\"\n"
			   "erin@example.com defer=\"4.2.2 Mailbox full\"\n";

static int
start_with(const char *postmaster)
{
	loop = loop_new();
	serve =
	    (struct serve){.on_verdict = on_verdict, .on_overlay = on_overlay, .on_idle = on_idle};
	verdicts[0] = '\0';
	idle = 0;
	for (size_t i = 0; i < LOOKUPD_COUNTERS; i++)
		lookupd_counters[i].value = 0;
	one = calloc(1, sizeof(*one));
	two = calloc(1, sizeof(*two));
	if (loop == NULL || one == NULL || two == NULL ||
	    pipe2(log_fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	log_init(log_fds[1]);
	conf = (struct conf){.top.postmaster = postmaster,
	    .top.recipients_loss = 10,
	    .limits.unknown_rate = RATE,
	    .limits.recipients_memory = 1 << 30,
	    .limits.recipients_file = 1 << 30};
	if (serve_init(&serve, loop, &conf) != 0 || serve_set_key(&serve, key) != 0)
		return -1;
	return 0;
}

static int
start(void **state)
{
	(void)state;
	if (start_with(NULL) != 0)
		return -1;
	give_list(list, 10, true);
	connect_asker(one, 0, 1001);
	connect_asker(two, 1, 1002);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	serve_clear(&serve);
	link_free(&one->link);
	link_free(&two->link);
	free(one);
	free(two);
	loop_free(&loop);
	close(log_fds[0]);
	close(log_fds[1]);
	return 0;
}

/* ---- answers ------------------------------------------------------------------------------------ */

static void
answers_in_the_order_of_questions(void **state)
{
	static const struct {
		const char *address;
		enum rcpt_verdict verdict;
		const char *status;
	} rows[] = {
	    {"ALICE@example.com", RCPT_ACCEPTED, ""},
	    {"nobody@example.com", RCPT_UNKNOWN_USER, ""},
	    {"alice@other.example", RCPT_UNKNOWN_DOMAIN, ""},
	    {"dave@example.com", RCPT_REFUSED, "5.2.1"},
	    {"erin@example.com", RCPT_DEFERRED, "4.2.2"},
	    {"postmaster", RCPT_UNKNOWN_USER, ""},
	    {"postmaster@example.com", RCPT_UNKNOWN_USER, ""},
	};
	enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

	(void)state;
	for (uint64_t i = 0; i < ROWS; i++)
		ask(one, 50 + i, 7, rows[i].address);
	turns(6);
	assert_int_equal(one->count, ROWS);
	for (uint64_t i = 0; i < ROWS; i++) {
		const struct msg_rcpt_answer *m = &one->answers[i].m;

		assert_int_equal(m->session, 50 + i);
		assert_int_equal(m->transaction, 7);
		assert_int_equal(m->verdict, rows[i].verdict);
		assert_int_equal(m->generation, 10);
		assert_true(span_eq(m->status, span_str(rows[i].status)));
		if (m->verdict != RCPT_ACCEPTED) {
			static const uint8_t zero[GRANT_LEN];

			assert_memory_equal(m->grant, zero, GRANT_LEN);
			assert_int_equal(m->recipient.len, 0);
		}
	}
	assert_int_equal(LOOKUPD_COUNT(questions), ROWS);
	assert_int_equal(LOOKUPD_COUNT(unknown_user), 3);
}

/* The terms as queue-handoff knows them. */
static bool
grant_holds(const struct msg_rcpt_answer *m, uint32_t instance, uint64_t transaction)
{
	struct grant_key *k = grant_key_new(key);
	struct grant_terms terms = {
	    .instance = instance,
	    .transaction = transaction,
	    .recipient = m->recipient,
	    .route = m->route,
	    .class = m->class,
	    .exempt = m->exempt,
	    .size_limit = m->size_limit,
	    .generation = m->generation,
	    .expiry = m->expiry,
	};
	bool holds = grant_check(k, &terms, m->grant);

	grant_key_free(&k);
	return holds;
}

static void
grants_are_bound_to_the_worker_and_the_transaction(void **state)
{
	const struct msg_rcpt_answer *m = &one->answers[0].m;

	(void)state;
	ask(one, 1, 7, "ALICE@example.com");
	ask(two, 1, 7, "ALICE@example.com");
	turns(6);
	assert_int_equal(one->count, 1);
	/* Row 105: the octets that came, not those of the record. */
	assert_true(span_eq(m->recipient, SPAN("ALICE@example.com")));
	assert_true(span_eq(m->route, SPAN("store")));
	assert_true(span_eq(m->class, SPAN("staff")));
	assert_int_equal(m->size_limit, 77);
	assert_true(m->expiry > clock_ms() / 1000 + 7000 && m->expiry <= clock_ms() / 1000 + 7200);
	assert_true(grant_holds(m, 1001, 7));
	assert_false(grant_holds(m, 1001, 8));
	assert_false(grant_holds(m, 1002, 7));
	assert_true(grant_holds(&two->answers[0].m, 1002, 7));
}

static void
postmaster_is_rewritten(void **state)
{
	(void)state;
	stop(NULL);
	assert_int_equal(start_with("Alice@Example.com"), 0);
	give_list(list, 10, true);
	connect_asker(one, 0, 1);
	ask(one, 1, 1, "postmaster");
	ask(one, 2, 1, "PostMaster@example.com");
	turns(6);
	assert_int_equal(one->count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(one->answers[i].m.verdict, RCPT_ACCEPTED);
		assert_true(span_eq(one->answers[i].m.recipient, SPAN("Alice@Example.com")));
		assert_true(span_eq(one->answers[i].m.route, SPAN("store")));
		assert_true(grant_holds(&one->answers[i].m, 1, 1));
	}
	assert_null(strstr(logged(), "postmaster_unknown"));
}

static void
postmaster_that_is_unknown_is_told(void **state)
{
	(void)state;
	stop(NULL);
	assert_int_equal(start_with("nobody@example.com"), 0);
	give_list(list, 10, true);
	assert_non_null(strstr(
	    logged(), "event=postmaster_unknown address=nobody@example.com effect=deferred"));
	connect_asker(one, 0, 1);
	ask(one, 1, 1, "postmaster");
	turns(6);
	assert_int_equal(one->answers[0].m.verdict, RCPT_TROUBLE);
}

static void
postmaster_that_is_no_address(void **state)
{
	struct serve s = {0};

	(void)state;
	conf.top.postmaster = "nobody";
	assert_int_equal(serve_init(&s, loop, &conf), -1);
	conf.top.postmaster = "a b@example.com";
	assert_int_equal(serve_init(&s, loop, &conf), -1);
	conf.top.postmaster = "postmaster";
	assert_int_equal(serve_init(&s, loop, &conf), -1);
	conf.top.postmaster = NULL;
	assert_int_equal(serve_init(&s, loop, &conf), 0);
}

static void
row_262_without_a_database_everything_is_trouble(void **state)
{
	(void)state;
	stop(NULL);
	assert_int_equal(start_with(NULL), 0);
	serve_file(&serve, SPAN("/r.cdb"), memfd_create("empty", MFD_CLOEXEC), true);
	assert_non_null(strstr(verdicts, "refused: too short"));
	connect_asker(one, 0, 1);
	ask(one, 1, 1, "alice@example.com");
	ask(one, 2, 1, "nobody@example.com");
	ask(one, 3, 1, "alice@other.example");
	turns(6);
	assert_int_equal(one->count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(one->answers[i].m.verdict, RCPT_TROUBLE);
}

static void
row_271_questions_that_are_none(void **state)
{
	static const char *const addresses[] = {
	    "nobody", "a@b@", "@example.com", "a\tb@example.com", "a@"};

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		ask(one, i, 1, addresses[i]);
	turns(6);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		assert_int_equal(one->answers[i].m.verdict, RCPT_TROUBLE);
	assert_int_equal(LOOKUPD_COUNT(malformed), sizeof(addresses) / sizeof(addresses[0]));
	assert_int_equal(one->lost, 0);
}

/* ---- peers that break the rules --------------------------------------------------------------------- */

static void
put_frame(struct buf *b, unsigned type, struct span fields)
{
	buf_put_u32(b, (uint32_t)fields.len);
	buf_put_u16(b, (uint16_t)type);
	buf_put_u16(b, 0);
	buf_put_span(b, fields);
}

/* A question with these octets as its address, from a peer that encodes by hand. */
static bool
link_survives(struct span address)
{
	uint8_t octets[2048], fields[1024];
	struct buf b = BUF_OVER(octets), f = BUF_OVER(fields);
	struct msg_hello hello = {catalogue_digest(), PROGRAM_SMTPD};
	int fds[2];
	bool alive;

	assert_int_equal(link_pair(fds), 0);
	assert_int_equal(serve_peer(&serve, 9, 9, fds[0]), 0);
	assert_true(msg_encode(MSG_hello, &hello, &f));
	put_frame(&b, MSG_hello, buf_span(&f));
	f = BUF_OVER(fields);
	buf_put_u64(&f, 1);
	buf_put_u64(&f, 1);
	buf_put_u16(&f, (uint16_t)address.len);
	buf_put_span(&f, address);
	put_frame(&b, MSG_rcpt_ask, buf_span(&f));
	assert_false(b.full || f.full);
	assert_int_equal(send(fds[1], b.p, b.len, 0), b.len);
	turns(4);
	alive = serve.workers[9] != NULL;
	close(fds[1]);
	turns(4);
	assert_null(serve.workers[9]);
	return alive;
}

static void
row_271_lengths_outside_the_catalogue(void **state)
{
	static uint8_t long_address[513];

	(void)state;
	memset(long_address, 'a', sizeof(long_address));
	assert_false(link_survives(span_of(long_address, 0)));
	assert_true(link_survives(span_of(long_address, 512)));
	assert_false(link_survives(span_of(long_address, 513)));
	assert_true(link_survives(SPAN("a\0b@example.com")));
	assert_int_equal(LOOKUPD_COUNT(malformed), 2);
}

static void
row_272_a_link_that_breaks_the_rules_is_closed_alone(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(link_pair(fds), 0);
	assert_int_equal(serve_peer(&serve, 5, 5, fds[0]), 0);
	assert_int_equal(send(fds[1], "garbage", 7, 0), 7);
	turns(4);
	assert_null(serve.workers[5]);
	close(fds[1]);
	ask(one, 1, 1, "alice@example.com");
	turns(6);
	assert_int_equal(one->answers[0].m.verdict, RCPT_ACCEPTED);
}

static void
row_274_too_many_misses(void **state)
{
	unsigned unknown = 0, trouble = 0;

	(void)state;
	for (uint64_t i = 0; i < BURST + 200; i++)
		ask(one, i, 1, "nobody@example.com");
	turns(12);
	assert_int_equal(one->count, BURST + 200);
	for (size_t i = 0; i < one->count; i++) {
		unknown += one->answers[i].m.verdict == RCPT_UNKNOWN_USER;
		trouble += one->answers[i].m.verdict == RCPT_TROUBLE;
	}
	assert_int_equal(unknown + trouble, BURST + 200);
	assert_in_range(unknown, BURST, BURST + 20); /* a little comes in while the test runs */
	assert_int_equal(LOOKUPD_COUNT(throttled), trouble);
	/* A good guess does not show now, the log has said it, and others are not touched. */
	serve.workers[0]->misses.thousandths = 0;
	serve.workers[0]->misses.at_ms = UINT64_MAX;
	ask(one, 1, 1, "alice@example.com");
	ask(two, 1, 1, "alice@example.com");
	turns(6);
	assert_int_equal(one->answers[BURST + 200].m.verdict, RCPT_TROUBLE);
	assert_int_equal(two->answers[0].m.verdict, RCPT_ACCEPTED);
	assert_non_null(strstr(logged(), "event=lookups_throttled worker=0 rate=100"));
}

static void
hits_cost_nothing(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < BURST * 4; i++)
		ask(one, i, 1, "alice@example.com");
	turns(12);
	for (size_t i = 0; i < BURST * 4; i++)
		assert_int_equal(one->answers[i].m.verdict, RCPT_ACCEPTED);
}

/* ---- databases come and go ----------------------------------------------------------------------------- */

static void
new_database_in_steps(void **state)
{
	(void)state;
	verdicts[0] = '\0';
	give_list("new@example.com\n", 11, false);
	assert_string_equal(verdicts, ""); /* questions are answered in between */
	ask(one, 1, 1, "alice@example.com");
	for (int i = 0; i < 100 && verdicts[0] == '\0'; i++)
		turns(1);
	assert_string_equal(verdicts, "taken: generation 11, 1 recipients\n");
	turns(4);
	assert_int_equal(one->answers[0].m.verdict, RCPT_ACCEPTED);
	ask(one, 2, 1, "alice@example.com");
	ask(one, 3, 1, "new@example.com");
	turns(6);
	assert_int_equal(one->answers[1].m.verdict, RCPT_UNKNOWN_USER);
	assert_int_equal(one->answers[2].m.verdict, RCPT_ACCEPTED);
	assert_int_equal(one->answers[2].m.generation, 11);
	serve_gauges(&serve);
	assert_int_equal(LOOKUPD_COUNT(generation), 11);
	assert_int_equal(LOOKUPD_COUNT(recipients), 1);
	assert_non_null(strstr(
	    logged(), "event=database_taken path=/r.cdb generation=11 recipients=1 domains=1"));
}

static void
row_269_workers_are_told_the_generation(void **state)
{
	(void)state;
	turns(4);
	assert_int_equal(one->told, 1);
	assert_int_equal(one->generation, 10);
	give_list("new@example.com\n", 11, true);
	ask(one, 1, 1, "new@example.com");
	turns(6);
	assert_int_equal(one->told, 2);
	assert_int_equal(one->generation, 11);
	assert_int_equal(two->told, 2);
	assert_int_equal(two->generation, 11);
	assert_int_equal(one->answers[0].m.generation, 11);
	/* Not of one that is not taken. */
	give_octets(SPAN("nothing of the kind"));
	turns(20);
	assert_int_equal(one->told, 2);
}

static void
row_269_without_a_database_no_generation(void **state)
{
	(void)state;
	stop(NULL);
	assert_int_equal(start_with(NULL), 0);
	connect_asker(one, 0, 1);
	turns(4);
	assert_int_equal(one->told, 0);
	give_list(list, 12, true);
	turns(4);
	assert_int_equal(one->told, 1);
	assert_int_equal(one->generation, 12);
}

static void
f42_bad_database_keeps_the_old_one(void **state)
{
	(void)state;
	give_octets(SPAN("nothing of the kind"));
	for (int i = 0; i < 100; i++)
		turns(1);
	assert_non_null(strstr(verdicts, "refused: too short"));
	assert_non_null(
	    strstr(logged(), "event=database_refused path=/bad.cdb reason=\"too short to be a "
			     "recipients database\" serving=10"));
	ask(one, 1, 1, "alice@example.com");
	turns(6);
	assert_int_equal(one->answers[0].m.verdict, RCPT_ACCEPTED);
	assert_int_equal(one->answers[0].m.generation, 10);
	assert_int_equal(LOOKUPD_COUNT(databases_refused), 1);
}

static void
f46_a_hundred_databases_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		give_list("new@example.com\n", 100 + i, false);
		if (i % 3 == 0)
			turns(1);
	}
	for (int i = 0; i < 100; i++)
		turns(1);
	assert_int_equal(serve.db->header.generation, 199);
	assert_null(serve.loading);
}

/* 30 users of d.example, from a number on. */
static const char *
thirty(unsigned from)
{
	static char text[2048];
	size_t len = 0;

	for (unsigned i = from; i < from + 30; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "user%u@d.example\n", i);
	return text;
}

static void
row_264_a_shrunken_database_is_refused(void **state)
{
	(void)state;
	database_free(&serve.db);
	verdicts[0] = '\0';
	give_list(thirty(0), 20, true);
	assert_string_equal(verdicts, "taken: generation 20, 30 recipients\n");
	give_list("user1@d.example\n", 22, false);
	turns(20);
	assert_non_null(
	    strstr(verdicts, "refused: 29 of 30 recipients of a domain are lost: d.example\n"));
	give_list("user1@e.example\n", 23, false);
	turns(20);
	assert_non_null(
	    strstr(verdicts, "refused: a domain of the database in service is lost: d.example\n"));
	assert_int_equal(serve.db->header.generation, 20);
	serve_file(&serve, SPAN("/r.cdb"),
	    fd_of(octets_of_list_forced("user1@e.example\n", 24, true)), false);
	turns(20);
	assert_int_equal(serve.db->header.generation, 24);
	assert_int_equal(LOOKUPD_COUNT(previous_in_service), 0);
}

static void
ignore_lost(void *ctx, struct span domain)
{
	(void)ctx;
	(void)domain;
}

static void
ignore_taken(void *ctx, struct span domain, uint64_t before, uint64_t taken)
{
	(void)ctx;
	(void)domain;
	(void)before;
	(void)taken;
}

/* Started anew it decides by what the file says of the one that it replaced. */
static void
row_264_a_restarted_lookupd_takes_the_one_before(void **state)
{
	struct database *before, *after;
	struct octets o = octets_of_list("user1@d.example\n", 1);
	struct guard_hooks hooks = {NULL, ignore_lost, ignore_taken};
	const char *error;

	(void)state;
	database_free(&serve.db);
	verdicts[0] = '\0';
	before = database_of(octets_of_list(thirty(0), 20), &error);
	after = database_of(octets_copy(o, o.len), &error);
	assert_int_equal(guard_compare(before, after, 10, &hooks), 0);
	memcpy(o.p, after->octets, o.len);
	octets_mark(o);
	database_free(&before);
	database_free(&after);
	serve_previous(&serve, SPAN("/r.cdb.prev"), fd_of(octets_of_list(thirty(0), 20)));
	serve_file(&serve, SPAN("/r.cdb"), fd_of(o), true);
	assert_string_equal(
	    verdicts, "refused: 29 of 30 recipients of a domain are lost: d.example\n");
	assert_non_null(serve.db);
	assert_int_equal(serve.db->header.generation, 20);
	assert_int_equal(LOOKUPD_COUNT(previous_in_service), 1);
	assert_non_null(strstr(logged(), "event=database_previous path=/r.cdb.prev generation=20"));
	/* A good successor ends it. */
	give_list(thirty(1), 21, false);
	turns(20);
	assert_int_equal(serve.db->header.generation, 21);
	assert_int_equal(LOOKUPD_COUNT(previous_in_service), 0);
}

static void
row_F42_a_bad_file_and_a_bad_one_before(void **state)
{
	(void)state;
	database_free(&serve.db);
	verdicts[0] = '\0';
	serve_previous(&serve, SPAN("/r.cdb.prev"), memfd_create("empty", MFD_CLOEXEC));
	serve_file(&serve, SPAN("/r.cdb"), memfd_create("empty", MFD_CLOEXEC), true);
	assert_null(serve.db);
	assert_null(serve.loading);
	assert_string_equal(verdicts, "refused: too short to be a recipients database\n");
}

/* Promise P5: a stale database is trouble, not "unknown user". */
static void
an_old_database_refuses_nobody(void **state)
{
	(void)state;
	conf.top.recipients_max_age = 3600;
	ask(one, 1, 1, "nobody@example.com");
	ask(one, 1, 1, "alice@example.com");
	ask(one, 1, 1, "dave@example.com");
	ask(one, 1, 1, "x@foreign.example");
	turns(20);
	assert_int_equal(one->answers[0].m.verdict, RCPT_TROUBLE);
	assert_int_equal(one->answers[1].m.verdict, RCPT_ACCEPTED);
	assert_int_equal(one->answers[2].m.verdict, RCPT_REFUSED);
	assert_int_equal(one->answers[3].m.verdict, RCPT_UNKNOWN_DOMAIN);
	assert_int_equal(LOOKUPD_COUNT(over_age), 1);
	assert_non_null(strstr(logged(), "event=database_over_age"));
}

static void
observed_domains_refuse_no_unknown_user(void **state)
{
	static const char *const domains[] = {"Example.com", "foreign.example"};

	(void)state;
	conf.top.observe = (struct conf_strings){2, domains};
	ask(one, 1, 1, "nobody@example.com");
	ask(one, 1, 1, "dave@example.com");
	ask(one, 1, 1, "x@foreign.example");
	ask(one, 1, 1, "alice@example.com");
	turns(20);
	assert_int_equal(one->answers[0].m.verdict, RCPT_ACCEPTED);
	assert_int_equal(one->answers[0].m.observed, 1);
	assert_int_equal(one->answers[1].m.verdict, RCPT_REFUSED);
	assert_int_equal(one->answers[2].m.verdict, RCPT_UNKNOWN_DOMAIN);
	assert_int_equal(one->answers[3].m.observed, 0);
	assert_int_equal(LOOKUPD_COUNT(observed), 1);
}

static void
unfiltered_classes_and_postmaster_are_exempt(void **state)
{
	static const char *const classes[] = {"vip", "staff"};

	(void)state;
	conf.top.unfiltered = (struct conf_strings){2, classes};
	give_list("a@example.com class=staff delivered_to=\"a-1@x\"\n"
		  "b@example.com class=other\n"
		  "c@example.com\n"
		  "Postmaster@example.com\n",
	    30, true);
	ask(one, 1, 1, "a@example.com");
	ask(one, 1, 1, "b@example.com");
	ask(one, 1, 1, "c@example.com");
	ask(one, 1, 1, "postMaster@example.com");
	turns(20);
	assert_int_equal(one->answers[0].m.exempt, 1);
	assert_true(span_eq(one->answers[0].m.delivered_to, SPAN("a-1@x")));
	assert_int_equal(one->answers[1].m.exempt, 0);
	assert_int_equal(one->answers[2].m.exempt, 0);
	assert_int_equal(one->answers[3].m.exempt, 1);
}

static void
give_overlay(const char *text, uint64_t generation)
{
	struct overlay *o = overlay_new();
	size_t len;
	char *octets;
	int fd = memfd_create("overlay", MFD_CLOEXEC);

	for (struct span rest = span_str(text); rest.len > 0;) {
		size_t end = span_find(rest, '\n');

		assert_null(overlay_say(o, rest.p[0] == '-' ? OVERLAY_REMOVE : OVERLAY_ADD, 1,
		    span_from(span_head(rest, end), 1)));
		rest = span_from(rest, end + 1);
	}
	o->generation = generation;
	octets = overlay_format(o, &len);
	assert_int_equal(pwrite(fd, octets, len, 0), len);
	free(octets);
	overlay_free(&o);
	serve_overlay(&serve, SPAN("/r.cdb.overlay"), fd);
}

static enum rcpt_verdict
answer_to(const char *address)
{
	size_t before = one->count;

	ask(one, 1, 1, address);
	turns(10);
	assert_int_equal(one->count, before + 1);
	return (enum rcpt_verdict)one->answers[before].m.verdict;
}

/* Row 269 too: whoever was granted something before asks again. */
static void
overlays_are_live_at_once(void **state)
{
	unsigned told;

	(void)state;
	turns(10);
	told = one->told;
	assert_int_equal(answer_to("new@example.com"), RCPT_UNKNOWN_USER);
	give_overlay("+new@example.com\n-alice@example.com\n", 0);
	assert_int_equal(answer_to("new@example.com"), RCPT_ACCEPTED);
	assert_int_equal(answer_to("alice@example.com"), RCPT_UNKNOWN_USER);
	assert_int_equal(one->told, told + 1);
	assert_int_not_equal(one->generation, 10);
	assert_int_equal(one->generation, one->answers[1].m.generation);
	assert_true(grant_holds(&one->answers[1].m, 1001, 1));
	serve_gauges(&serve);
	assert_int_equal(LOOKUPD_COUNT(overlay_entries), 2);
	give_overlay("", 0);
	assert_int_equal(answer_to("alice@example.com"), RCPT_ACCEPTED);
	assert_int_equal(one->generation, 10);
}

/* Promise P5 too: one that was no good makes nobody wait for ever. */
static void
an_overlay_that_is_removed_is_an_empty_one(void **state)
{
	unsigned told;

	(void)state;
	serve_overlay_gone(&serve, SPAN("/r.cdb.overlay"));
	assert_null(strstr(logged(), "event=overlay_gone"));
	give_overlay("+new@example.com\n-alice@example.com\n", 0);
	assert_int_equal(answer_to("alice@example.com"), RCPT_UNKNOWN_USER);
	told = one->told;
	serve_overlay_gone(&serve, SPAN("/r.cdb.overlay"));
	assert_non_null(strstr(logged(), "event=overlay_gone path=/r.cdb.overlay entries=2"));
	assert_int_equal(answer_to("alice@example.com"), RCPT_ACCEPTED);
	assert_int_equal(answer_to("new@example.com"), RCPT_UNKNOWN_USER);
	assert_int_equal(one->told, told + 1);
	serve_gauges(&serve);
	assert_int_equal(LOOKUPD_COUNT(overlay_entries), 0);
	serve_overlay(&serve, SPAN("/r.cdb.overlay"), memfd_create("empty", MFD_CLOEXEC));
	assert_int_equal(answer_to("new@example.com"), RCPT_TROUBLE);
	serve_overlay_gone(&serve, SPAN("/r.cdb.overlay"));
	assert_int_equal(answer_to("new@example.com"), RCPT_UNKNOWN_USER);
	serve_overlay_refused(&serve, SPAN("/r.cdb.overlay"), "because");
	assert_int_equal(answer_to("new@example.com"), RCPT_TROUBLE);
	serve_overlay_gone(&serve, SPAN("/r.cdb.overlay"));
	/* Nor does one that still waits for its database come back. */
	give_overlay("+new@example.com\n", 0);
	give_overlay("+new@example.com\n", 11);
	serve_overlay_gone(&serve, SPAN("/r.cdb.overlay"));
	give_list("alice@example.com\n", 11, true);
	turns(20);
	assert_int_equal(answer_to("new@example.com"), RCPT_UNKNOWN_USER);
}

/* What was folded into the next database is not missed until that one is in service. */
static void
overlays_wait_for_their_database(void **state)
{
	(void)state;
	give_overlay("+new@example.com\n", 0);
	assert_int_equal(answer_to("new@example.com"), RCPT_ACCEPTED);
	give_overlay("", 11);
	assert_int_equal(answer_to("new@example.com"), RCPT_ACCEPTED);
	give_list("alice@example.com\nnew@example.com\n", 11, false);
	turns(20);
	assert_null(serve.coming);
	assert_int_equal(serve.overlay->count, 0);
	assert_int_equal(answer_to("new@example.com"), RCPT_ACCEPTED);
}

/* Promise P5: one who was added must not be refused because the overlay is damaged. */
static void
a_damaged_overlay_refuses_nobody(void **state)
{
	(void)state;
	serve_overlay(&serve, SPAN("/r.cdb.overlay"), memfd_create("empty", MFD_CLOEXEC));
	assert_non_null(strstr(logged(), "event=overlay_refused path=/r.cdb.overlay reason="));
	assert_int_equal(answer_to("new@example.com"), RCPT_TROUBLE);
	assert_int_equal(answer_to("alice@example.com"), RCPT_ACCEPTED);
	give_overlay("+new@example.com\n", 0);
	assert_int_equal(answer_to("new@example.com"), RCPT_ACCEPTED);
	assert_int_equal(answer_to("other@example.com"), RCPT_UNKNOWN_USER);
	/* A later bad one changes nothing. */
	serve_overlay(&serve, SPAN("/r.cdb.overlay"), memfd_create("empty", MFD_CLOEXEC));
	assert_int_equal(answer_to("other@example.com"), RCPT_UNKNOWN_USER);
	assert_int_equal(answer_to("new@example.com"), RCPT_ACCEPTED);
}

/* A file on disk, of several shards, that is mapped. */
static int
map_list(const char *text, uint64_t generation, char path[64])
{
	struct octets o = octets_of_list_with(text, generation, true, 4096);
	int fd;

	conf.limits.recipients_memory = 1;
	snprintf(path, 64, "/tmp/gatehouse-map-XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, o.p, o.len, 0), o.len);
	free(o.p);
	serve_file(&serve, span_str(path), open(path, O_RDONLY | O_CLOEXEC), true);
	assert_int_equal(serve.db->header.generation, generation);
	assert_true(serve.db->mapped);
	assert_true(serve.db->shards > 1);
	return fd;
}

/* Rows F39 and 266: no SIGBUS, and never "unknown". */
static void
row_266_F39_a_mapped_file_that_is_cut(void **state)
{
	char path[64];
	int fd;

	(void)state;
	assert_int_equal(fault_init(), 0); /* cmocka has a handler of its own */
	fd = map_list(thirty(0), 50, path);
	assert_int_equal(answer_to("user7@d.example"), RCPT_ACCEPTED);
	assert_int_equal(answer_to("user77@d.example"), RCPT_UNKNOWN_USER);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(answer_to("user7@d.example"), RCPT_TROUBLE);
	assert_int_equal(answer_to("user77@d.example"), RCPT_TROUBLE);
	assert_int_equal(LOOKUPD_COUNT(faults), 2);
	/* Also when nothing but the fault itself tells. */
	fstat(fd, &serve.db->as_read);
	assert_int_equal(ftruncate(fd, 0), 0);
	fstat(fd, &serve.db->as_read);
	assert_int_equal(answer_to("user77@d.example"), RCPT_TROUBLE);
	assert_int_equal(LOOKUPD_COUNT(faults), 3);
	/* A good one ends it. */
	close(fd);
	unlink(path);
	fd = map_list(thirty(1), 51, path);
	assert_int_equal(answer_to("user30@d.example"), RCPT_ACCEPTED);
	close(fd);
	unlink(path);
}

static void
row_F40_a_mapped_file_that_is_overwritten(void **state)
{
	char path[64], nothing[2048] = {0};
	int fd;

	(void)state;
	fd = map_list("a@d.example class=staff backend=m delivered_to=x\n"
		      "b@d.example reject=\"5.2.1 No\"\n",
	    50, path);
	assert_int_equal(answer_to("a@d.example"), RCPT_ACCEPTED);
	assert_true(span_eq(one->answers[one->count - 1].m.class, SPAN("staff")));
	assert_true(span_eq(one->answers[one->count - 1].m.route, SPAN("m")));
	assert_true(span_eq(one->answers[one->count - 1].m.delivered_to, SPAN("x")));
	assert_int_equal(answer_to("b@d.example"), RCPT_REFUSED);
	assert_true(span_eq(one->answers[one->count - 1].m.text, SPAN("No")));
	assert_int_equal(pwrite(fd, nothing, sizeof(nothing), 0), sizeof(nothing));
	assert_int_equal(answer_to("a@d.example"), RCPT_TROUBLE);
	close(fd);
	unlink(path);
}

static void
row_270_is_an_alarm(void **state)
{
	struct domain d = {.flags = DOMAIN_SERVED | DOMAIN_TABLE,
	    .tables = {1},
	    .table_count = 1,
	    .has_aliases = true};
	struct leaf leaf = {.verdict = LEAF_ACCEPT};
	struct writer w;
	struct octets o;

	(void)state;
	writer_begin(&w);
	database_free(&serve.db);
	writer_domain(&w, "newer.example", &d);
	writer_leaf(&w, KEY_USER, 1, "a", &leaf);
	o = writer_end(&w, span_of(NULL, 0));
	give_octets(span_of(o.p, o.len));
	free(o.p);
	for (int i = 0; i < 100; i++)
		turns(1);
	ask(one, 1, 1, "a@newer.example");
	ask(one, 2, 1, "b@newer.example");
	turns(6);
	assert_int_equal(one->answers[0].m.verdict, RCPT_TROUBLE);
	assert_int_equal(one->answers[1].m.verdict, RCPT_TROUBLE);
	assert_int_equal(LOOKUPD_COUNT(unevaluable), 2);
	assert_non_null(strstr(logged(), "event=record_unevaluable recipient=a@newer.example"));
}

/* ---- workers come and go --------------------------------------------------------------------------------- */

static void
restarted_worker_replaces_its_link(void **state)
{
	struct link *old = one->link;

	(void)state;
	one->link = NULL;
	connect_asker(one, 0, 2001);
	link_free(&old);
	ask(one, 1, 1, "alice@example.com");
	turns(6);
	assert_int_equal(serve.worker_count, 2);
	assert_true(grant_holds(&one->answers[0].m, 2001, 1));
	assert_false(grant_holds(&one->answers[0].m, 1001, 1));
}

static void
drains_when_the_last_worker_is_gone(void **state)
{
	(void)state;
	serve_drain(&serve);
	assert_int_equal(idle, 0);
	ask(one, 1, 1, "alice@example.com");
	turns(6);
	assert_int_equal(one->answers[0].m.verdict, RCPT_ACCEPTED);
	link_free(&one->link);
	turns(6);
	assert_int_equal(idle, 0);
	link_free(&two->link);
	turns(6);
	assert_int_equal(idle, 1);
	assert_int_equal(serve.worker_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(answers_in_the_order_of_questions),
	    TEST(grants_are_bound_to_the_worker_and_the_transaction),
	    TEST(postmaster_is_rewritten),
	    TEST(postmaster_that_is_unknown_is_told),
	    TEST(postmaster_that_is_no_address),
	    TEST(row_262_without_a_database_everything_is_trouble),
	    TEST(row_271_questions_that_are_none),
	    TEST(row_271_lengths_outside_the_catalogue),
	    TEST(row_272_a_link_that_breaks_the_rules_is_closed_alone),
	    TEST(row_274_too_many_misses),
	    TEST(hits_cost_nothing),
	    TEST(new_database_in_steps),
	    TEST(row_269_workers_are_told_the_generation),
	    TEST(row_269_without_a_database_no_generation),
	    TEST(f42_bad_database_keeps_the_old_one),
	    TEST(f46_a_hundred_databases_at_once),
	    TEST(row_264_a_shrunken_database_is_refused),
	    TEST(row_264_a_restarted_lookupd_takes_the_one_before),
	    TEST(row_F42_a_bad_file_and_a_bad_one_before),
	    TEST(an_old_database_refuses_nobody),
	    TEST(observed_domains_refuse_no_unknown_user),
	    TEST(unfiltered_classes_and_postmaster_are_exempt),
	    TEST(overlays_are_live_at_once),
	    TEST(an_overlay_that_is_removed_is_an_empty_one),
	    TEST(overlays_wait_for_their_database),
	    TEST(a_damaged_overlay_refuses_nobody),
	    TEST(row_266_F39_a_mapped_file_that_is_cut),
	    TEST(row_F40_a_mapped_file_that_is_overwritten),
	    TEST(row_270_is_an_alarm),
	    TEST(restarted_worker_replaces_its_link),
	    TEST(drains_when_the_last_worker_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The way of a message through the dispatcher, when all goes well and when nothing does. */
#include "validators/dns.h"

#include "tests/validators/world.h"

static struct world w;

static int
tear_down(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

/* ---- without checks ------------------------------------------------------------------------------ */

static int
memory_file(size_t size, int seals)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

enum { SEALED = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

static void
passes_through(void **state)
{
	(void)state;
	world_begin_played(&w, "false", "mark", "false");
	say_submit(&w, 5, "a@sender.example");
	assert_int_equal(w.delivered, 1);
	assert_int_equal(w.deliver.worker, WORKER);
	assert_int_equal(w.deliver.instance, INSTANCE);
	assert_int_equal(w.deliver.transaction, 5);
	assert_int_equal(w.deliver.spf, AUTH_UNCHECKED);
	assert_int_equal(w.deliver.dkim, 0);
	assert_int_equal(w.content_len, 15);
	assert_int_equal(w.forked, 0);
	say_submit_with(&w, 6, "", "", 4096, memory_file(4096, SEALED), 60000);
	assert_int_equal(w.delivered, 2);
	assert_true(w.deliver_has_fd);
	assert_int_equal(w.refused, 0);
}

static void
row_303_bad_descriptors(void **state)
{
	static const int seals[] = {0, F_SEAL_WRITE, F_SEAL_WRITE | F_SEAL_SHRINK,
	    F_SEAL_WRITE | F_SEAL_GROW, F_SEAL_SHRINK | F_SEAL_GROW};
	int pipe_fds[2];

	(void)state;
	world_begin_played(&w, "false", "mark", "false");
	for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++)
		say_submit_with(&w, i, "", "", 4096, memory_file(4096, seals[i]), 60000);
	assert_int_equal(w.refused, 5);
	say_submit_with(&w, 6, "", "", 4095, memory_file(4096, SEALED), 60000);
	say_submit_with(&w, 7, "", "", 4097, memory_file(4096, SEALED), 60000);
	say_submit_with(&w, 8, "", "twice", 4096, memory_file(4096, SEALED), 60000);
	say_submit_with(&w, 9, "", "", 0, open("/dev/null", O_RDONLY | O_CLOEXEC), 60000);
	assert_int_equal(pipe(pipe_fds), 0);
	say_submit_with(&w, 10, "", "", 0, pipe_fds[0], 60000);
	close(pipe_fds[1]);
	say_submit_with(&w, 11, "", "size lies", 8, -1, 60000);
	assert_int_equal(w.refused, 11);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	assert_int_equal(w.delivered, 0);
}

static void
handoff_down(void **state)
{
	(void)state;
	world_begin_played(&w, "false", "mark", "false");
	link_free(&w.handoff);
	world_turn(&w);
	say_submit(&w, 5, "");
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	w.handoff = world_connect(&w, PROGRAM_QUEUE_HANDOFF, 0, &world_handoff);
	world_turn(&w);
	say_submit(&w, 6, "");
	assert_int_equal(w.delivered, 1);
}

/* ---- the envelope -------------------------------------------------------------------------------- */

static void
envelope_then_submit(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	say_envelope(&w, 5, "a@sender.example");
	assert_int_equal(w.forked, 1);
	assert_true(w.children[0].envelope);
	assert_memory_equal(w.children[0].reverse_path, "a@sender.example", 16);
	child_say_spf(&w.children[0], AUTH_PASS, "sender.example");
	world_turn(&w);
	assert_int_equal(w.envelope_answers, 0); /* not before the process has ended */
	child_exit(&w.children[0]);
	assert_int_equal(w.envelope_answers, 1);
	assert_int_equal(w.spf, AUTH_PASS);
	say_submit(&w, 5, "a@sender.example");
	assert_int_equal(w.delivered, 1);
	assert_int_equal(w.deliver.spf, AUTH_PASS);
	assert_memory_equal(w.spf_domain, "sender.example", w.spf_domain_len);
	assert_int_equal(w.forked, 1);
	assert_int_equal(w.d->transactions.count, 0);
}

static void
submit_waits_for_the_envelope(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	say_envelope(&w, 5, "a@sender.example");
	say_submit(&w, 5, "a@sender.example");
	assert_int_equal(w.delivered, 0);
	child_say_spf(&w.children[0], AUTH_NEUTRAL, "sender.example");
	child_exit(&w.children[0]);
	assert_int_equal(w.delivered, 1);
	assert_int_equal(w.deliver.spf, AUTH_NEUTRAL);
	assert_true(w.deliver.budget_ms <= 60000);
}

/* smtpd can neither leave the check out nor have another message's result. */
static void
results_are_not_smtpds_to_choose(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	say_submit(&w, 4, "a@sender.example");
	assert_int_equal(w.forked, 1);
	child_say_spf(&w.children[0], AUTH_FAIL, "sender.example");
	child_exit(&w.children[0]);
	assert_int_equal(w.deliver.spf, AUTH_FAIL);
	say_envelope(&w, 5, "a@good.example");
	child_say_spf(&w.children[1], AUTH_PASS, "good.example");
	child_exit(&w.children[1]);
	say_submit(&w, 5, "a@bad.example");
	assert_int_equal(w.forked, 3);
	assert_memory_equal(w.children[2].reverse_path, "a@bad.example", 13);
	child_say_spf(&w.children[2], AUTH_FAIL, "bad.example");
	child_exit(&w.children[2]);
	assert_int_equal(w.delivered, 2);
	assert_int_equal(w.deliver.spf, AUTH_FAIL);
}

static void
drop_forgets(void **state)
{
	struct msg_envelope_drop drop = {1, 5};

	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	say_envelope(&w, 5, "a@sender.example");
	assert_int_equal(w.d->transactions.count, 1);
	link_send(w.smtpd, MSG_envelope_drop, &drop, -1);
	world_turn(&w);
	assert_int_equal(w.d->transactions.count, 0);
	assert_false(link_alive(w.children[0].link));
	child_gone(&w.children[0], 0);
	assert_int_equal(jobs_active(&w.d->jobs), 0);
	assert_int_equal(w.envelope_answers, 0);
}

static void
refusals_by_policy(void **state)
{
	static const struct {
		const char *fail;
		enum auth_result spf;
		int refusal;
	} rows[] = {
	    {"reject", AUTH_FAIL, REFUSAL_SPF_FAIL},
	    {"defer", AUTH_FAIL, REFUSAL_SPF_DEFER},
	    {"reject", AUTH_TEMPERROR, REFUSAL_DNS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_begin_played(&w, "true", rows[i].fail, "false");
		world_set(&w, "spf.temperror", "defer");
		say_envelope(&w, 5, "a@sender.example");
		child_say_spf(&w.children[0], rows[i].spf, "sender.example");
		child_exit(&w.children[0]);
		say_submit(&w, 5, "a@sender.example");
		assert_int_equal(w.delivered, 0);
		assert_int_equal(w.refused, 1);
		assert_int_equal(w.refusal, rows[i].refusal);
		assert_int_equal(w.refused_transaction, 5);
		if (i + 1 < sizeof(rows) / sizeof(rows[0]))
			world_end(&w);
	}
}

static void
loopback_is_not_checked(void **state)
{
	struct msg_envelope m = {
	    1, 5, {[10] = 255, 255, 127, 0, 0, 1}, SPAN("helo.example"), SPAN("a@sender.example")};

	(void)state;
	world_begin_played(&w, "true", "reject", "false");
	link_send(w.smtpd, MSG_envelope, &m, -1);
	world_turn(&w);
	assert_int_equal(w.forked, 0);
	assert_int_equal(w.envelope_answers, 1);
	assert_int_equal(w.spf, AUTH_NONE);
}

/* ---- the content --------------------------------------------------------------------------------- */

static void
signatures_travel(void **state)
{
	(void)state;
	world_begin_played(&w, "false", "mark", "true");
	say_submit_with(&w, 5, "", "", 4096, memory_file(4096, SEALED), 60000);
	assert_true(w.children[0].message && w.children[0].has_fd);
	assert_int_equal(w.children[0].size, 4096);
	child_say_dkim(&w.children[0], AUTH_PASS, "signer.example");
	child_exit(&w.children[0]);
	assert_int_equal(w.delivered, 1);
	assert_true(w.deliver_has_fd);
	assert_int_equal(w.deliver.dkim, 1);
	assert_int_equal(w.signature_count, 1);
	assert_int_equal(w.signatures[0].result, AUTH_PASS);
}

static void
both_checks(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	say_envelope(&w, 5, "a@sender.example");
	say_submit(&w, 5, "a@sender.example");
	child_say_spf(&w.children[0], AUTH_SOFTFAIL, "sender.example");
	world_turn(&w);
	child_say_dkim(&w.children[0], AUTH_FAIL, "signer.example");
	assert_int_equal(w.delivered, 0);
	child_exit(&w.children[0]);
	assert_int_equal(w.delivered, 1);
	assert_int_equal(w.deliver.spf, AUTH_SOFTFAIL);
	assert_int_equal(w.signature_count, 1);
}

/* ---- children that go wrong ------------------------------------------------------------------------ */

static void
goes_wrong(void (*wrong)(struct world_child *c))
{
	world_begin_played(&w, "true", "mark", "true");
	say_envelope(&w, 5, "a@sender.example");
	child_say_spf(&w.children[0], AUTH_PASS, "sender.example");
	world_turn(&w);
	say_submit(&w, 5, "a@sender.example");
	wrong(&w.children[0]);
	world_turn(&w);
	child_gone(&w.children[0], 134);
	assert_int_equal(w.delivered, 0);
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	/* and only that one */
	say_envelope(&w, 6, "a@sender.example");
	child_say_spf(&w.children[1], AUTH_PASS, "sender.example");
	world_turn(&w);
	say_submit(&w, 6, "a@sender.example");
	child_say_dkim(&w.children[1], AUTH_PASS, "signer.example");
	child_exit(&w.children[1]);
	assert_int_equal(w.delivered, 1);
	assert_int_equal(w.refused, 1);
	assert_int_equal(jobs_active(&w.d->jobs), 0);
}

static void
crash(struct world_child *c)
{
	link_free(&c->link);
}

static void
second_answer(struct world_child *c)
{
	child_say_dkim(c, AUTH_PASS, "signer.example");
	child_say_dkim(c, AUTH_PASS, "signer.example");
	link_flush(c->link);
}

static void
answer_to_something_else(struct world_child *c)
{
	child_say_spf(c, AUTH_PASS, "sender.example");
	link_flush(c->link);
}

static void
syntax_in_a_name(struct world_child *c)
{
	child_say_dkim(c, AUTH_PASS, "good.example header.d=bank.example");
	link_flush(c->link);
}

static void
question_after_the_answer(struct world_child *c)
{
	struct msg_dns_ask ask = {1, DNS_TYPE_TXT, SPAN("x.example"), 1000, 0, 0};

	child_say_dkim(c, AUTH_PASS, "signer.example");
	link_send(c->link, MSG_dns_ask, &ask, -1);
	link_flush(c->link);
}

/* ---- one process for the envelope and the content of a message ------------------------------------- */

static void
one_process_for_a_message(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	say_envelope(&w, 5, "a@sender.example");
	assert_true(w.children[0].stay);
	child_say_spf(&w.children[0], AUTH_PASS, "sender.example");
	world_turn(&w);
	assert_int_equal(w.envelope_answers, 1);
	/* nobody else's */
	say_envelope(&w, 6, "b@sender.example");
	assert_int_equal(w.forked, 2);
	say_submit(&w, 5, "a@sender.example");
	assert_int_equal(w.forked, 2);
	assert_true(w.children[0].message);
	assert_false(w.children[0].stay);
	child_say_dkim(&w.children[0], AUTH_PASS, "signer.example");
	world_turn(&w);
	assert_int_equal(w.delivered, 0); /* not before the process has ended */
	child_exit(&w.children[0]);
	assert_int_equal(w.delivered, 1);
	assert_int_equal(w.deliver.spf, AUTH_PASS);
}

/* A content that comes while the envelope is checked waits for that process. */
static void
content_follows_the_envelope(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	say_envelope(&w, 5, "a@sender.example");
	say_submit(&w, 5, "a@sender.example");
	say_submit(&w, 6, "b@sender.example");
	assert_int_equal(w.forked, 2);
	say_submit(&w, 7, "c@sender.example"); /* no place is left for it */
	child_say_spf(&w.children[0], AUTH_PASS, "sender.example");
	world_turn(&w);
	assert_int_equal(w.forked, 2); /* what follows goes before what has not begun */
	assert_true(w.children[0].message);
	child_say_dkim(&w.children[0], AUTH_PASS, "signer.example");
	child_exit(&w.children[0]);
	assert_int_equal(w.delivered, 1);
	assert_int_equal(w.deliver.transaction, 5);
	assert_int_equal(w.forked, 3);
}

static void
content_follows_a_crash(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	say_envelope(&w, 5, "a@sender.example");
	say_submit(&w, 5, "a@sender.example");
	child_gone(&w.children[0], 139);
	world_turn(&w);
	assert_int_equal(w.forked, 2);
	child_say_dkim(&w.children[1], AUTH_PASS, "signer.example");
	child_exit(&w.children[1]);
	assert_int_equal(w.delivered, 0);
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	assert_int_equal(jobs_active(&w.d->jobs), 0);
}

static void
followers_go_with_their_transaction(void **state)
{
	struct msg_envelope_drop drop = {1, 5};

	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	for (uint64_t i = 5; i <= 8; i++) {
		say_envelope(&w, i, "a@sender.example");
		say_submit(&w, i, "a@sender.example");
	}
	assert_int_equal(w.forked, 2);
	for (drop.transaction = 5; drop.transaction <= 8; drop.transaction++)
		link_send(w.smtpd, MSG_envelope_drop, &drop, -1);
	world_turn(&w);
	assert_int_equal(w.d->transactions.count, 0);
	for (unsigned i = 0; i < w.forked; i++)
		child_gone(&w.children[i], 0);
	assert_int_equal(jobs_active(&w.d->jobs), 0);
	assert_int_equal(w.d->jobs.queue.waiting, 0);
}

static void
process_ends_with_its_transaction(void **state)
{
	struct msg_envelope_drop drop = {1, 5};

	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	say_envelope(&w, 5, "a@sender.example");
	child_say_spf(&w.children[0], AUTH_PASS, "sender.example");
	world_turn(&w);
	assert_true(link_alive(w.children[0].link));
	link_send(w.smtpd, MSG_envelope_drop, &drop, -1);
	world_turn(&w);
	assert_false(link_alive(w.children[0].link));
	assert_int_equal(w.kills, 0);
}

/* What it said before is worth nothing when it breaks the rules later. */
static void
lie_while_resting(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	say_envelope(&w, 5, "a@sender.example");
	child_say_spf(&w.children[0], AUTH_PASS, "sender.example");
	world_turn(&w);
	child_say_spf(&w.children[0], AUTH_PASS, "sender.example");
	world_turn(&w);
	assert_int_equal(w.kills, 1);
	say_submit(&w, 5, "a@sender.example");
	child_say_dkim(&w.children[1], AUTH_PASS, "signer.example");
	child_exit(&w.children[1]);
	assert_int_equal(w.delivered, 0);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
}

static void
resting_processes_are_bounded(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	for (unsigned i = 0; i < PROCESSES_BOUND_MAX + 3; i++) {
		say_envelope(&w, 100 + i, "a@sender.example");
		child_say_spf(&w.children[i], AUTH_PASS, "sender.example");
		world_turn(&w);
		if (i >= PROCESSES_BOUND_MAX)
			child_gone(&w.children[i - PROCESSES_BOUND_MAX], 0);
	}
	assert_int_equal(w.d->jobs.processes.count[PROCESS_RESTING], PROCESSES_BOUND_MAX);
	assert_false(link_alive(w.children[2].link));
	assert_true(link_alive(w.children[3].link));
}

/* ---- several messages in a process --------------------------------------------------------------- */

static void
messages_share_a_process(void **state)
{
	(void)state;
	world_begin_with(&w, "false", "mark", "true", 3);
	for (uint64_t i = 1; i <= 3; i++) {
		say_submit(&w, i, "");
		assert_int_equal(w.forked, 1);
		assert_int_equal(w.children[0].stay, i < 3);
		child_say_dkim(&w.children[0], AUTH_PASS, "signer.example");
		world_turn(&w);
		assert_int_equal(w.delivered, i < 3 ? i : 2);
	}
	child_exit(&w.children[0]);
	assert_int_equal(w.delivered, 3);
	say_submit(&w, 4, "");
	assert_int_equal(w.forked, 2);
}

/* One that ends with what others left in it costs nobody a message. */
static void
crash_in_a_shared_process_is_repeated(void **state)
{
	(void)state;
	world_begin_with(&w, "false", "mark", "true", 3);
	say_submit(&w, 1, "");
	child_say_dkim(&w.children[0], AUTH_PASS, "signer.example");
	world_turn(&w);
	say_submit(&w, 2, "");
	child_gone(&w.children[0], 139);
	world_turn(&w);
	assert_int_equal(w.refused, 0);
	assert_int_equal(w.forked, 2);
	assert_true(w.children[1].message);
	/* but only once */
	child_gone(&w.children[1], 139);
	world_turn(&w);
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	assert_int_equal(jobs_active(&w.d->jobs), 0);
}

static void
row_248_crash(void **state)
{
	(void)state;
	goes_wrong(crash);
}

static void
lie_second_answer(void **state)
{
	(void)state;
	goes_wrong(second_answer);
}

static void
lie_wrong_answer(void **state)
{
	(void)state;
	goes_wrong(answer_to_something_else);
}

/* The client of a relay, when no relay was there. */
static void
relayed_unasked(struct world_child *c)
{
	struct msg_job_message_answer a = {
	    .relayed = 1, .spf = AUTH_PASS, .spf_domain = SPAN("bank.example")};

	assert_true(link_send(c->link, MSG_job_message_answer, &a, -1));
	link_flush(c->link);
}

static void
lie_relayed(void **state)
{
	(void)state;
	goes_wrong(relayed_unasked);
}

static void
say_author(struct world_child *c, enum dmarc_match spf, enum auth_result dkim, unsigned requested)
{
	uint8_t room[600];
	struct buf b = BUF_OVER(room);
	struct msg_author_verdict v = {.domain = SPAN("author.example"),
	    .policy_domain = SPAN("author.example"),
	    .found = DMARC_FOUND,
	    .requested = (uint8_t)requested,
	    .spf = (uint8_t)spf,
	    .dkim = (uint8_t)dkim};
	struct msg_job_message_answer a = {.from = FROM_GOOD, .authors = {.count = 1}};

	assert_true(msg_list_put(&b, RECORD_author_verdict, &v));
	a.authors.encoded = buf_span(&b);
	assert_true(link_send(c->link, MSG_job_message_answer, &a, -1));
	child_exit(c);
}

/* The result of SPF is the dispatcher's to add: the process that saw the content does not know it. */
static void
row_243_dmarc_joins_both_checks(void **state)
{
	static const struct {
		enum auth_result spf;
		enum dmarc_match match;
		enum auth_result dkim;
		unsigned requested;
		int refusal; /* -1: delivered */
		bool quarantine;
	} rows[] = {
	    {AUTH_PASS, DMARC_ALIGNED, AUTH_FAIL, DMARC_POLICY_REJECT, -1, false},
	    {AUTH_PASS, DMARC_APART, AUTH_FAIL, DMARC_POLICY_REJECT, REFUSAL_DMARC, false},
	    {AUTH_FAIL, DMARC_ALIGNED, AUTH_FAIL, DMARC_POLICY_REJECT, REFUSAL_DMARC, false},
	    {AUTH_FAIL, DMARC_ALIGNED, AUTH_PASS, DMARC_POLICY_REJECT, -1, false},
	    {AUTH_FAIL, DMARC_ALIGNED, AUTH_FAIL, DMARC_POLICY_QUARANTINE, -1, true},
	    {AUTH_FAIL, DMARC_ALIGNED, AUTH_FAIL, DMARC_POLICY_NONE, -1, false},
	    {AUTH_TEMPERROR, DMARC_ALIGNED, AUTH_FAIL, DMARC_POLICY_REJECT, REFUSAL_DNS, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_begin_played(&w, "true", "mark", "true");
		world_set(&w, "dmarc.check", "true");
		say_envelope(&w, 5, "a@sender.example");
		child_say_spf(&w.children[0], rows[i].spf, "sender.example");
		world_turn(&w);
		say_submit(&w, 5, "a@sender.example");
		say_author(&w.children[0], rows[i].match, rows[i].dkim, rows[i].requested);
		world_turn(&w);
		assert_int_equal(w.delivered, rows[i].refusal < 0);
		if (rows[i].refusal >= 0)
			assert_int_equal(w.refusal, rows[i].refusal);
		else
			assert_int_equal(w.deliver.disposition, rows[i].quarantine);
		if (i + 1 < sizeof(rows) / sizeof(rows[0]))
			world_end(&w);
	}
}

static void
lie_name(void **state)
{
	(void)state;
	goes_wrong(syntax_in_a_name);
}

static void
lie_question_after_answer(void **state)
{
	(void)state;
	goes_wrong(question_after_the_answer);
}

static void
hang_until_the_budget_ends(void **state)
{
	(void)state;
	world_begin_played(&w, "false", "mark", "true");
	say_submit_with(&w, 5, "", "x", 1, -1, 200);
	WORLD_UNTIL(&w, w.refused == 1);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	assert_int_equal(w.delivered, 0);
	assert_false(link_alive(w.children[0].link));
}

static void
fork_that_fails(void **state)
{
	(void)state;
	world_begin_played(&w, "false", "mark", "true");
	say_submit(&w, 5, "");
	child_gone(&w.children[0], UINT32_MAX);
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	assert_int_equal(jobs_active(&w.d->jobs), 0);
}

static void
zygote_down(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	say_envelope(&w, 5, "a@sender.example");
	link_free(&w.zygote);
	link_free(&w.children[0].link);
	world_turn(&w);
	assert_int_equal(jobs_active(&w.d->jobs), 0);
	say_submit(&w, 5, "a@sender.example");
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	w.zygote = world_connect(&w, PROGRAM_VALIDATOR, 0, &world_zygote);
	world_turn(&w);
	say_submit(&w, 6, "a@sender.example");
	assert_int_equal(w.forked, 2);
}

/* Row F30: whoever waits for a zygote that stands still does not wait as long as for a check. */
static void
row_F30_zygote_that_does_not_answer(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	w.d->jobs.processes.probe_ms = 2;
	say_envelope(&w, 5, "a@sender.example");
	WORLD_UNTIL(&w, w.probes > 3); /* it answers, however long the check takes */
	assert_non_null(w.d->zygote);
	w.zygote_hangs = true;
	WORLD_UNTIL(&w, w.d->zygote == NULL);
	w.zygote_hangs = false;
	link_free(&w.zygote); /* the supervisor ends it, and its children with it */
	link_free(&w.children[0].link);
	say_submit(&w, 5, "a@sender.example");
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	w.zygote = world_connect(&w, PROGRAM_VALIDATOR, 0, &world_zygote);
	world_turn(&w);
	say_submit(&w, 6, "a@sender.example");
	assert_int_equal(w.forked, 2);
	assert_non_null(w.d->zygote);
}

/* One that nothing is asked of is not asked whether it lives. */
static void
idle_zygote_is_left_alone(void **state)
{
	unsigned before;

	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	w.d->jobs.processes.probe_ms = 2;
	say_submit(&w, 5, "");
	for (unsigned i = 0; i < w.forked; i++)
		child_gone(&w.children[i], UINT32_MAX);
	WORLD_UNTIL(&w, !w.d->jobs.processes.probing);
	before = w.probes;
	w.zygote_hangs = true;
	for (int i = 0; i < 20; i++) {
		usleep(1000);
		world_turn(&w);
	}
	w.zygote_hangs = false;
	assert_int_equal(w.probes, before);
	assert_non_null(w.d->zygote);
}

static void
smtpd_gone(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	say_envelope(&w, 5, "a@sender.example");
	say_envelope(&w, 6, "a@sender.example");
	say_submit(&w, 6, "a@sender.example");
	link_free(&w.smtpd);
	world_turn(&w);
	assert_int_equal(w.d->transactions.count, 0);
	assert_int_equal(w.d->held_count, 0);
	for (unsigned i = 0; i < w.forked; i++)
		child_gone(&w.children[i], 0);
	assert_int_equal(jobs_active(&w.d->jobs), 0);
	assert_int_equal(w.delivered, 0);
}

/* ---- limits -------------------------------------------------------------------------------------- */

static void
checks_wait_for_their_turn(void **state)
{
	(void)state;
	world_begin_played(&w, "false", "mark", "true");
	for (uint64_t i = 0; i < 4; i++)
		say_submit(&w, i, "");
	assert_int_equal(w.forked, 2); /* limits.message_checks */
	child_say_dkim(&w.children[0], AUTH_PASS, "signer.example");
	link_flush(w.children[0].link);
	link_free(&w.children[0].link);
	world_turn(&w);
	assert_int_equal(w.delivered, 1);
	assert_int_equal(w.forked, 3);
	/* one that is killed takes its time until it is reaped */
	child_say_dkim(&w.children[1], AUTH_PASS, "signer.example");
	child_say_dkim(&w.children[1], AUTH_PASS, "signer.example");
	world_turn(&w);
	assert_int_equal(w.kills, 1);
	assert_int_equal(w.forked, 3);
	child_gone(&w.children[1], 0);
	assert_int_equal(w.forked, 4);
}

/* Those that have ended their links and do not exit may compute after all. */
static void
not_many_are_believed_to_have_left(void **state)
{
	unsigned served = 0;

	(void)state;
	world_begin_played(&w, "false", "mark", "true");
	for (uint64_t i = 0; i < PROCESSES_LEFT_MAX + 4; i++)
		say_submit(&w, i, "");
	while (served < w.forked) {
		struct world_child *child = &w.children[served++];

		child_say_dkim(child, AUTH_PASS, "signer.example");
		link_flush(child->link);
		link_free(&child->link);
		world_turn(&w);
	}
	assert_int_equal(served, PROCESSES_LEFT_MAX + 2);
	assert_int_equal(w.delivered, served);
	child_gone(&w.children[0], 0);
	assert_int_equal(w.forked, served + 1);
}

static void
row_311_no_turn_is_busy(void **state)
{
	(void)state;
	world_begin_played(&w, "false", "mark", "true");
	say_submit(&w, 1, "");
	say_submit(&w, 2, "");
	say_submit_with(&w, 3, "", "x", 1, -1, 100);
	WORLD_UNTIL(&w, w.refused == 1);
	assert_int_equal(w.refusal, REFUSAL_BUSY);
	assert_int_equal(w.refused_transaction, 3);
}

/* ---- questions ----------------------------------------------------------------------------------- */

static void
ask(struct world_child *c, uint32_t query)
{
	struct msg_dns_ask m = {query, DNS_TYPE_TXT, SPAN("x.example"), 60000, 0, 0};

	assert_true(link_send(c->link, MSG_dns_ask, &m, -1));
	world_turn(&w);
}

static void
answer(uint32_t query)
{
	struct msg_dns_answer m = {.query = query, .status = DNS_NO_NAME};

	link_send(w.resolver, MSG_dns_answer, &m, -1);
	world_turn(&w);
}

/* One that takes long, for the DNS is slow, does not hold up the other. */
static void
content_follows_a_slow_envelope_not_for_long(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "true");
	say_envelope(&w, 5, "a@sender.example");
	say_submit(&w, 5, "a@sender.example");
	for (int i = 0; i < 2 * JOB_FOLLOWS_MS; i++) {
		usleep(1000);
		world_turn(&w);
	}
	assert_int_equal(w.forked, 1); /* as long as it computes */
	ask(&w.children[0], 1);
	WORLD_UNTIL(&w, w.forked == 2);
	assert_true(w.children[1].message);
	answer(w.question.query);
	child_say_spf(&w.children[0], AUTH_PASS, "sender.example");
	world_turn(&w);
	child_say_dkim(&w.children[1], AUTH_PASS, "signer.example");
	child_exit(&w.children[1]);
	assert_int_equal(w.delivered, 1);
	child_gone(&w.children[0], 0);
	assert_int_equal(jobs_active(&w.d->jobs), 0);
}

static void
questions_go_and_come_back(void **state)
{
	uint32_t first, second;

	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	say_envelope(&w, 1, "a@sender.example");
	say_envelope(&w, 2, "a@sender.example");
	ask(&w.children[0], 7);
	first = w.question.query;
	ask(&w.children[1], 7);
	second = w.question.query;
	assert_int_not_equal(first, second);
	assert_true(w.question.timeout_ms <= 20000);
	answer(second);
	assert_int_equal(w.children[0].dns_answers, 0);
	assert_int_equal(w.children[1].dns_answers, 1);
	assert_int_equal(w.children[1].dns_query, 7);
	assert_int_equal(w.children[1].dns_status, DNS_NO_NAME);
	answer(second); /* twice, and one that was never asked */
	answer(first + 4096000);
	assert_int_equal(w.children[1].dns_answers, 1);
	/* an answer to a child that is gone */
	link_free(&w.children[0].link);
	world_turn(&w);
	answer(first);
	assert_int_equal(w.d->questions.first_free, first % QUESTIONS_MAX);
}

/* A check that waits for the DNS takes no processor: others begin meanwhile. */
static void
row_256_waiting_for_the_dns_takes_no_place(void **state)
{
	uint32_t queries[2];

	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	for (uint64_t i = 0; i < 4; i++)
		say_envelope(&w, i, "a@sender.example");
	assert_int_equal(w.forked, 2);
	ask(&w.children[0], 7);
	queries[0] = w.question.query;
	assert_int_equal(w.forked, 3);
	ask(&w.children[1], 7);
	queries[1] = w.question.query;
	assert_int_equal(w.forked, 4);
	/* two compute: an answer waits until one of them ends or asks */
	answer(queries[0]);
	answer(queries[1]);
	assert_int_equal(w.children[0].dns_answers + w.children[1].dns_answers, 0);
	ask(&w.children[2], 7);
	assert_int_equal(w.children[0].dns_answers, 1);
	assert_int_equal(w.children[0].dns_status, DNS_NO_NAME);
	assert_int_equal(w.children[1].dns_answers, 0);
	child_say_spf(&w.children[3], AUTH_PASS, "sender.example");
	child_exit(&w.children[3]);
	assert_int_equal(w.children[1].dns_answers, 1);
}

/* Those that wake and those that begin take turns, whichever has a place first. */
static void
wakes_and_begins_in_turn(void **state)
{
	uint32_t queries[4];

	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	for (uint64_t i = 0; i < 10; i++)
		say_envelope(&w, i, "a@sender.example");
	for (size_t i = 0; i < 4; i++) {
		ask(&w.children[i], 7);
		queries[i] = w.question.query;
	}
	assert_int_equal(w.forked, 6);
	for (size_t i = 0; i < 4; i++)
		answer(queries[i]);
	/* two places, one after the other */
	for (size_t i = 4; i < 6; i++) {
		child_say_spf(&w.children[i], AUTH_PASS, "sender.example");
		child_exit(&w.children[i]);
	}
	assert_int_equal(w.forked, 7);
	assert_int_equal(w.children[0].dns_answers, 1);
	assert_int_equal(w.children[1].dns_answers, 0);
}

static void
one_network_takes_a_tenth(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	for (uint64_t i = 0; i < 40; i++) {
		say_envelope_from(
		    &w, i, i % 2 == 0 ? "192.0.2.1" : "192.0.2.2", "a@sender.example");
		for (unsigned c = (unsigned)i; c < w.forked; c++)
			ask(&w.children[c], 7);
	}
	assert_int_equal(w.forked, QUEUE_RUNNING_MAX);
	assert_int_equal(w.d->jobs.queue.waiting, 40 - QUEUE_RUNNING_MAX);
	/* another network does not wait for it */
	say_envelope_from(&w, 100, "198.51.100.1", "b@sender.example");
	assert_int_equal(w.forked, QUEUE_RUNNING_MAX + 1);
	assert_memory_equal(w.children[QUEUE_RUNNING_MAX].reverse_path, "b@sender.example", 16);
	/* and its next one begins when one of its own has ended */
	answer(w.question.query);
	child_say_spf(&w.children[QUEUE_RUNNING_MAX - 1], AUTH_PASS, "sender.example");
	child_exit(&w.children[QUEUE_RUNNING_MAX - 1]);
	assert_int_equal(w.forked, QUEUE_RUNNING_MAX + 2);
}

static void
networks_take_turns(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	say_envelope_from(&w, 1, "192.0.2.1", "a1@sender.example");
	say_envelope_from(&w, 2, "192.0.2.1", "a2@sender.example");
	say_envelope_from(&w, 3, "192.0.2.1", "a3@sender.example");
	say_envelope_from(&w, 4, "192.0.2.1", "a4@sender.example");
	say_envelope_from(&w, 5, "2001:db8::1", "b5@sender.example");
	for (unsigned i = 0; i < 3; i++) {
		child_say_spf(&w.children[i], AUTH_PASS, "sender.example");
		child_exit(&w.children[i]);
	}
	assert_int_equal(w.forked, 5);
	assert_memory_equal(w.children[2].reverse_path, "a3", 2);
	assert_memory_equal(w.children[3].reverse_path, "b5", 2);
	assert_memory_equal(w.children[4].reverse_path, "a4", 2);
}

static void
row_257_316_client_budget(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	for (unsigned i = 0; i <= BUDGET_BURST / 50; i++) {
		say_envelope(&w, i, "a@sender.example");
		for (uint32_t q = 0; q < 50; q++)
			ask(&w.children[i], q);
		assert_int_equal(w.question.known_only, i * 50 >= BUDGET_BURST);
		child_gone(&w.children[i], 0);
	}
	assert_int_equal(w.question.known_only, 1);
	/* one more goes out for each answer that was known */
	say_envelope_from(&w, 200, "198.51.100.1", "a@sender.example");
	ask(&w.children[w.forked - 1], 1);
	assert_int_equal(w.question.known_only, 0);
}

static void
row_256_257_budget(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	say_envelope(&w, 1, "a@sender.example");
	for (uint32_t i = 0; i < 70; i++)
		ask(&w.children[0], i);
	assert_int_equal(w.questions, QUESTIONS_PER_MESSAGE);
	assert_int_equal(w.children[0].dns_answers, 10);
	assert_int_equal(w.children[0].dns_status, DNS_TROUBLE);
}

/* A world whose dispatcher asks ahead. */
static void
begin_foresight(uint32_t patience_ms)
{
	world_begin_played(&w, "true", "mark", "true");
	world_set(&w, "dmarc.check", "true");
	w.d->foresight_ms = patience_ms;
}

static uint32_t asked[10];
static uint8_t asked_names[10][100];

static void
note_question(struct world *world, const struct msg_dns_ask *ask)
{
	asked[world->questions - 1] = ask->query;
	memcpy(asked_names[world->questions - 1], ask->name.p, ask->name.len);
}

static void
answer_text(uint32_t query)
{
	uint8_t room[100];
	struct buf b = BUF_OVER(room);
	struct msg_dns_record record = {0, SPAN("v=spf1 -all")};
	struct msg_dns_answer m = {.query = query, .status = DNS_OK, .ttl = 60};

	msg_list_put(&b, RECORD_dns_record, &record);
	m.records.count = 1;
	m.records.encoded = buf_span(&b);
	link_send(w.resolver, MSG_dns_answer, &m, -1);
	world_turn(&w);
}

/* What is sure to be asked is asked before there is a process; the content need not wait for it. */
static void
asks_ahead(void **state)
{
	struct msg_dns_ask again = {9, DNS_TYPE_TXT, SPAN("_dmarc.sender.example"), 1000, 0, 0};

	(void)state;
	begin_foresight(60000);
	w.on_question = note_question;
	say_envelope(&w, 5, "a@Sender.example");
	assert_int_equal(w.questions, 2);
	assert_memory_equal(asked_names[0], "sender.example", 14);
	assert_memory_equal(asked_names[1], "_dmarc.sender.example", 21);
	assert_int_equal(w.forked, 0);
	say_submit(&w, 5, "a@Sender.example");
	assert_int_equal(w.forked, 1);
	assert_true(w.children[0].message);
	assert_true(w.children[0].stay);
	answer_text(asked[0]);
	assert_false(w.children[0].envelope);
	answer_text(asked[1]);
	child_say_dkim(&w.children[0], AUTH_PASS, "signer.example");
	world_turn(&w);
	assert_int_equal(w.delivered, 0);
	assert_int_equal(w.forked, 1);
	assert_true(w.children[0].envelope); /* the same process, after the content */
	assert_int_equal(w.children[0].foretold, 1);
	assert_false(w.children[0].stay);
	link_send(w.children[0].link, MSG_dns_ask, &again, -1);
	world_turn(&w);
	assert_int_equal(w.children[0].dns_answers, 1);
	assert_int_equal(w.questions, 2);
	child_say_spf(&w.children[0], AUTH_PASS, "sender.example");
	child_exit(&w.children[0]);
	assert_int_equal(w.delivered, 1);
	assert_int_equal(w.deliver.spf, AUTH_PASS);
	assert_int_equal(w.deliver.dkim, 1);
	/* and what is known is not waited for */
	say_envelope(&w, 6, "b@sender.example");
	assert_int_equal(w.questions, 2);
	assert_int_equal(w.forked, 2);
	assert_true(w.children[1].envelope);
	assert_int_equal(w.children[1].foretold, 2); /* and what the one before asked next */
	child_say_spf(&w.children[1], AUTH_PASS, "sender.example");
	world_turn(&w);
	say_submit(&w, 6, "b@sender.example");
	assert_int_equal(w.children[1].foretold, 3); /* SPF and that, then DMARC */
	w.on_question = NULL;
}

/* One message: its process asks for what the SPF record includes. */
static void
ask_included(uint32_t transaction)
{
	struct msg_dns_ask ask = {9, DNS_TYPE_TXT, SPAN("_spf.sender.example"), 1000, 0, 0};
	struct world_child *child = &w.children[w.forked];

	say_envelope(&w, transaction, "a@sender.example");
	for (unsigned i = 0; i < w.questions; i++)
		answer_text(asked[i]);
	assert_true(child->envelope);
	link_send(child->link, MSG_dns_ask, &ask, -1);
	world_turn(&w);
	answer_text(asked[w.questions - 1]);
	child_say_spf(child, AUTH_PASS, "sender.example");
	world_turn(&w);
}

/* What was asked after it the time before is told with it, but not what only one has ever asked. */
static void
tells_what_will_be_asked_next(void **state)
{
	(void)state;
	begin_foresight(60000);
	w.on_question = note_question;
	for (unsigned i = 0; i < 3; i++) {
		ask_included(5 + i);
		assert_int_equal(w.questions, 3);
		assert_int_equal(w.children[i].dns_answers, 1);
		assert_int_equal(w.children[i].foretold, i < 2 ? 1 : 2);
	}
	w.on_question = NULL;
}

static void
asks_ahead_and_waits_not_for_long(void **state)
{
	(void)state;
	begin_foresight(20);
	say_envelope(&w, 5, "a@sender.example");
	assert_int_equal(w.forked, 0);
	WORLD_UNTIL(&w, w.forked == 1);
	assert_true(w.children[0].envelope);
	/* late ones are nobody's */
	answer_text(w.question.query);
	assert_int_equal(w.children[0].dns_answers, 0);
	child_say_spf(&w.children[0], AUTH_PASS, "sender.example");
	world_turn(&w);
	assert_int_equal(w.envelope_answers, 1);
}

/* The content is checked while the answers are waited for, and what it said counts as well. */
static void
asks_ahead_for_one_that_lies(void **state)
{
	(void)state;
	begin_foresight(60000);
	w.on_question = note_question;
	say_envelope(&w, 5, "a@sender.example");
	say_submit(&w, 5, "a@sender.example");
	child_say_dkim(&w.children[0], AUTH_PASS, "signer.example");
	world_turn(&w);
	assert_int_equal(w.d->jobs.processes.count[PROCESS_RESTING], 1);
	child_say_dkim(&w.children[0], AUTH_PASS, "signer.example");
	world_turn(&w);
	assert_int_equal(w.kills, 1);
	answer_text(asked[0]);
	answer_text(asked[1]);
	for (unsigned i = 1; i < w.forked; i++) {
		child_say_spf(&w.children[i], AUTH_PASS, "sender.example");
		child_exit(&w.children[i]);
	}
	assert_int_equal(w.delivered, 0);
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	w.on_question = NULL;
}

static void
asks_ahead_for_nobody(void **state)
{
	struct msg_envelope_drop drop = {1, 5};

	(void)state;
	begin_foresight(60000);
	say_envelope(&w, 5, "a@sender.example");
	say_envelope(&w, 6, "a@ugly name.example"); /* left to the check */
	assert_int_equal(w.questions, 2);
	assert_int_equal(w.forked, 1);
	link_send(w.smtpd, MSG_envelope_drop, &drop, -1);
	world_turn(&w);
	answer_text(w.question.query);
	assert_int_equal(w.forked, 1);
	say_envelope(&w, 7, "a@other.example");
	link_free(&w.resolver); /* no answer will come */
	world_turn(&w);
	assert_int_equal(w.forked, 2);
}

/* For as long as it may be kept; and it counts as one that a message asked. */
static void
what_was_answered_is_not_asked_again(void **state)
{
	struct msg_dns_answer answer = {.status = DNS_NO_NAME, .ttl = 3600};

	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	say_envelope(&w, 1, "a@sender.example");
	ask(&w.children[0], 7);
	assert_int_equal(w.questions, 1);
	answer.query = w.question.query;
	link_send(w.resolver, MSG_dns_answer, &answer, -1);
	world_turn(&w);
	assert_int_equal(w.children[0].dns_answers, 1);
	for (uint32_t i = 8; i < 8 + QUESTIONS_PER_MESSAGE; i++) {
		ask(&w.children[0], i);
		assert_int_equal(w.children[0].dns_query, i);
	}
	assert_int_equal(w.children[0].dns_answers, 1 + QUESTIONS_PER_MESSAGE);
	assert_int_equal(w.children[0].dns_status, DNS_TROUBLE); /* one too many */
	assert_int_equal(w.questions, 1);
	/* A new resolverd may see things another way. */
	say_envelope(&w, 2, "a@sender.example");
	ask(&w.children[1], 1);
	assert_int_equal(w.children[1].dns_status, DNS_NO_NAME);
	link_free(&w.resolver);
	w.resolver = world_connect(&w, PROGRAM_RESOLVERD, 0, &world_resolver);
	world_turn(&w);
	ask(&w.children[1], 2);
	assert_int_equal(w.questions, 2);
}

static void
row_259_resolver_down(void **state)
{
	(void)state;
	world_begin_played(&w, "true", "mark", "false");
	say_envelope(&w, 1, "a@sender.example");
	ask(&w.children[0], 1);
	link_free(&w.resolver);
	world_turn(&w);
	assert_int_equal(w.children[0].dns_answers, 1);
	assert_int_equal(w.children[0].dns_status, DNS_TROUBLE);
	ask(&w.children[0], 2);
	assert_int_equal(w.children[0].dns_answers, 2);
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void
on_drained(void *arg)
{
	bool *drained = arg;

	*drained = true;
}

static void
drains_when_smtpd_is_gone(void **state)
{
	(void)state;
	world_begin_played(&w, "false", "mark", "true");
	say_submit(&w, 1, "");
	dispatcher_drain(w.d, on_drained, &w.drained);
	assert_false(w.drained);
	child_say_dkim(&w.children[0], AUTH_PASS, "signer.example");
	child_exit(&w.children[0]);
	assert_int_equal(w.delivered, 1);
	link_free(&w.smtpd);
	world_turn(&w);
	assert_true(w.drained);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(passes_through),
	    TEST(row_303_bad_descriptors),
	    TEST(handoff_down),
	    TEST(envelope_then_submit),
	    TEST(submit_waits_for_the_envelope),
	    TEST(results_are_not_smtpds_to_choose),
	    TEST(drop_forgets),
	    TEST(refusals_by_policy),
	    TEST(loopback_is_not_checked),
	    TEST(signatures_travel),
	    TEST(both_checks),
	    TEST(one_process_for_a_message),
	    TEST(content_follows_the_envelope),
	    TEST(content_follows_a_slow_envelope_not_for_long),
	    TEST(content_follows_a_crash),
	    TEST(followers_go_with_their_transaction),
	    TEST(process_ends_with_its_transaction),
	    TEST(lie_while_resting),
	    TEST(resting_processes_are_bounded),
	    TEST(messages_share_a_process),
	    TEST(crash_in_a_shared_process_is_repeated),
	    TEST(row_248_crash),
	    TEST(lie_second_answer),
	    TEST(lie_wrong_answer),
	    TEST(lie_name),
	    TEST(lie_relayed),
	    TEST(row_243_dmarc_joins_both_checks),
	    TEST(lie_question_after_answer),
	    TEST(hang_until_the_budget_ends),
	    TEST(fork_that_fails),
	    TEST(zygote_down),
	    TEST(row_F30_zygote_that_does_not_answer),
	    TEST(idle_zygote_is_left_alone),
	    TEST(smtpd_gone),
	    TEST(checks_wait_for_their_turn),
	    TEST(not_many_are_believed_to_have_left),
	    TEST(row_311_no_turn_is_busy),
	    TEST(questions_go_and_come_back),
	    TEST(row_256_waiting_for_the_dns_takes_no_place),
	    TEST(wakes_and_begins_in_turn),
	    TEST(one_network_takes_a_tenth),
	    TEST(networks_take_turns),
	    TEST(row_257_316_client_budget),
	    TEST(row_256_257_budget),
	    TEST(what_was_answered_is_not_asked_again),
	    TEST(asks_ahead),
	    TEST(tells_what_will_be_asked_next),
	    TEST(asks_ahead_and_waits_not_for_long),
	    TEST(asks_ahead_for_one_that_lies),
	    TEST(asks_ahead_for_nobody),
	    TEST(row_259_resolver_down),
	    TEST(drains_when_smtpd_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

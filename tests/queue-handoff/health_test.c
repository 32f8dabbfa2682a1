/* Which servers take connections, and so which groups are down; refusals by their codes. */
#include "queue-handoff/health.h"

#include "tests/queue-handoff/handoff_place.h"

#include "queue-handoff/complaints.h"
#include "tests/queue-handoff/fake_mail.h"

static unsigned told, told_down;

static void
on_state(void *ctx, const struct group *g)
{
	(void)ctx;
	told++;
	told_down += health_group_is_down(g);
}

static struct health *
begin(struct place *p, unsigned servers)
{
	struct health *h;

	group_set(p, servers);
	told = told_down = 0;
	h = health_new(p->loop, &p->backends, on_state, NULL);
	assert_non_null(h);
	handoff_use(p->handoff, h, NULL, NULL);
	return h;
}

/* One connection that is not taken may be chance. Probes find out, and find the way back. */
static void
down_and_up_again(void **state)
{
	struct place *p = *state;
	struct health *h = begin(p, 1);
	struct sockaddr_in address = p->fakes[0]->address;
	const int on = 1;

	fake_refuse(p->fakes[0]);
	assert_int_equal(run_small(p), HANDOFF_NO_CONNECTION);
	assert_int_equal(told, 0);
	while (told == 0)
		loop_turn(p->loop, true);
	assert_int_equal(told_down, 1);
	assert_true(health_group_is_down(&p->backends.groups[0]));
	p->fakes[0]->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(p->fakes[0]->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(p->fakes[0]->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(p->fakes[0]->fd, 10), 0);
	watch_start(
	    p->loop, &p->fakes[0]->watch, p->fakes[0]->fd, WATCH_READ, fake_accept, p->fakes[0]);
	while (told == 1)
		loop_turn(p->loop, true);
	assert_int_equal(told_down, 1);
	assert_false(health_group_is_down(&p->backends.groups[0]));
	assert_int_equal(run_small(p), HANDOFF_TAKEN);
	health_free(&h);
}

static void
one_server_is_enough(void **state)
{
	struct place *p = *state;
	struct health *h = begin(p, 2);

	fake_refuse(p->fakes[0]);
	for (int i = 0; i < 4; i++)
		assert_int_equal(run_small(p), HANDOFF_TAKEN);
	for (uint64_t began = clock_ms(); clock_ms() - began < 400;)
		loop_turn(p->loop, true);
	assert_int_equal(told, 0);
	health_free(&h);
}

/* Trouble after the connection says nothing about connections. */
static void
broken_is_not_down(void **state)
{
	struct place *p = *state;
	struct health *h = begin(p, 1);

	p->fakes[0]->script.close_at = 10;
	for (int i = 0; i < 5; i++)
		assert_int_equal(run_small(p), HANDOFF_BROKEN);
	assert_int_equal(told, 0);
	assert_int_equal(p->backends.groups[0].servers[0].misses, 0);
	health_free(&h);
}

/* With SMTP only a greeting is good news. */
static void
probe_waits_for_the_greeting(void **state)
{
	struct place *p = *state;
	struct mail *m = mail_new(p->loop, MAIL_SMTP);
	struct health *h;

	p->protocol = CONF_PROTOCOL_SMTP;
	h = begin(p, 1);
	*server_in(&p->backends.groups[0].servers[0]) = m->address;
	m->script.banner = "554 not now\r\n";
	health_missed(h, &p->backends.groups[0].servers[0]);
	while (told == 0)
		loop_turn(p->loop, true);
	assert_int_equal(told_down, 1);
	m->script.banner = "220 back end\r\n";
	while (told == 1)
		loop_turn(p->loop, true);
	assert_int_equal(told_down, 1);
	turns(p, 10);
	assert_int_equal(m->complete, 0);
	health_free(&h);
	mail_free(m);
}

/* ---- refusals --------------------------------------------------------------------------------------- */

static void
row_282_refusals_by_code(void **state)
{
	static const char *const complaints[] = {"house rule"}, *const refusals[] = {"infected"};
	const struct group g = {.complaints = {1, complaints}, .refusals = {1, refusals}};
	static const struct {
		unsigned code;
		const char *status, *text, *doubt;
	} rows[] = {
	    {550, "5.1.1", "5.1.1 unknown", NULL},
	    {550, "5.2.1", "5.2.1 disabled", NULL},
	    {552, "5.2.2", "5.2.2 full", NULL},
	    {554, "5.6.0", "5.6.0 bad content", NULL},
	    {550, "", "unknown", NULL},
	    {554, "", "no", NULL},
	    {554, "5.7.1", "5.7.1 Relay access denied", "authorisation"},
	    {550, "5.7.26", "5.7.26 x", "authorisation"},
	    {503, "5.5.1", "5.5.1 x", "framing"},
	    {552, "5.3.4", "5.3.4 too big", "size"},
	    {552, "", "too big", "size"},
	    {554, "5.3.0", "5.3.0 x", "configuration"},
	    {550, "5.4.6", "5.4.6 loop", "configuration"},
	    {500, "", "what", "framing"},
	    {530, "", "authenticate", "authorisation"},
	    {521, "", "no mail here", "authorisation"},
	    {555, "", "parameters", "framing"},
	    {550, "5.6.0", "5.6.0 against our House Rule 3", "named"},
	    {554, "5.7.1", "5.7.1 INFECTED with x", NULL},
	    {0, "", "house rule", "named"},
	    {0, "", "message too large, infected", NULL},
	    {0, "", "message too large", "size"},
	    {0, "", "spam", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer a = {
		    ANSWER_REFUSED, rows[i].code, span_str(rows[i].status), span_str(rows[i].text)};
		const char *doubt = refusal_doubt(&a, &g, true);

		if ((doubt == NULL) != (rows[i].doubt == NULL) ||
		    (doubt != NULL && strcmp(doubt, rows[i].doubt) != 0))
			fail_msg("%u %s: %s", rows[i].code, rows[i].text,
			    doubt != NULL ? doubt : "believed");
		/* Of an untried server only what the operator has named is believed. */
		doubt = refusal_doubt(&a, &g, false);
		assert_int_equal(doubt == NULL, strcasestr(rows[i].text, "infected") != NULL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PLACED(down_and_up_again),
	    PLACED(one_server_is_enough),
	    PLACED(broken_is_not_down),
	    PLACED(probe_waits_for_the_greeting),
	    cmocka_unit_test(row_282_refusals_by_code),
	};

	process_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

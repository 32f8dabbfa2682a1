/* Names and lists of clients: what is asked, what is believed, and what it does to their mail. */
#include "validators/dns.h"

#include "tests/validators/world.h"

static struct world w;

/* ---- the DNS, as a table --------------------------------------------------------------------------- */

struct fact {
	const char *name;
	int type;
	int status;
	const char *values[12];
};

static const struct fact *facts;
static unsigned asked;
static bool silent; /* resolverd answers nothing */

/* Tests of the lists that wait for their answer. */
static bool hold_tests;
static uint32_t held[16];
static size_t held_count;

static void
put_value(struct buf *b, int type, const char *value)
{
	struct msg_dns_record r = {0, span_str(value)};
	struct ip ip;

	if (type != DNS_TYPE_PTR) {
		assert_true(ip_parse(span_str(value), &ip));
		r.data = type == DNS_TYPE_A ? span_of(ip.octets + 12, 4) : span_of(ip.octets, 16);
	}
	assert_true(msg_list_put(b, RECORD_dns_record, &r));
}

static void
answer(struct world *world, const struct msg_dns_ask *ask)
{
	struct msg_dns_answer m = {
	    .query = ask->query, .status = DNS_NO_NAME, .ttl = 300, .asked = 1};
	uint8_t room[2000];
	struct buf b = BUF_OVER(room);

	asked++;
	if (silent)
		return;
	if (hold_tests && span_eq(span_head(ask->name, 10), SPAN("1.0.0.127."))) {
		held[held_count++] = ask->query;
		return;
	}
	for (const struct fact *f = facts; f->name != NULL; f++) {
		if (!span_eq(ask->name, span_str(f->name)) || ask->type != f->type)
			continue;
		m.status = (uint8_t)f->status;
		for (; m.records.count < 12 && f->values[m.records.count] != NULL;
		     m.records.count++)
			put_value(&b, f->type, f->values[m.records.count]);
	}
	m.records.encoded = buf_span(&b);
	link_send(world->resolver, MSG_dns_answer, &m, -1);
}

static int
tear_down(void **state)
{
	(void)state;
	world_end(&w);
	w.set_up = NULL;
	w.on_question = NULL;
	silent = false;
	return 0;
}

static void
begin(void (*set_up)(struct world *world), const struct fact *table)
{
	facts = table;
	asked = 0;
	w.set_up = set_up;
	w.on_question = answer;
	world_begin(&w, "false", "mark", "false");
	asked = 0; /* not counting the tests of the lists */
}

/* Sends a whole message. Returns: whether it was delivered. */
static bool
deliver(const char *client)
{
	unsigned before = w.delivered;
	uint64_t number = 100 + w.delivered + w.refused;

	say_envelope_from(&w, number, client, "a@sender.example");
	say_submit_from(&w, number, client, "a@sender.example");
	WORLD_UNTIL(&w, w.delivered + w.refused == number - 99);
	return w.delivered > before;
}

/* ---- names ------------------------------------------------------------------------------------------- */

static void
names_only(struct world *world)
{
	(void)world;
}

static const struct fact named[] = {
    {"1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, DNS_OK, {"forged.example", "mail.example.net"}},
    {"forged.example", DNS_TYPE_A, DNS_OK, {"198.51.100.1"}},
    {"mail.example.net", DNS_TYPE_A, DNS_OK, {"198.51.100.7", "192.0.2.1"}},
    {"2.2.0.192.in-addr.arpa", DNS_TYPE_PTR, DNS_OK, {"forged.example"}},
    {"3.2.0.192.in-addr.arpa", DNS_TYPE_PTR, DNS_OK,
	{"_bad.example", "single", "mail.example.net"}},
    {"4.2.0.192.in-addr.arpa", DNS_TYPE_PTR, DNS_TROUBLE, {NULL}},
    {"5.2.0.192.in-addr.arpa", DNS_TYPE_PTR, DNS_OK, {"gone.example"}},
    {"gone.example", DNS_TYPE_A, DNS_TROUBLE, {NULL}},
    {"6.2.0.192.in-addr.arpa", DNS_TYPE_PTR, DNS_OK,
	{"a1.example", "a2.example", "a3.example", "a4.example", "a5.example", "a6.example",
	    "a7.example", "a8.example", "a9.example", "a10.example", "mail6.example",
	    "mail7.example"}},
    {"mail6.example", DNS_TYPE_A, DNS_OK, {"192.0.2.6"}},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", DNS_TYPE_PTR,
	DNS_OK, {"six.example.net"}},
    {"six.example.net", DNS_TYPE_AAAA, DNS_OK, {"2001:db8::1"}},
    {NULL, 0, 0, {NULL}},
};

static void
row_022_name_leads_back(void **state)
{
	(void)state;
	begin(names_only, named);
	assert_true(deliver("192.0.2.1"));
	assert_int_equal(w.client_name_len, 16);
	assert_memory_equal(w.client_name, "mail.example.net", 16);
	assert_true(deliver("2001:db8::1"));
	assert_memory_equal(w.client_name, "six.example.net", 15);
	assert_true(deliver("192.0.2.2"));
	assert_int_equal(w.client_name_len, 0);
	assert_true(deliver("192.0.2.3")); /* not its address, and no host names */
	assert_int_equal(w.client_name_len, 0);
	assert_true(deliver("192.0.2.6")); /* the eleventh name is not looked at */
	assert_int_equal(w.client_name_len, 0);
	assert_true(deliver("192.0.2.9"));
	assert_int_equal(w.client_name_len, 0);
}

static void
asked_once_for_many_messages(void **state)
{
	struct msg_arrival arrival = {{[10] = 255, 255, 192, 0, 2, 1}};
	unsigned before;

	(void)state;
	begin(names_only, named);
	link_send(w.smtpd, MSG_arrival, &arrival, -1);
	world_turn(&w);
	before = asked;
	assert_int_equal(before, 3);
	for (int i = 0; i < 5; i++)
		assert_true(deliver("192.0.2.1"));
	assert_int_equal(asked, before);
	assert_int_equal(w.client_name_len, 16);
}

static void
reject_unnamed(struct world *world)
{
	world_set(world, "reverse_dns.missing", "reject");
	world_set(world, "reverse_dns.unconfirmed", "defer");
}

static void
row_250_rules_for_names(void **state)
{
	(void)state;
	begin(reject_unnamed, named);
	assert_true(deliver("192.0.2.1"));
	assert_false(w.refuse);
	assert_false(deliver("192.0.2.9")); /* no name */
	assert_true(w.refuse);
	assert_int_equal(w.reason, REFUSAL_NO_REVERSE);
	assert_int_equal(w.refusal, REFUSAL_NO_REVERSE);
	assert_false(deliver("192.0.2.2"));
	assert_int_equal(w.refusal, REFUSAL_NO_REVERSE_DEFER);
	/* trouble is never a refusal for good, and never a pass */
	assert_false(deliver("192.0.2.4"));
	assert_int_equal(w.refusal, REFUSAL_DNS);
	assert_false(deliver("192.0.2.5"));
	assert_int_equal(w.refusal, REFUSAL_DNS);
	/* the client is this machine */
	assert_true(deliver("127.0.0.1"));
}

/* ---- lists ------------------------------------------------------------------------------------------- */

static void
lists(struct world *world)
{
	world_set(world, "reverse_dns.check", "false");
	world_set(world, "dnslist.black.zone", "black.example");
	world_set(world, "dnslist.black.answers", "127.0.0.2-127.0.0.11");
	world_set(world, "dnslist.black.weight", "5");
	world_set(world, "dnslist.grey.zone", "grey.example");
	world_set(world, "dnslist.grey.weight", "3");
	world_set(world, "dnslist.white.zone", "white.example");
	world_set(world, "dnslist.white.allow", "true");
	world_set(world, "listed.reject", "5");
	world_set(world, "listed.defer", "3");
	world_set(world, "listed.mark", "1");
	world_set(world, "dnslist.pale.zone", "pale.example");
	world_set(world, "dnslist.faint.zone", "faint.example");
	world_set(world, "dnslist.faint.weight", "0");
	world_set(world, "trusted_relays", "198.51.100.0/24");
}

static const struct fact listing[] = {
    {"1.2.0.192.black.example", DNS_TYPE_A, DNS_OK, {"127.0.0.4"}},
    {"2.2.0.192.grey.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"3.2.0.192.black.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"3.2.0.192.white.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"4.2.0.192.black.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"4.2.0.192.white.example", DNS_TYPE_A, DNS_TROUBLE, {NULL}},
    {"5.2.0.192.black.example", DNS_TYPE_A, DNS_OK, {"127.0.1.2"}},
    {"6.2.0.192.black.example", DNS_TYPE_A, DNS_TROUBLE, {NULL}},
    {"7.2.0.192.grey.example", DNS_TYPE_A, DNS_OK, {"127.255.255.254"}},
    {"15.2.0.192.grey.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"16.2.0.192.black.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"17.2.0.192.pale.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"17.2.0.192.faint.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"18.2.0.192.faint.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"19.2.0.192.pale.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"19.2.0.192.white.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"9.100.51.198.black.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {NULL, 0, 0, {NULL}},
};

static void
weights_decide(void **state)
{
	(void)state;
	begin(lists, listing);
	assert_false(deliver("192.0.2.1"));
	assert_true(w.refuse);
	assert_int_equal(w.reason, REFUSAL_LISTED);
	assert_int_equal(w.refusal, REFUSAL_LISTED);
	assert_int_equal(w.detail_len, 13);
	assert_memory_equal(w.detail, "black.example", 13);
	assert_false(deliver("192.0.2.2"));
	assert_int_equal(w.refusal, REFUSAL_LISTED_DEFER);
	assert_true(deliver("192.0.2.8"));
	assert_true(deliver("192.0.2.5")); /* not a configured answer */
	assert_true(deliver("192.0.2.6")); /* no answer is no listing */
}

/* Below what refuses: delivered, and the back end is told. */
static void
weights_mark(void **state)
{
	(void)state;
	begin(lists, listing);
	assert_true(deliver("192.0.2.17"));
	assert_false(w.refuse);
	assert_string_equal(w.listed, "pale faint");
	assert_int_equal(w.deliver.disposition, 0); /* that is for the author */
	assert_true(deliver("192.0.2.18"));
	assert_string_equal(w.listed, "");
	assert_true(deliver("192.0.2.19")); /* on an allow list too */
	assert_string_equal(w.listed, "");
	assert_true(deliver("192.0.2.8"));
	assert_string_equal(w.listed, "");
	w.exempt = 1;
	assert_true(deliver("192.0.2.17"));
	assert_string_equal(w.listed, "");
	w.exempt = 0;
}

static void
allow_lists_outweigh(void **state)
{
	(void)state;
	begin(lists, listing);
	assert_true(deliver("192.0.2.3"));
	/* whether it is on that one is not known: no refusal for good */
	assert_false(deliver("192.0.2.4"));
	assert_int_equal(w.refusal, REFUSAL_DNS);
}

static void
exempt_recipients(void **state)
{
	(void)state;
	begin(lists, listing);
	w.exempt = 1;
	assert_true(deliver("192.0.2.1"));
	assert_true(w.refuse); /* smtpd knows who is exempt */
	w.exempt = 0;
	assert_false(deliver("192.0.2.1"));
}

static void
trusted_relays_are_not_asked_about(void **state)
{
	(void)state;
	begin(lists, listing);
	assert_true(deliver("198.51.100.9"));
	assert_int_equal(asked, 0);
	assert_false(w.refuse);
}

static void
observing(struct world *world)
{
	lists(world);
	world_set(world, "listed.observe", "true");
}

static void
observed_only(void **state)
{
	(void)state;
	begin(observing, listing);
	assert_true(deliver("192.0.2.1"));
	assert_false(w.refuse);
	assert_true(deliver("192.0.2.17"));
	assert_string_equal(w.listed, "");
}

static void
answer_tests(enum dns_status status)
{
	for (size_t i = 0; i < held_count; i++) {
		struct msg_dns_answer m = {
		    .query = held[i], .status = (uint8_t)status, .ttl = 300, .asked = 1};

		link_send(w.resolver, MSG_dns_answer, &m, -1);
	}
	held_count = 0;
	hold_tests = false;
}

/* Whoever connects before it is known whether the lists can be believed waits for that. */
static void
clients_faster_than_the_tests_of_lists(void **state)
{
	(void)state;
	for (int believed = 0; believed < 2; believed++) {
		hold_tests = true;
		begin(lists, listing);
		say_envelope_from(&w, 1, "192.0.2.1", "a@sender.example");
		say_submit_from(&w, 1, "192.0.2.1", "a@sender.example");
		world_turn(&w);
		assert_int_equal(w.delivered + w.refused, 0);
		answer_tests(believed ? DNS_NO_NAME : DNS_OK);
		WORLD_UNTIL(&w, w.delivered + w.refused == 1);
		assert_int_equal(w.refused, believed);
		if (believed)
			assert_int_equal(w.refusal, REFUSAL_LISTED);
		else
			world_end(&w);
	}
}

/* One error answer, and it is believed in nothing until it is tested again. */
static void
list_that_refuses_us(void **state)
{
	(void)state;
	begin(lists, listing);
	assert_true(deliver("192.0.2.7"));
	assert_true(deliver("192.0.2.2"));
	clients_resolver_up(&w.d->clients);
	world_turn(&w);
	assert_true(deliver("192.0.2.14"));
	assert_false(deliver("192.0.2.15"));
}

static const struct fact everybody[] = {
    {"1.0.0.127.black.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"1.2.0.192.black.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {"2.2.0.192.grey.example", DNS_TYPE_A, DNS_OK, {"127.0.0.2"}},
    {NULL, 0, 0, {NULL}},
};

static void
list_of_everybody(void **state)
{
	(void)state;
	begin(lists, everybody);
	assert_true(deliver("192.0.2.1"));
	assert_false(deliver("192.0.2.2"));
	facts = listing; /* it has come to its senses */
	clients_resolver_up(&w.d->clients);
	world_turn(&w);
	assert_true(deliver("192.0.2.18"));
	assert_false(deliver("192.0.2.16"));
}

static void
row_259_resolver_silent(void **state)
{
	(void)state;
	begin(lists, listing);
	silent = true;
	say_envelope_from(&w, 1, "192.0.2.1", "a@sender.example");
	say_submit_from(&w, 1, "192.0.2.1", "a@sender.example");
	assert_int_equal(w.envelope_answers + w.delivered + w.refused, 0);
	link_free(&w.resolver);
	WORLD_UNTIL(&w, w.delivered + w.refused == 1);
	assert_int_equal(w.envelope_answers, 1);
	assert_int_equal(w.delivered, 1); /* no list said anything */
}

/* ---- bounds ------------------------------------------------------------------------------------------ */

static void
table_is_bounded(void **state)
{
	(void)state;
	begin(names_only, named);
	for (uint32_t i = 0; i < CLIENTS_MAX + 100; i++) {
		struct msg_arrival m = {
		    {[10] = 255, 255, 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};

		link_send(w.smtpd, MSG_arrival, &m, -1);
		if (i % 64 == 0)
			world_turn(&w);
	}
	world_turn(&w);
	assert_int_equal(w.d->clients.count, CLIENTS_MAX);
}

static void
transaction_ends_before_the_answer(void **state)
{
	struct msg_envelope_drop drop = {1, 1};

	(void)state;
	begin(lists, listing);
	silent = true;
	say_envelope_from(&w, 1, "192.0.2.1", "a@sender.example");
	say_envelope_from(&w, 2, "192.0.2.1", "a@sender.example");
	link_send(w.smtpd, MSG_envelope_drop, &drop, -1);
	world_turn(&w);
	link_free(&w.resolver);
	world_turn(&w);
	assert_int_equal(w.envelope_answers, 1);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(row_022_name_leads_back),
	    TEST(asked_once_for_many_messages),
	    TEST(row_250_rules_for_names),
	    TEST(weights_decide),
	    TEST(weights_mark),
	    TEST(clients_faster_than_the_tests_of_lists),
	    TEST(allow_lists_outweigh),
	    TEST(exempt_recipients),
	    TEST(trusted_relays_are_not_asked_about),
	    TEST(observed_only),
	    TEST(list_that_refuses_us),
	    TEST(list_of_everybody),
	    TEST(row_259_resolver_silent),
	    TEST(table_is_bounded),
	    TEST(transaction_ends_before_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

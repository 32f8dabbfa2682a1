#include "lib/clients.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW = 50 * 3600 * 1000 };

static const uint8_t key[SIPHASH_KEY_LEN] = {1, 2, 3};
static void *memory;

static int
set_up(void **state)
{
	(void)state;
	memory =
	    mmap(NULL, clients_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return munmap(memory, clients_size());
}

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(span_str(text), &ip));
	return ip;
}

static struct ip
nth(uint32_t n)
{
	struct ip ip = ip_of("2001:db8::");

	ip.octets[4] = (uint8_t)(n >> 24);
	ip.octets[5] = (uint8_t)(n >> 16);
	ip.octets[6] = (uint8_t)(n >> 8);
	ip.octets[7] = (uint8_t)n;
	return ip;
}

static void
row_013_open_connections_of_all_workers(void **state)
{
	struct clients a, b;
	struct client_ref first, second, third;
	struct ip ip = ip_of("192.0.2.1");

	(void)state;
	clients_init(&a, memory, 0, key);
	clients_init(&b, memory, 7, key);
	assert_int_equal(clients_enter(&a, CLIENTS_OF_ADDRESS, &ip, NOW, &first), 1);
	assert_int_equal(clients_enter(&b, CLIENTS_OF_ADDRESS, &ip, NOW, &second), 2);
	assert_int_equal(clients_enter(&a, CLIENTS_OF_ADDRESS, &ip, NOW, &third), 3);
	clients_leave(&a, &first);
	assert_int_equal(clients_enter(&b, CLIENTS_OF_ADDRESS, &ip, NOW, &first), 3);
	clients_leave(&a, &third);
	clients_leave(&a, &third); /* cleared: no effect */
	clients_leave(&b, &second);
	assert_int_equal(clients_enter(&b, CLIENTS_OF_ADDRESS, &ip, NOW, &second), 2);
}

static void
row_013_014_who_counts_as_one(void **state)
{
	static const struct {
		const char *a, *b;
		bool one_address, one_network;
	} rows[] = {
	    {"192.0.2.1", "::ffff:192.0.2.1", true, true},
	    {"192.0.2.1", "192.0.2.2", false, true},
	    {"192.0.2.1", "192.0.3.1", false, false},
	    {"192.0.2.1", "192.0.2.0", false, true},
	    {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true, true},
	    {"2001:db8:1:2::1", "2001:db8:1:3::1", false, true},
	    {"2001:db8:1:2::1", "2001:db8:2:2::1", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ip a = ip_of(rows[i].a), b = ip_of(rows[i].b);
		struct client_ref ref[4];
		struct clients c;

		clients_init(&c, memory, 0, key);
		clients_enter(&c, CLIENTS_OF_ADDRESS, &a, NOW, &ref[0]);
		clients_enter(&c, CLIENTS_OF_NETWORK, &a, NOW, &ref[1]);
		assert_int_equal(clients_enter(&c, CLIENTS_OF_ADDRESS, &b, NOW, &ref[2]),
		    rows[i].one_address ? 2 : 1);
		assert_int_equal(clients_enter(&c, CLIENTS_OF_NETWORK, &b, NOW, &ref[3]),
		    rows[i].one_network ? 2 : 1);
		for (int j = 0; j < 4; j++)
			clients_leave(&c, &ref[j]);
	}
}

/* What the supervisor does for a worker that died. */
static void
row_F28_a_dead_worker_leaves_nothing(void **state)
{
	struct clients a, b;
	struct client_ref ref;
	struct ip ip = ip_of("192.0.2.1");
	off_t offset, len;

	(void)state;
	clients_init(&a, memory, 3, key);
	clients_init(&b, memory, 4, key);
	for (int i = 0; i < 10; i++)
		clients_enter(&a, CLIENTS_OF_ADDRESS, &ip, NOW, &ref);
	assert_int_equal(clients_enter(&b, CLIENTS_OF_ADDRESS, &ip, NOW, &ref), 11);
	clients_column(3, &offset, &len);
	assert_int_equal(offset % sysconf(_SC_PAGESIZE), 0);
	assert_int_equal(len % sysconf(_SC_PAGESIZE), 0);
	memset((uint8_t *)memory + offset, 0, (size_t)len);
	assert_int_equal(clients_enter(&b, CLIENTS_OF_ADDRESS, &ip, NOW, &ref), 2);
}

static void
row_027_a_rate_is_a_bucket(void **state)
{
	struct clients c;
	struct client_ref ref;
	struct ip ip = ip_of("192.0.2.1");
	uint64_t now = NOW;

	(void)state;
	clients_init(&c, memory, 0, key);
	clients_enter(&c, CLIENTS_OF_ADDRESS, &ip, now, &ref);
	for (int i = 0; i < 300; i++)
		assert_true(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 300, now));
	assert_false(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 300, now));
	assert_true(clients_spend(&c, &ref, CLIENTS_COMMANDS, 300, now)); /* not the same */
	now += 199;
	assert_false(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 300, now));
	now += 1;
	assert_true(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 300, now));
	assert_false(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 300, now));
	now += 600000;
	for (int i = 0; i < 300; i++)
		assert_true(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 300, now));
	assert_false(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 300, now));
}

static void
row_101_recipients_of_an_hour(void **state)
{
	struct clients a, b;
	struct client_ref in_a, in_b;
	struct ip ip = ip_of("192.0.2.1");
	struct clients_recipients r;

	(void)state;
	clients_init(&a, memory, 0, key);
	clients_init(&b, memory, 1, key);
	clients_enter(&a, CLIENTS_OF_ADDRESS, &ip, NOW, &in_a);
	clients_enter(&b, CLIENTS_OF_ADDRESS, &ip, NOW, &in_b);
	for (int i = 0; i < 5; i++)
		clients_count_recipient(&a, &in_a, false, NOW);
	for (int i = 0; i < 3; i++)
		clients_count_recipient(&b, &in_b, true, NOW + 1000);
	r = clients_recipients(&b, &in_b, NOW + 2000);
	assert_int_equal(r.unknown, 5);
	assert_int_equal(r.accepted, 3);
	r = clients_recipients(&b, &in_b, NOW + 3600 * 1000);
	assert_int_equal(r.unknown, 0);
	assert_int_equal(r.accepted, 0);
	clients_count_recipient(&a, &in_a, false, NOW + 3600 * 1000);
	assert_int_equal(clients_recipients(&b, &in_b, NOW + 3600 * 1000).unknown, 1);
}

/* Fixed size: idle clients are forgotten, busy ones stay, and one that finds no place is let in. */
static void
row_014_313_more_clients_than_entries(void **state)
{
	struct clients c;
	struct client_ref ref, *kept = calloc(CLIENTS_ENTRIES, sizeof(*kept));
	uint32_t count = 0;
	struct ip ip;

	(void)state;
	clients_init(&c, memory, 0, key);
	for (uint32_t i = 0; i < 3 * CLIENTS_ENTRIES; i++) {
		ip = nth(i);
		assert_int_equal(clients_enter(&c, CLIENTS_OF_ADDRESS, &ip, NOW + i, &ref), 1);
		clients_leave(&c, &ref);
	}
	assert_int_equal(c.not_counted, 0);
	for (uint32_t i = 0; i < 2 * CLIENTS_ENTRIES; i++) {
		ip = nth(i);
		clients_enter(&c, CLIENTS_OF_ADDRESS, &ip, NOW + i, &ref);
		if (ref.tag != 0)
			kept[count++] = ref;
	}
	assert_true(c.not_counted > CLIENTS_ENTRIES / 2);
	assert_true(count <= CLIENTS_ENTRIES && count > CLIENTS_ENTRIES * 9 / 10);
	assert_int_equal(c.not_counted + count, 2 * CLIENTS_ENTRIES);
	assert_true(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 1, NOW));
	while (count > 0)
		clients_leave(&c, &kept[--count]);
	ip = nth(99999999);
	assert_int_equal(clients_enter(&c, CLIENTS_OF_ADDRESS, &ip, NOW, &ref), 1);
	free(kept);
}

static void
an_evicted_entry_is_not_used(void **state)
{
	struct clients c;
	struct client_ref ref;
	struct ip ip = ip_of("192.0.2.1");

	(void)state;
	clients_init(&c, memory, 0, key);
	clients_enter(&c, CLIENTS_OF_ADDRESS, &ip, NOW, &ref);
	memset((uint8_t *)memory + CLIENTS_SLOTS * (size_t)CLIENTS_ENTRIES * 2, 0xff,
	    clients_size() - CLIENTS_SLOTS * (size_t)CLIENTS_ENTRIES * 2);
	assert_true(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 1, NOW));
	assert_int_equal(clients_recipients(&c, &ref, NOW).unknown, 0);
	clients_leave(&c, &ref);
}

/* Row F28 again: a worker in wrong hands has written what it liked. Rates heal, nothing is out of bounds. */
static void
spoilt_memory_spoils_counts_only(void **state)
{
	struct clients c;
	struct client_ref ref;
	struct ip ip = ip_of("192.0.2.1");

	(void)state;
	clients_init(&c, memory, 0, key);
	memset(memory, 0xff, clients_size());
	for (uint32_t i = 0; i < 100; i++) {
		ip = nth(i);
		clients_enter(&c, CLIENTS_OF_ADDRESS, &ip, NOW, &ref);
		clients_spend(&c, &ref, CLIENTS_COMMANDS, 10, NOW);
		clients_count_recipient(&c, &ref, i % 2 == 0, NOW);
		clients_leave(&c, &ref);
	}
	memset(memory, 0, clients_size());
	clients_enter(&c, CLIENTS_OF_ADDRESS, &ip, NOW, &ref);
	for (size_t i = 0; i < clients_size() / 8; i++) {
		uint64_t *word = (uint64_t *)memory + i;

		*word = *word == ref.tag ? ref.tag : UINT64_MAX;
	}
	assert_false(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 60, NOW));
	assert_false(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 60, NOW + 900));
	assert_true(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 60, NOW + 1000));
}

/* Real processes at the same entries: nothing is lost. */
static void
workers_count_at_the_same_time(void **state)
{
	enum { WORKERS = 4, ROUNDS = 20000 };
	struct clients c;
	struct client_ref ref;
	struct ip ip = ip_of("192.0.2.1");
	pid_t pids[WORKERS];
	unsigned spent = 0;
	int status;

	(void)state;
	for (unsigned worker = 0; worker < WORKERS; worker++) {
		pids[worker] = fork();
		if (pids[worker] != 0)
			continue;
		clients_init(&c, memory, worker, key);
		for (int i = 0; i < ROUNDS; i++) {
			clients_enter(&c, CLIENTS_OF_ADDRESS, &ip, NOW, &ref);
			spent += clients_spend(&c, &ref, CLIENTS_COMMANDS, 1000, NOW);
			if (i % 2 == 0)
				clients_leave(&c, &ref);
		}
		_exit(spent > 1000 ? 1 : 0);
	}
	for (unsigned worker = 0; worker < WORKERS; worker++) {
		assert_int_equal(waitpid(pids[worker], &status, 0), pids[worker]);
		assert_int_equal(status, 0);
	}
	clients_init(&c, memory, WORKERS, key);
	assert_int_equal(
	    clients_enter(&c, CLIENTS_OF_ADDRESS, &ip, NOW, &ref), WORKERS * ROUNDS / 2 + 1);
}

static void
without_memory_nothing_is_counted(void **state)
{
	struct clients c = {0};
	struct client_ref ref;
	struct ip ip = ip_of("192.0.2.1");

	(void)state;
	assert_int_equal(clients_enter(&c, CLIENTS_OF_ADDRESS, &ip, NOW, &ref), 0);
	assert_true(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 1, NOW));
	assert_true(clients_spend(&c, &ref, CLIENTS_CONNECTIONS, 1, NOW));
	clients_count_recipient(&c, &ref, false, NOW);
	assert_int_equal(clients_recipients(&c, &ref, NOW).unknown, 0);
	clients_leave(&c, &ref);
}

static void
notes_of_all_workers(void **state)
{
	struct clients a, b, none = {NULL};
	uint64_t note, other;

	(void)state;
	clients_init(&a, memory, 0, key);
	clients_init(&b, memory, 1, key);
	note = clients_note_of(&a, SPAN("something"));
	other = clients_note_of(&a, SPAN("something else"));
	assert_int_equal(note, clients_note_of(&b, SPAN("something")));
	assert_false(clients_any_note(&b, NOW));
	assert_false(clients_noted(&b, note, NOW));
	clients_note(&a, note, 60, NOW);
	assert_true(clients_any_note(&b, NOW + 59999));
	assert_true(clients_noted(&b, note, NOW + 59999));
	assert_false(clients_noted(&b, other, NOW));
	assert_false(clients_noted(&b, note, NOW + 60000));
	assert_false(clients_any_note(&b, NOW + 60000));
	clients_note(&a, note, 120, NOW);
	clients_note_done(&b, other);
	assert_true(clients_noted(&a, note, NOW + 60000));
	clients_note_done(&b, note);
	assert_false(clients_noted(&a, note, NOW));
	/* Where nothing is counted, nothing is noted. */
	clients_note(&none, note, 60, NOW);
	assert_false(clients_any_note(&none, NOW) || clients_noted(&none, note, NOW));
	clients_note_done(&none, note);
}

/* The newest are found, however many there are; what a worker in wrong hands wrote ends, too. */
static void
notes_are_bounded(void **state)
{
	struct clients c;
	unsigned found = 0;

	(void)state;
	clients_init(&c, memory, 0, key);
	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t note = clients_note_of(&c, span_of(&i, sizeof(i)));

		clients_note(&c, note, 3600, NOW + 10 * i);
		assert_true(clients_noted(&c, note, NOW + 10 * i));
	}
	for (uint64_t i = 0; i < 100000; i++)
		found +=
		    clients_noted(&c, clients_note_of(&c, span_of(&i, sizeof(i))), NOW + 1000000);
	assert_in_range(found, 1000, CLIENTS_NOTE_SETS * CLIENTS_NOTE_WAYS + 10);
	clients_note(&c, 42, CLIENTS_NOTE_MAX_S + 60, NOW);
	assert_false(clients_noted(&c, 42, NOW));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(row_013_open_connections_of_all_workers),
	    TEST(row_013_014_who_counts_as_one),
	    TEST(row_F28_a_dead_worker_leaves_nothing),
	    TEST(row_027_a_rate_is_a_bucket),
	    TEST(row_101_recipients_of_an_hour),
	    TEST(row_014_313_more_clients_than_entries),
	    TEST(an_evicted_entry_is_not_used),
	    TEST(spoilt_memory_spoils_counts_only),
	    TEST(workers_count_at_the_same_time),
	    TEST(without_memory_nothing_is_counted),
	    TEST(notes_of_all_workers),
	    TEST(notes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

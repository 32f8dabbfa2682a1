/*
 * The shared counters of clients, used by three workers. While nobody spoils the memory, the open
 * connections are those of a model; whatever a worker writes into it, nothing breaks.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/clients.h"

enum { WORKERS = 3, ADDRESSES = 16, REFS = 64 };

static uint8_t *memory;

static void
check(bool good)
{
	if (!good)
		abort();
}

static struct ip
address(uint8_t n)
{
	struct ip ip = {{[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2}};

	ip.octets[15] = n % ADDRESSES;
	return ip;
}

/* One that ended up in wrong hands writes what it likes where it likes. */
static void
spoil(const uint8_t *p)
{
	size_t at = ((size_t)p[0] << 17 | (size_t)p[1] << 9 | p[2]) % (clients_size() - 8);

	memset(memory + at, p[3], 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[SIPHASH_KEY_LEN] = {7};
	struct clients workers[WORKERS];
	struct client_ref refs[REFS] = {{0}};
	uint8_t owner[REFS] = {0}, whose[REFS] = {0};
	unsigned open[ADDRESSES] = {0};
	bool spoilt = false;
	uint64_t now = 1000000;

	if (memory == NULL)
		memory = mmap(NULL, clients_size(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(memory != MAP_FAILED && madvise(memory, clients_size(), MADV_DONTNEED) == 0);
	for (unsigned i = 0; i < WORKERS; i++)
		clients_init(&workers[i], memory, i * 50, key);
	for (size_t i = 0; i + 5 <= size; i += 5) {
		const uint8_t *p = data + i;
		size_t r = p[1] % (size_t)REFS;
		struct clients *c = &workers[p[2] % WORKERS];
		struct ip ip = address(p[3]);

		if (p[0] % 8 < 3 && refs[r].tag == 0) {
			unsigned n = clients_enter(c, CLIENTS_OF_ADDRESS, &ip, now, &refs[r]);

			owner[r] = p[2] % WORKERS;
			whose[r] = p[3] % ADDRESSES;
			check(spoilt || n == ++open[whose[r]]);
		} else if (p[0] % 8 < 3) {
			open[whose[r]]--;
			clients_leave(&workers[owner[r]], &refs[r]);
		} else if (p[0] % 8 == 3) {
			now += p[1] * UINT64_C(500);
		} else if (p[0] % 8 == 4) {
			clients_spend(c, &refs[r], p[3] % CLIENTS_RATES, 1 + p[4], now);
		} else if (p[0] % 8 == 5) {
			clients_count_recipient(c, &refs[r], p[3] % 2 == 0, now);
			clients_recipients(c, &refs[r], now);
		} else if (p[0] >= 192) {
			spoilt = true;
			spoil(p + 1);
		}
	}
	return 0;
}

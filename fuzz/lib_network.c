/* Networks: what is accepted contains its own base, nothing of the other family, and not its neighbour. */
#include <stdlib.h>

#include "lib/network.h"

static void
check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct network n;
	struct ip other;
	unsigned last;

	if (network_parse(span_of(data, size), &n) != NULL)
		return 0;
	check(n.bits <= 8 * IP_LEN && size <= IP_TEXT_MAX + 21);
	check(network_contains(&n, &n.base));
	if (n.bits > 0) {
		last = n.bits - 1;
		other = n.base;
		other.octets[last / 8] ^= (uint8_t)(0x80 >> last % 8);
		check(!network_contains(&n, &other));
	}
	if (n.bits < 8 * IP_LEN && n.bits >= 96) {
		other = n.base;
		other.octets[IP_LEN - 1] ^= 1;
		check(network_contains(&n, &other));
	}
	return 0;
}

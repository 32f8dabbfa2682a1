/* Addresses: what is accepted keeps the promises of lib/address.h, and survives being written and read. */
#include <stdlib.h>

#include "lib/address.h"

static void
check(bool good)
{
	if (!good)
		abort();
}

static void
check_promises(const struct address *a)
{
	struct span all = address_span(a);
	uint8_t text[2 * ADDRESS_MAX + 4];
	struct buf b = BUF_OVER(text);
	struct address again;

	check(a->len <= ADDRESS_MAX && a->local_len <= a->len && a->local_len <= ADDRESS_LOCAL_MAX);
	for (size_t i = 0; i < all.len; i++)
		check(all.p[i] >= 32 && all.p[i] <= 126);
	if (a->local_len == a->len)
		return; /* null, or a bare postmaster */
	check(span_find_last(all, '@') == a->local_len);
	check(address_domain_ok(address_domain(a)) || address_literal_ok(address_domain(a)));
	check(address_from_inside(all, &again) == ADDRESS_OK && span_eq(address_span(&again), all));
	address_put_path(&b, all);
	check(!b.full && address_parse_forward(buf_span(&b), &again) == ADDRESS_OK);
	check(span_eq(address_span(&again), all) && again.local_len == a->local_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);
	struct address a;

	if (address_parse_forward(text, &a) == ADDRESS_OK)
		check_promises(&a);
	else
		check(a.len == 0);
	if (address_parse_reverse(text, &a) == ADDRESS_OK)
		check_promises(&a);
	if (address_from_inside(text, &a) == ADDRESS_OK)
		check_promises(&a);
	return 0;
}

/* Addresses: what is accepted keeps the promises of lib/address.h, and survives being written and read. */
#include <stdlib.h>

#include "lib/address.h"
#include "lib/idn.h"
#include "lib/utf8.h"

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
	uint8_t room[ADDRESS_DOMAIN_MAX];
	struct buf name = BUF_OVER(room);
	struct address again;

	check(a->len <= ADDRESS_MAX && a->local_len <= a->len && a->local_len <= ADDRESS_LOCAL_MAX);
	for (size_t i = 0; i < all.len; i++)
		check(all.p[i] >= 32 && all.p[i] != 127 && (a->utf8 || all.p[i] < 127));
	check(utf8_printable(all));
	if (a->local_len == a->len)
		return; /* null, or a bare postmaster */
	check(span_find_last(all, '@') == a->local_len);
	check(a->utf8 || address_domain_ok(address_domain(a)) ||
	      address_literal_ok(address_domain(a)));
	idn_to_ascii(address_domain(a), &name);
	check(name.full || name.len == 0 || address_domain_ok(buf_span(&name)) ||
	      address_literal_ok(buf_span(&name)));
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

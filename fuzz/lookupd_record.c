/* Values of records: what decodes, encodes to octets that decode to the same. */
#include "lib/bug.h"
#include "lookupd/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_leaf(struct span value)
{
	uint8_t octets[4096];
	struct buf b = BUF_OVER(octets);
	struct leaf one, again;

	if (leaf_decode(value, &one) != RECORD_OK)
		return;
	leaf_put(&b, &one);
	BUG_ON(b.full || leaf_decode(buf_span(&b), &again) != RECORD_OK);
	BUG_ON(
	    one.verdict != again.verdict || one.flags != again.flags || one.route != again.route);
	BUG_ON(one.size != again.size || one.next_table != again.next_table);
	BUG_ON(!span_eq(one.class, again.class) || !span_eq(one.status, again.status));
	BUG_ON(!span_eq(one.text, again.text) || !span_eq(one.delivered_to, again.delivered_to));
}

static void
check_domain(struct span value)
{
	uint8_t octets[4096];
	struct buf b = BUF_OVER(octets);
	struct domain one, again;

	if (domain_decode(value, &one) != RECORD_OK)
		return;
	domain_put(&b, &one);
	BUG_ON(b.full || domain_decode(buf_span(&b), &again) != RECORD_OK);
	BUG_ON(one.flags != again.flags || one.route != again.route || one.count != again.count);
	BUG_ON(one.table_count != again.table_count || one.table_count > LAYOUT_TABLES_MAX);
	BUG_ON(!span_eq(one.real, again.real) || !span_eq(one.prefix, again.prefix));
	BUG_ON(!span_eq(one.delimiters, again.delimiters) ||
	       !span_eq(one.wild_octets, again.wild_octets));
	BUG_ON(
	    !span_eq(one.wild_lengths, again.wild_lengths) || !span_eq(one.charset, again.charset));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span value = span_of(data, size), name;
	struct header header;
	uint8_t unknown;

	(void)header_decode(value, &header, &unknown);
	check_leaf(value);
	check_domain(value);
	if (route_decode(value, &name) == RECORD_OK)
		BUG_ON(!record_name_ok(name));
	return 0;
}

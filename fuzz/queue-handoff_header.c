/* The scan for fields that claim to be ours: bounds, agreement of its two passes, nothing left. */
#include "queue-handoff/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *const names[] = {"X-Spam-Flag"};
static const struct header_rules rules = {{(const uint8_t *)"mx.our.example", 14}, {1, names}};

/* The plainest forgery, looked for without any of the code under test. */
static bool
has_plain_forgery(struct span block)
{
	const struct span plain = SPAN("Authentication-Results: mx.our.example;");

	for (size_t at = 0; at < block.len; at += span_find(span_from(block, at), '\n') + 1)
		if (span_eq(span_head(span_from(block, at), plain.len), plain))
			return true;
	return false;
}

/* What is known of a part must be true of the whole. */
static void
check_parts(struct span whole, const struct header_scan *last, size_t cut)
{
	struct header_scan scan;

	header_scan(span_head(whole, cut), false, &rules, &scan);
	if (scan.block_len > last->block_len || scan.removed > last->removed)
		abort();
	if (scan.complete &&
	    (scan.block_len != last->block_len || scan.removed_len != last->removed_len))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span whole = span_of(data, len);
	struct header_scan scan, after;
	uint8_t *block;
	size_t left;

	if (len == 0 || len > 65536)
		return 0;
	header_scan(whole, true, &rules, &scan);
	if (!scan.complete || scan.block_len > len || scan.removed_len > scan.block_len)
		abort();
	check_parts(whole, &scan, len / 2);
	check_parts(whole, &scan, data[0] % len);
	if (scan.block_len == 0)
		return 0;
	block = malloc(scan.block_len);
	if (block == NULL)
		return 0;
	memcpy(block, data, scan.block_len);
	left = header_strip(block, scan.block_len, &rules);
	if (left != scan.block_len - scan.removed_len || has_plain_forgery(span_of(block, left)))
		abort();
	header_scan(span_of(block, left), true, &rules, &after);
	if (after.removed != 0 || after.block_len != left)
		abort();
	free(block);
	return 0;
}

/* The header scanner: the same status however the octets are cut, and never more than it may count. */
#include <stdlib.h>

#include "smtpd/header.h"

static void
run(struct span in, size_t step, struct header *h)
{
	header_init(h, 5);
	for (size_t at = 0; at < in.len; at += step)
		header_feed(h, span_head(span_from(in, at), step));
	header_finish(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header whole, cut;
	struct span in;

	if (size < 1)
		return 0;
	in = span_of(data + 1, size - 1);
	run(in, size, &whole);
	run(in, data[0] % 13u + 1, &cut);
	if (whole.status != cut.status || whole.fields != cut.fields || whole.hops != cut.hops)
		abort();
	if (whole.status == HEADER_MORE || whole.hops > whole.hops_max + 1 ||
	    whole.fields > HEADER_FIELDS_MAX + 1)
		abort();
	/* What is accepted begins with neither white space nor a field without a name. */
	if (whole.status == HEADER_BODY && in.len > 0 &&
	    (in.p[0] == ' ' || in.p[0] == '\t' || in.p[0] == ':'))
		abort();
	return 0;
}

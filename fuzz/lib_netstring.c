/* The netstring reader: in pieces it must find what it finds in one, and that is the grammar. */
#include "lib/netstring.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { CAP = 300 };

static enum netstring_status
feed(struct netstring_reader *r, struct span in, size_t step, size_t *used_out)
{
	enum netstring_status status = NETSTRING_MORE;
	size_t used;

	*used_out = 0;
	while (status == NETSTRING_MORE && *used_out < in.len) {
		status = netstring_reader_feed(r, span_head(span_from(in, *used_out), step), &used);
		*used_out += used;
	}
	return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct netstring_reader whole, parts;
	uint8_t room1[CAP], room2[CAP], again[CAP + 16];
	struct buf b = BUF_OVER(again);
	struct span in = span_from(span_of(data, len), 1);
	size_t used1, used2;
	enum netstring_status status;

	if (len == 0)
		return 0;
	netstring_reader_init(&whole, room1, sizeof(room1));
	netstring_reader_init(&parts, room2, sizeof(room2));
	status = feed(&whole, in, in.len, &used1);
	if (feed(&parts, in, (size_t)data[0] + 1, &used2) != status || used1 != used2)
		abort();
	if (status != NETSTRING_DONE)
		return 0;
	netstring_put(&b, span_of(room1, whole.length));
	if (!span_eq(buf_span(&b), span_head(in, used1)) || memcmp(room1, room2, whole.length) != 0)
		abort();
	return 0;
}

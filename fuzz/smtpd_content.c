/* Message content against the reference automaton, in pieces that the first octet chooses. */
#include <stdlib.h>

#include "smtpd/content.h"
#include "tests/smtpd/reference.h"

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
	static struct reference r;
	static uint8_t room[8192];
	struct buf out = BUF_OVER(room);
	struct content c;
	struct span in;
	size_t step, at = 0, used;
	bool end = false;

	if (size < 2 || size > sizeof(r.content))
		return 0;
	step = data[0] % 17u + 1;
	in = span_of(data + 1, size - 1);
	reference_read(in, &r);
	content_init(&c, 65536);
	while (at < in.len && !end) {
		end = content_feed(&c, span_head(span_from(in, at), step), &out, &used) ==
		      CONTENT_END;
		at += used;
	}
	check(!out.full && end == r.ended && at == r.used);
	/* A CR or dot at the very end is not decided yet. */
	if (!end && c.place != CONTENT_LINE && c.place != CONTENT_LINE_START)
		return 0;
	check(span_eq(buf_span(&out), span_of(r.content, r.len)) && c.size == r.size);
	check(c.bare_lf == r.bare_lf && c.bare_cr == r.bare_cr && c.nul == r.nul);
	return 0;
}

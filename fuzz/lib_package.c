/* QMQP packages: in pieces as in one, and never done before the last comma. */
#include "lib/package.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Everything that was heard, in one number, and how it ended. */
struct heard {
	uint64_t hash;
	enum package_event end;
	size_t used;
};

static void
hear(struct heard *h, uint8_t mark, struct span octets)
{
	h->hash = (h->hash ^ mark) * 1099511628211u;
	for (size_t i = 0; i < octets.len; i++)
		h->hash = (h->hash ^ octets.p[i]) * 1099511628211u;
}

static struct heard
feed(struct span in, size_t step)
{
	struct heard h = {.end = PACKAGE_MORE};
	struct package p;

	package_init(&p);
	while (h.used < in.len && h.end == PACKAGE_MORE) {
		struct span part = span_head(span_from(in, h.used), step), out = {NULL, 0};
		size_t had = part.len;
		enum package_event event = PACKAGE_MORE;

		do {
			event = package_next(&p, &part, &out);
			if (event == PACKAGE_SENDER || event == PACKAGE_RECIPIENT)
				hear(&h, (uint8_t)event, out);
			else if (event == PACKAGE_CONTENT)
				hear(&h, 0, out);
		} while (event != PACKAGE_MORE && event != PACKAGE_DONE && event != PACKAGE_BAD);
		h.end = event;
		h.used += had - part.len;
	}
	return h;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in = span_from(span_of(data, len), 1);
	struct heard whole, octets;

	if (in.len == 0)
		return 0;
	whole = feed(in, in.len);
	octets = feed(in, 1);
	if (whole.end != octets.end || whole.used != octets.used)
		abort();
	/* Content comes in other pieces; the marks between them differ only by those. */
	if (whole.end == PACKAGE_DONE && in.p[whole.used - 1] != ',')
		abort();
	if (feed(in, (size_t)data[0] + 1).end != whole.end)
		abort();
	return 0;
}

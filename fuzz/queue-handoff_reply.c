/* Answers of a back end: in pieces as in one, and never positive unless they look exactly so. */
#include "queue-handoff/qmqp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static enum qmqp_answer
feed(struct qmqp_reply *r, struct span in, size_t step)
{
	enum qmqp_answer answer = QMQP_MORE;
	size_t at = 0, used;

	qmqp_reply_init(r);
	while (answer == QMQP_MORE && at < in.len) {
		answer = qmqp_reply_feed(r, span_head(span_from(in, at), step), &used);
		at += used;
	}
	return answer;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct qmqp_reply whole, parts;
	struct span in = span_from(span_of(data, len), 1), text;
	enum qmqp_answer answer;

	if (len == 0)
		return 0;
	answer = feed(&whole, in, in.len);
	if (feed(&parts, in, (size_t)data[0] + 1) != answer)
		abort();
	text = qmqp_reply_text(&whole);
	if (!span_eq(text, qmqp_reply_text(&parts)) || text.len >= QMQP_REPLY_MAX)
		abort();
	if (answer != QMQP_TAKEN)
		return 0;
	/* LENGTH ":K" ... "," */
	if (span_find(in, ':') == in.len || in.p[span_find(in, ':') + 1] != 'K')
		abort();
	if (in.p[0] == '0' || in.p[span_find(in, ':') + 2 + text.len] != ',')
		abort();
	return 0;
}

#include "queue-handoff/qmqp.h"

static size_t
message_len(const struct parts *parts)
{
	return (size_t)parts_message_len(parts);
}

/* Octets inside the outer netstring. */
static size_t
inner_len(const struct parts *parts)
{
	size_t len = netstring_size(message_len(parts)) + netstring_size(parts->sender.len);
	struct span rest = parts->recipients.encoded;
	struct msg_granted g;

	while (msg_list_next(&rest, RECORD_granted, &g))
		len += netstring_size(g.recipient.len);
	return len;
}

size_t
qmqp_memory(const struct parts *parts)
{
	return netstring_size(inner_len(parts)) - (size_t)parts->file_len;
}

size_t
qmqp_compose(const struct parts *parts, struct buf *b)
{
	struct span rest = parts->recipients.encoded;
	struct msg_granted g;
	size_t split;

	netstring_put_head(b, inner_len(parts));
	netstring_put_head(b, message_len(parts));
	buf_put_span(b, parts->ours);
	buf_put_span(b, parts->content);
	split = b->len;
	buf_put_u8(b, ',');
	netstring_put(b, parts->sender);
	while (msg_list_next(&rest, RECORD_granted, &g))
		netstring_put(b, g.recipient);
	buf_put_u8(b, ',');
	return split;
}

static bool
ends_with(struct span s, struct span tail)
{
	return s.len >= tail.len && span_eq(span_from(s, s.len - tail.len), tail);
}

bool
qmqp_sender_is_special(struct span sender)
{
	return ends_with(sender, SPAN("-@[]")) || ends_with(sender, SPAN("#@[]"));
}

void
qmqp_reply_init(struct qmqp_reply *r)
{
	netstring_reader_init(&r->reader, r->octets, sizeof(r->octets));
}

/*
 * A complete netstring. Only the three letters of qmqp.txt are answers; NUL and CR are in no
 * text that a server composes (LF is: mailfront joins lines with it).
 */
static enum qmqp_answer
reply_judge(const struct qmqp_reply *r)
{
	static const enum qmqp_answer letters[256] = {
	    ['K'] = QMQP_TAKEN,
	    ['Z'] = QMQP_DEFERRED,
	    ['D'] = QMQP_REFUSED,
	};
	struct span whole = span_of(r->octets, r->reader.length);

	if (whole.len == 0 || letters[whole.p[0]] == QMQP_MORE)
		return QMQP_BAD;
	if (span_find(whole, '\0') != whole.len || span_find(whole, '\r') != whole.len)
		return QMQP_BAD;
	return letters[whole.p[0]];
}

enum qmqp_answer
qmqp_reply_feed(struct qmqp_reply *r, struct span in, size_t *used_out)
{
	switch (netstring_reader_feed(&r->reader, in, used_out)) {
	case NETSTRING_MORE:
		return QMQP_MORE;
	case NETSTRING_DONE:
		return reply_judge(r);
	default:
		return QMQP_BAD;
	}
}

struct span
qmqp_reply_text(const struct qmqp_reply *r)
{
	return span_from(span_of(r->octets, r->reader.have), 1);
}

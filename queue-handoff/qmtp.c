#include "queue-handoff/qmtp.h"

/* The octet in front of the message counts. */
static size_t
message_len(const struct parts *parts)
{
	return (size_t)parts_message_len(parts) + 1;
}

static size_t
recipients_len(const struct parts *parts)
{
	struct span rest = parts->recipients.encoded;
	struct msg_granted g;
	size_t len = 0;

	while (msg_list_next(&rest, RECORD_granted, &g))
		len += netstring_size(g.recipient.len);
	return len;
}

size_t
qmtp_memory(const struct parts *parts)
{
	return netstring_size(message_len(parts)) - (size_t)parts->file_len +
	       netstring_size(parts->sender.len) + netstring_size(recipients_len(parts));
}

size_t
qmtp_compose(const struct parts *parts, struct buf *b)
{
	struct span rest = parts->recipients.encoded;
	struct msg_granted g;
	size_t split;

	netstring_put_head(b, message_len(parts));
	buf_put_u8(b, '\n');
	buf_put_span(b, parts->ours);
	buf_put_span(b, parts->content);
	split = b->len;
	buf_put_u8(b, ',');
	netstring_put(b, parts->sender);
	netstring_put_head(b, recipients_len(parts));
	while (msg_list_next(&rest, RECORD_granted, &g))
		netstring_put(b, g.recipient);
	buf_put_u8(b, ',');
	return split;
}

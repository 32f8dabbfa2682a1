#include "queue-handoff/parts.h"

uint64_t
parts_message_len(const struct parts *parts)
{
	return parts->ours.len + parts->content.len + parts->file_len;
}

size_t
envelope_size(const struct parts *parts)
{
	struct span rest = parts->recipients.encoded;
	struct msg_granted g;
	size_t size = 2 + parts->sender.len;

	while (msg_list_next(&rest, RECORD_granted, &g))
		size += 2 + g.recipient.len;
	return size;
}

static void
address_put(struct buf *b, struct span address)
{
	buf_put_u16(b, (uint16_t)address.len);
	buf_put_span(b, address);
}

void
envelope_put(struct buf *b, const struct parts *parts)
{
	struct span rest = parts->recipients.encoded;
	struct msg_granted g;

	address_put(b, parts->sender);
	while (msg_list_next(&rest, RECORD_granted, &g))
		address_put(b, g.recipient);
}

bool
envelope_next(struct span *rest, struct span *address_out)
{
	struct cursor c = cursor_over(*rest);
	uint16_t len;

	if (!cursor_u16(&c, &len) || !cursor_bytes(&c, len, address_out))
		return false;
	*rest = span_of(c.p, c.left);
	return true;
}

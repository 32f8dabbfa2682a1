#include "smtpd/reply.h"

#include "lib/bug.h"

static const struct reply replies[REPLY_COUNT] = {
#define REPLY(name, code, enhanced, kind, text, help) \
	[REPLY_##name] = {#name, code, enhanced, REPLY_KIND_##kind, text, help},
#include "smtpd/reply.def"
#undef REPLY
};

const struct reply *
reply_get(enum reply_id id)
{
	BUG_ON((unsigned)id >= REPLY_COUNT || replies[id].name == NULL);
	return &replies[id];
}

static void
put_text(struct buf *b, struct span text, struct span argument)
{
	size_t mark = span_find(text, '%');

	buf_put_span(b, span_head(text, mark));
	if (mark < text.len) {
		buf_put_span(b, argument);
		buf_put_span(b, span_from(text, mark + 1));
	}
}

void
reply_put(struct buf *b, enum reply_id id, const struct reply_details *details)
{
	const struct reply *r = reply_get(id);
	struct span enhanced =
	    details->enhanced.len > 0 ? details->enhanced : span_str(r->enhanced);

	buf_put_decimal(b, r->code);
	buf_put_u8(b, details->more ? '-' : ' ');
	if (enhanced.len > 0) {
		buf_put_span(b, enhanced);
		buf_put_u8(b, ' ');
	}
	put_text(b, span_str(r->text), details->argument);
	if (details->id.len > 0) {
		buf_put_str(b, ", id ");
		buf_put_span(b, details->id);
	}
	buf_put_str(b, "\r\n");
}

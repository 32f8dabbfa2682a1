#include "queue-handoff/smtp_reply.h"

enum { CODE_LEN = 3 };

void
smtp_reply_init(struct smtp_reply *r)
{
	r->code = r->first = r->lines = 0;
	r->seen = r->len = 0;
}

/* A line is complete in r->line. */
static enum smtp_reply_status
line_judge(struct smtp_reply *r)
{
	size_t len = r->len;
	uint64_t code;

	if (len > 0 && r->line[len - 1] == '\r')
		len--;
	r->len = len;
	if (len < CODE_LEN || !span_decimal(span_of(r->line, CODE_LEN), 599, &code) || code < 200)
		return SMTP_REPLY_BAD;
	if (len > CODE_LEN && r->line[CODE_LEN] != ' ' && r->line[CODE_LEN] != '-')
		return SMTP_REPLY_BAD;
	r->code = (unsigned)code;
	if (r->first == 0)
		r->first = r->code;
	if (r->first != r->code || ++r->lines > SMTP_REPLY_LINES)
		return SMTP_REPLY_BAD;
	return len > CODE_LEN && r->line[CODE_LEN] == '-' ? SMTP_REPLY_CONTINUES : SMTP_REPLY_ENDS;
}

static void
keep(struct smtp_reply *r, struct span in)
{
	size_t room = sizeof(r->line) - r->len;
	struct span part = span_head(in, room);

	if (part.len > 0)
		memcpy(r->line + r->len, part.p, part.len);
	r->len += part.len;
	r->seen += in.len;
}

/* What was complete is done with. */
static void
begin_line(struct smtp_reply *r)
{
	r->seen = r->len = 0;
	r->code = 0;
}

enum smtp_reply_status
smtp_reply_feed(struct smtp_reply *r, struct span in, size_t *used_out)
{
	size_t end = span_find(in, '\n');
	enum smtp_reply_status status;

	if (r->code != 0) {
		if (r->len <= CODE_LEN || r->line[CODE_LEN] != '-')
			r->first = r->lines = 0;
		begin_line(r);
	}
	*used_out = end < in.len ? end + 1 : in.len;
	keep(r, span_head(in, end));
	if (r->seen > SMTP_REPLY_LINE_MOST)
		return SMTP_REPLY_BAD;
	if (end == in.len)
		return SMTP_REPLY_MORE;
	status = line_judge(r);
	if (status == SMTP_REPLY_BAD)
		r->code = 0;
	return status;
}

struct span
smtp_reply_text(const struct smtp_reply *r)
{
	return span_from(span_of(r->line, r->len), CODE_LEN + 1);
}

/* One to three digits. Returns: how many. */
static size_t
digits(struct span s)
{
	size_t n = 0;

	while (n < s.len && n < 3 && ascii_is_digit(s.p[n]))
		n++;
	return n;
}

struct span
smtp_reply_enhanced(const struct smtp_reply *r)
{
	struct span text = smtp_reply_text(r);
	size_t at = 0;

	/* RFC 3463 2: class "." subject "." detail */
	for (unsigned part = 0; part < 3; part++) {
		size_t n = digits(span_from(text, at));

		if (n == 0 || (part == 0 && (n != 1 || text.p[0] != '0' + r->first / 100)))
			return span_of(NULL, 0);
		at += n;
		if (part < 2 && (at == text.len || text.p[at++] != '.'))
			return span_of(NULL, 0);
	}
	if (at < text.len && text.p[at] != ' ')
		return span_of(NULL, 0);
	return span_head(text, at);
}

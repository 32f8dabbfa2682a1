/* Our header block from any values: its lines are of our making, and no foreign octet ends one. */
#include "queue-handoff/trace.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* One length octet, then so many octets. */
static struct span
take(struct cursor *c)
{
	struct span s = {NULL, 0};
	uint8_t len;

	if (cursor_u8(c, &len) && !cursor_bytes(c, len, &s))
		cursor_bytes(c, c->left, &s);
	return s;
}

static uint8_t
take_u8(struct cursor *c, uint8_t below)
{
	uint8_t v = 0;

	cursor_u8(c, &v);
	return v % below;
}

static void
take_signatures(struct cursor *c, struct trace_facts *f, struct buf *b)
{
	uint16_t n = 0;

	while (n < 8 && c->left > 0) {
		struct msg_dkim_result s;

		s.domain = take(c);
		s.selector = take(c);
		s.result = take_u8(c, 8);
		s.algorithm = take_u8(c, 4);
		s.tag = span_head(s.domain, 8);
		if (s.domain.len == 0 || s.selector.len == 0 ||
		    !msg_list_put(b, RECORD_dkim_result, &s))
			break;
		n++;
	}
	f->signatures = (struct msg_list){buf_span(b), n};
}

static bool
begins(struct span line, struct span with)
{
	return span_eq(span_head(line, with.len), with);
}

static bool
line_begins(struct span line)
{
	return line.p[0] == '\t' || begins(line, SPAN("Received: from ")) ||
	       begins(line, SPAN("Authentication-Results: ")) ||
	       begins(line, SPAN("Received-SPF: ")) || begins(line, SPAN("X-Gatehouse-Listed: ")) ||
	       begins(line, SPAN("X-Gatehouse-Disposition: quarantine"));
}

static void
check(struct span block)
{
	unsigned fields = 0;

	while (block.len > 0) {
		struct span line = span_head(block, span_find(block, '\n'));

		if (line.len == block.len || line.len < 2 || line.len > 998 || !line_begins(line))
			abort();
		fields += line.p[0] != '\t';
		for (size_t i = 0; i < line.len; i++)
			if ((line.p[i] < ' ' && i > 0) || line.p[i] >= 127)
				abort();
		block = span_from(block, line.len + 1);
	}
	if (fields < 1 || fields > 5)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cursor c = cursor_over(span_of(data, len));
	uint8_t list[8 * 600], room[TRACE_MAX];
	struct buf signatures = BUF_OVER(list), b = BUF_OVER(room);
	struct trace_facts f = {0};

	f.hostname = take(&c);
	f.helo = take(&c);
	f.esmtp = take_u8(&c, 2);
	f.tls_version = take(&c);
	f.tls_cipher = take(&c);
	f.id = take(&c);
	f.recipient = take(&c);
	f.reverse_path = take(&c);
	f.spf = take_u8(&c, 8);
	f.spf_domain = take(&c);
	f.dkim = take_u8(&c, 2);
	cursor_u64(&c, &f.received);
	take_signatures(&c, &f, &signatures);
	f.authserv_id = take(&c);
	f.client_name = take(&c);
	f.tls_server_name = take(&c);
	f.iprev = take_u8(&c, 8);
	f.spf_helo = take_u8(&c, 8);
	f.dmarc = take_u8(&c, 8);
	f.author = take(&c);
	f.dmarc_domain = take(&c);
	f.dmarc_policy = take_u8(&c, 4);
	f.smtputf8 = take_u8(&c, 2);
	f.received_spf = take_u8(&c, 2);
	f.quarantine = take_u8(&c, 2);
	f.listed = take(&c);
	if (!trace_put(&b, &f) || b.len > TRACE_MAX - 1)
		abort();
	check(buf_span(&b));
	return 0;
}

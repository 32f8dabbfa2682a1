#include "smtpd/content.h"

void
content_init(struct content *c, size_t line_max)
{
	*c = (struct content){
	    .place = CONTENT_LINE_START, .line_start = CONTENT_LINE_START, .line_max = line_max};
}

void
content_init_chunks(struct content *c, size_t line_max)
{
	*c = (struct content){
	    .place = CONTENT_LINE, .line_start = CONTENT_LINE, .line_max = line_max};
}

static void
put_octets(struct content *c, struct span s, struct buf *out)
{
	buf_put_span(out, s);
	c->size += s.len;
	c->line_len += s.len;
	if (c->line_len > c->line_max)
		c->long_line = true;
}

/* In: place, where the next octet stands. */
static void
put_line_end(struct content *c, enum content_place place, struct buf *out)
{
	buf_put_u8(out, '\n');
	c->size += 2;
	c->line_len = 0;
	c->place = place;
}

/* A run without CR. */
static void
put_run(struct content *c, struct span run, struct buf *out)
{
	size_t lf;

	while ((lf = span_find(run, '\n')) < run.len) {
		c->bare_lf = true;
		put_octets(c, span_head(run, lf), out);
		put_line_end(c, CONTENT_LINE, out);
		run = span_from(run, lf + 1);
	}
	put_octets(c, run, out);
}

/* In a line: takes everything up to the next line end. Returns: octets read, at least 1. */
static size_t
take_line(struct content *c, struct span in, struct buf *out)
{
	size_t cr = span_find(in, '\r');

	put_run(c, span_head(in, cr), out);
	if (cr == in.len)
		return cr;
	if (cr + 1 < in.len && in.p[cr + 1] == '\n') {
		put_line_end(c, c->line_start, out);
		return cr + 2;
	}
	c->place = CONTENT_CR;
	return cr + 1;
}

/* After a CR in a line. Returns: octets read, 0 or 1. */
static size_t
take_after_cr(struct content *c, uint8_t octet, struct buf *out)
{
	if (octet == '\n') {
		put_line_end(c, c->line_start, out);
		return 1;
	}
	c->bare_cr = true;
	put_octets(c, SPAN("\r"), out);
	if (octet == '\r')
		return 1;
	c->place = CONTENT_LINE;
	return 0;
}

/* One step of the automaton. Returns: octets read; 0 when only the place changed. */
static size_t
step(struct content *c, struct span in, struct buf *out, bool *end_out)
{
	switch (c->place) {
	case CONTENT_LINE_START:
		c->place = in.p[0] == '.' ? CONTENT_DOT : CONTENT_LINE;
		return in.p[0] == '.' ? 1 : 0;
	case CONTENT_DOT:
		c->place = in.p[0] == '\r' ? CONTENT_DOT_CR : CONTENT_LINE;
		return in.p[0] == '\r' ? 1 : 0;
	case CONTENT_DOT_CR:
		*end_out = in.p[0] == '\n';
		c->place = CONTENT_CR;
		return *end_out ? 1 : 0;
	case CONTENT_CR:
		return take_after_cr(c, in.p[0], out);
	case CONTENT_LINE:
		break;
	}
	return take_line(c, in, out);
}

enum content_status
content_feed(struct content *c, struct span in, struct buf *out, size_t *used_out)
{
	bool end = false;
	size_t at = 0;

	while (at < in.len && !end)
		at += step(c, span_from(in, at), out, &end);
	if (!c->nul && span_find(span_head(in, at), '\0') < at)
		c->nul = true;
	*used_out = at;
	return end ? CONTENT_END : CONTENT_MORE;
}

void
content_finish(struct content *c, struct buf *out)
{
	if (c->line_start == CONTENT_LINE_START)
		return;
	if (c->place == CONTENT_CR) {
		c->bare_cr = true;
		put_octets(c, SPAN("\r"), out);
	}
	c->unended = c->line_len > 0;
	if (c->unended)
		put_line_end(c, c->line_start, out);
}

enum content_fault
content_fault(const struct content *c, bool reject_bare_lf)
{
	if (c->bare_cr || c->nul)
		return CONTENT_BARE_CR;
	if (c->bare_lf && reject_bare_lf)
		return CONTENT_BARE_LF;
	return c->unended && reject_bare_lf ? CONTENT_UNENDED : CONTENT_GOOD;
}

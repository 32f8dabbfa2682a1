#include "validators/note.h"

static note_fn *sink;
static void *sink_arg;

void
note_to(note_fn *fn, void *arg)
{
	sink = fn;
	sink_arg = arg;
}

bool
note_wanted(void)
{
	return sink != NULL;
}

static void
put_cut(struct buf *b, struct span text)
{
	buf_put_span(b, span_head(text, b->cap - b->len));
}

void
note(const char *what, struct span name, struct span text)
{
	uint8_t room[NOTE_MAX];
	struct buf b = BUF_OVER(room);

	if (sink == NULL)
		return;
	put_cut(&b, span_str(what));
	if (name.len > 0) {
		put_cut(&b, SPAN(" "));
		put_cut(&b, name);
	}
	if (text.len > 0) {
		put_cut(&b, SPAN(": "));
		put_cut(&b, text);
	}
	sink(sink_arg, buf_span(&b));
}

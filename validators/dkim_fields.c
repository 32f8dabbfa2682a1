#include "validators/dkim_fields.h"

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool
field_parse(struct span whole, struct dkim_field *f)
{
	size_t colon = span_find(whole, ':');

	f->whole = whole;
	f->name = span_head(whole, colon);
	f->value = span_from(whole, colon + 1);
	while (f->name.len > 0 && is_blank(f->name.p[f->name.len - 1]))
		f->name.len--;
	if (colon == whole.len || f->name.len == 0)
		return false;
	for (size_t i = 0; i < f->name.len; i++)
		if (f->name.p[i] <= ' ' || f->name.p[i] > '~')
			return false;
	return span_find(whole, '\0') == whole.len && span_find(whole, '\r') == whole.len;
}

/* Length of the field at the beginning of the text: its line, and the folded ones after it. */
static size_t
field_len(struct span text)
{
	size_t at = span_find(text, '\n');

	while (at + 1 < text.len && is_blank(text.p[at + 1]))
		at += 1 + span_find(span_from(text, at + 1), '\n');
	return at;
}

bool
dkim_fields_split(struct span block, bool whole, struct dkim_fields *fields_out)
{
	struct dkim_fields *f = fields_out;
	struct span rest = block;

	f->count = 0;
	while (rest.len > 0 && rest.p[0] != '\n') {
		size_t len = field_len(rest);

		/* Without its LF, or the octet behind it that shows there is no fold, it may go on. */
		if (!whole && len + 1 >= rest.len)
			return false;
		if (f->count == DKIM_FIELDS_MAX ||
		    !field_parse(span_head(rest, len), &f->items[f->count]))
			return false;
		f->count++;
		rest = span_from(rest, len + 1);
	}
	if (rest.len == 0 && !whole)
		return false;
	f->body = block.len - rest.len + (rest.len > 0 ? 1 : 0);
	return true;
}

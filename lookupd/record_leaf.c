/* Leaves and routes, and the rules about the texts in them. */
#include "lookupd/record_attrs.h"

static bool
leaf_route(void *record, struct span s)
{
	return attr_take_u16(s, &((struct leaf *)record)->route);
}

static bool
leaf_class(void *record, struct span s)
{
	((struct leaf *)record)->class = s;
	return record_name_ok(s);
}

static bool
leaf_status(void *record, struct span s)
{
	((struct leaf *)record)->status = s;
	return record_status_ok(s, '4') || record_status_ok(s, '5');
}

static bool
leaf_text(void *record, struct span s)
{
	((struct leaf *)record)->text = s;
	return record_text_ok(s);
}

static bool
leaf_size(void *record, struct span s)
{
	return attr_take_u64(s, &((struct leaf *)record)->size);
}

static bool
leaf_next_table(void *record, struct span s)
{
	return attr_take_u32(s, &((struct leaf *)record)->next_table);
}

static bool
leaf_delivered_to(void *record, struct span s)
{
	((struct leaf *)record)->delivered_to = s;
	return delivered_to_ok(s);
}

static bool
leaf_no_bounces(void *record, struct span s)
{
	((struct leaf *)record)->no_bounces = true;
	return s.len == 0;
}

static const struct attr_row leaf_rows[] = {
    {LEAF_ROUTE, leaf_route},
    {LEAF_CLASS, leaf_class},
    {LEAF_STATUS, leaf_status},
    {LEAF_TEXT, leaf_text},
    {LEAF_SIZE, leaf_size},
    {LEAF_NEXT_TABLE, leaf_next_table},
    {LEAF_NO_BOUNCES, leaf_no_bounces},
    {LEAF_DELIVERED_TO, leaf_delivered_to},
};

enum record_status
leaf_decode(struct span value, struct leaf *l_out)
{
	struct cursor c = cursor_over(value);
	uint8_t unknown;

	*l_out = (struct leaf){0};
	if (!cursor_u8(&c, &l_out->verdict) || !cursor_u8(&c, &l_out->immediate) ||
	    !cursor_u8(&c, &l_out->flags))
		return RECORD_MALFORMED;
	if (l_out->verdict >= LEAF_VERDICTS || l_out->immediate >= LEAF_VERDICTS ||
	    (l_out->flags & ~LEAF_FLAGS) != 0)
		return RECORD_UNKNOWN;
	return attr_take_all(c, ROWS(leaf_rows), l_out, &unknown);
}

void
leaf_put(struct buf *b, const struct leaf *l)
{
	buf_put_u8(b, l->verdict);
	buf_put_u8(b, l->immediate);
	buf_put_u8(b, l->flags);
	if (l->route != 0)
		attr_put_u16(b, LEAF_ROUTE, l->route);
	attr_put_some(b, LEAF_CLASS, l->class);
	attr_put_some(b, LEAF_STATUS, l->status);
	attr_put_some(b, LEAF_TEXT, l->text);
	if (l->size != 0)
		attr_put_u64(b, LEAF_SIZE, l->size);
	if (l->next_table != 0)
		attr_put_u32(b, LEAF_NEXT_TABLE, l->next_table);
	if (l->no_bounces)
		attr_put(b, LEAF_NO_BOUNCES, span_of("", 0));
	attr_put_some(b, LEAF_DELIVERED_TO, l->delivered_to);
}

bool
leaf_accepts(struct span value)
{
	return value.len > 0 && (value.p[0] == LEAF_ACCEPT || value.p[0] == LEAF_DISCARD);
}

static bool
route_name(void *record, struct span s)
{
	*(struct span *)record = s;
	return record_name_ok(s);
}

static const struct attr_row route_rows[] = {
    {ROUTE_NAME, route_name},
};

enum record_status
route_decode(struct span value, struct span *name_out)
{
	enum record_status status;
	uint8_t unknown;

	*name_out = span_of(NULL, 0);
	status = attr_take_all(cursor_over(value), ROWS(route_rows), name_out, &unknown);
	return status == RECORD_OK && name_out->len == 0 ? RECORD_MALFORMED : status;
}

/* ---- texts ----------------------------------------------------------------------------------------- */

bool
record_name_ok(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '.' && c != '_' && c != '-')
			return false;
	}
	return name.len >= 1 && name.len <= LAYOUT_NAME_MAX;
}

/* One to three digits, without a leading zero. Returns: how many octets they take, or 0. */
static size_t
status_number(struct span s)
{
	size_t n = 0;

	while (n < s.len && n < 3 && ascii_is_digit(s.p[n]))
		n++;
	return n > 1 && s.p[0] == '0' ? 0 : n;
}

/* RFC 3463 2: class "." subject "." detail */
bool
record_status_ok(struct span status, uint8_t class)
{
	size_t n;

	if (status.len > LAYOUT_STATUS_MAX || status.len < 2 || status.p[0] != class ||
	    status.p[1] != '.')
		return false;
	status = span_from(status, 2);
	n = status_number(status);
	if (n == 0 || n >= status.len || status.p[n] != '.')
		return false;
	status = span_from(status, n + 1);
	n = status_number(status);
	return n > 0 && n == status.len;
}

static bool
printable(struct span text, size_t most)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	return text.len >= 1 && text.len <= most;
}

bool
record_text_ok(struct span text)
{
	return printable(text, LAYOUT_TEXT_MAX);
}

bool
delivered_to_ok(struct span text)
{
	return printable(text, LAYOUT_DELIVERED_TO_MAX);
}

/* Attributes: type, length, octets; what is common to all records that have them. */
#include "lookupd/record_attrs.h"

enum record_status
attr_next(struct cursor *c, struct attr *a_out)
{
	struct cursor at = *c;
	uint16_t len;

	if (!cursor_u8(&at, &a_out->type) || !cursor_u16(&at, &len) ||
	    !cursor_bytes(&at, len, &a_out->octets))
		return RECORD_MALFORMED;
	*c = at;
	return RECORD_OK;
}

void
attr_put(struct buf *b, uint8_t type, struct span octets)
{
	buf_put_u8(b, type);
	buf_put_u16(b, (uint16_t)octets.len);
	buf_put_span(b, octets);
}

void
attr_put_u16(struct buf *b, uint8_t type, uint16_t v)
{
	buf_put_u8(b, type);
	buf_put_u16(b, 2);
	buf_put_u16(b, v);
}

void
attr_put_u32(struct buf *b, uint8_t type, uint32_t v)
{
	buf_put_u8(b, type);
	buf_put_u16(b, 4);
	buf_put_u32(b, v);
}

void
attr_put_u64(struct buf *b, uint8_t type, uint64_t v)
{
	buf_put_u8(b, type);
	buf_put_u16(b, 8);
	buf_put_u64(b, v);
}

void
attr_put_numbers(struct buf *b, uint8_t type, const uint64_t *numbers, size_t count)
{
	buf_put_u8(b, type);
	buf_put_u16(b, (uint16_t)(8 * count));
	for (size_t i = 0; i < count; i++)
		buf_put_u64(b, numbers[i]);
}

bool
attr_take_u16(struct span s, uint16_t *v_out)
{
	struct cursor c = cursor_over(s);

	return s.len == 2 && cursor_u16(&c, v_out);
}

bool
attr_take_u32(struct span s, uint32_t *v_out)
{
	struct cursor c = cursor_over(s);

	return s.len == 4 && cursor_u32(&c, v_out);
}

bool
attr_take_u64(struct span s, uint64_t *v_out)
{
	struct cursor c = cursor_over(s);

	return s.len == 8 && cursor_u64(&c, v_out);
}

bool
attr_take_octets(struct span s, size_t least, size_t most, struct span *s_out)
{
	*s_out = s;
	return s.len >= least && s.len <= most;
}

bool
attr_take_set(struct span s, struct span *set_out)
{
	return attr_take_octets(s, LAYOUT_BITS_LEN, LAYOUT_BITS_LEN, set_out);
}

bool
attr_take_numbers(struct span s, uint64_t *const *numbers, size_t count)
{
	struct cursor c = cursor_over(s);

	for (size_t i = 0; i < count; i++)
		if (!cursor_u64(&c, numbers[i]))
			return false;
	return c.left == 0;
}

enum record_status
attr_take_all(
    struct cursor c, const struct attr_row *rows, size_t count, void *record, uint8_t *unknown_out)
{
	struct attr a;

	while (c.left > 0) {
		size_t i = 0;

		if (attr_next(&c, &a) != RECORD_OK)
			return RECORD_MALFORMED;
		while (i < count && rows[i].type != a.type)
			i++;
		if (i < count) {
			if (!rows[i].take(record, a.octets))
				return RECORD_MALFORMED;
		} else if (!(a.type & ATTR_IGNORABLE)) {
			*unknown_out = a.type;
			return RECORD_UNKNOWN;
		}
	}
	return RECORD_OK;
}

void
attr_put_some(struct buf *b, uint8_t type, struct span octets)
{
	if (octets.len > 0)
		attr_put(b, type, octets);
}

/* Sets of octets and lengths; controllers of boxes and accounts. */
#include "lookupd/record.h"

/* ---- sets ---------------------------------------------------------------------------------------- */

bool
bits_have(struct span bits, unsigned n)
{
	return n / 8 < bits.len && (bits.p[n / 8] >> (n % 8) & 1) != 0;
}

void
bits_set(uint8_t bits[LAYOUT_BITS_LEN], unsigned n)
{
	bits[n / 8] = (uint8_t)(bits[n / 8] | 1u << (n % 8));
}

/* The set as it is written when it is empty. */
static const uint8_t no_bits[LAYOUT_BITS_LEN];

static unsigned
length_bit(size_t len, size_t from)
{
	size_t bit = len - from;

	return bit < LAYOUT_LAST_BIT ? (unsigned)bit : LAYOUT_LAST_BIT;
}

bool
lengths_have(struct span set, size_t len, size_t from)
{
	return len >= from && bits_have(set, length_bit(len, from));
}

void
lengths_set(uint8_t set[LAYOUT_BITS_LEN], size_t len, size_t from)
{
	if (len >= from)
		bits_set(set, length_bit(len, from));
}

/* ---- controllers -------------------------------------------------------------------------------- */

/* A length u16 and that many octets. */
static bool
take_counted(struct cursor *c, struct span *s_out)
{
	uint16_t len;

	return cursor_u16(c, &len) && cursor_bytes(c, len, s_out);
}

static void
put_counted(struct buf *b, struct span s)
{
	buf_put_u16(b, (uint16_t)s.len);
	buf_put_span(b, s);
}

static bool
take_target(struct cursor *c, struct controller *to)
{
	return cursor_u32(c, &to->target) && cursor_u8(c, &to->none) && cursor_u8(c, &to->flags) &&
	       cursor_bytes(c, LAYOUT_BITS_LEN, &to->default_lengths) &&
	       take_counted(c, &to->dash) && take_counted(c, &to->pre) && c->left == 0;
}

enum record_status
controller_decode(struct span value, struct controller *c_out)
{
	struct cursor c = cursor_over(value);

	*c_out = (struct controller){0};
	if (!cursor_u8(&c, &c_out->kind))
		return RECORD_MALFORMED;
	switch (c_out->kind) {
	case CONTROLLER_FIXED:
		c_out->fixed = span_of(c.p, c.left);
		return RECORD_OK;
	case CONTROLLER_KNOWN:
		if (!take_counted(&c, &c_out->known))
			return RECORD_MALFORMED;
		c_out->kind = CONTROLLER_TARGET;
		/* fall through */
	case CONTROLLER_TARGET:
		if (!take_target(&c, c_out))
			return RECORD_MALFORMED;
		return c_out->none < LEAF_VERDICTS && (c_out->flags & ~CONTROLLER_DIRECTORIES) == 0
		           ? RECORD_OK
		           : RECORD_UNKNOWN;
	default:
		return RECORD_UNKNOWN;
	}
}

void
controller_put(struct buf *b, const struct controller *c)
{
	if (c->kind == CONTROLLER_FIXED) {
		buf_put_u8(b, CONTROLLER_FIXED);
		buf_put_span(b, c->fixed);
		return;
	}
	buf_put_u8(b, c->known.len > 0 ? CONTROLLER_KNOWN : CONTROLLER_TARGET);
	if (c->known.len > 0)
		put_counted(b, c->known);
	buf_put_u32(b, c->target);
	buf_put_u8(b, c->none);
	buf_put_u8(b, c->flags);
	buf_put(b, c->default_lengths.len > 0 ? c->default_lengths.p : no_bits, LAYOUT_BITS_LEN);
	put_counted(b, c->dash);
	put_counted(b, c->pre);
}

enum record_status
account_decode(struct span value, struct span *bare_out, struct span *ext_out)
{
	struct cursor c = cursor_over(value);

	return take_counted(&c, bare_out) && take_counted(&c, ext_out) && c.left == 0
	           ? RECORD_OK
	           : RECORD_MALFORMED;
}

#include "smtpd/header.h"

static const struct span names[HEADER_OTHER] = {
    [HEADER_RECEIVED] = {(const uint8_t *)"received", 8},
    [HEADER_DELIVERED_TO] = {(const uint8_t *)"delivered-to", 12},
};

enum { LONGEST_NAME = 12, ALL_NAMES = (1 << HEADER_OTHER) - 1 };

static const uint64_t empty_digest = UINT64_C(14695981039346656037); /* FNV-1a */

void
header_init(struct header *h, unsigned hops_max)
{
	*h = (struct header){
	    .status = HEADER_MORE,
	    .place = HEADER_LINE_START,
	    .hops_max = hops_max,
	    .field = HEADER_OTHER,
	};
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool
is_name_octet(uint8_t c)
{
	return c > 32 && c < 127 && c != ':';
}

/* ---- values --------------------------------------------------------------------------------- */

static void
value_add(struct header_value *v, uint8_t c)
{
	v->digest = (v->digest ^ ascii_lower(c)) * UINT64_C(1099511628211);
}

static void
value_feed(struct header_value *v, struct span octets)
{
	for (size_t i = 0; i < octets.len; i++) {
		uint8_t c = octets.p[i];

		if (is_space(c) || c == '\n') {
			v->blank = v->begun;
			continue;
		}
		if (v->blank)
			value_add(v, ' ');
		value_add(v, c);
		v->begun = true;
		v->blank = false;
	}
}

uint64_t
header_digest(struct span value)
{
	struct header_value v = {.digest = empty_digest};

	value_feed(&v, value);
	return v.digest;
}

/* The value has ended: a line that does not continue it has begun, or the message has ended. */
static void
end_value(struct header *h)
{
	if (h->field == HEADER_DELIVERED_TO && h->is_loop(h->arg, h->value.digest))
		h->status = HEADER_LOOP;
	h->field = HEADER_OTHER;
}

/* ---- names ---------------------------------------------------------------------------------- */

static void
add_to_name(struct header *h, uint8_t c)
{
	if (h->name_len > LONGEST_NAME)
		return;
	for (unsigned i = 0; i < HEADER_OTHER; i++)
		if (h->name_len >= names[i].len || ascii_lower(c) != names[i].p[h->name_len])
			h->maybe &= ~(1u << i);
	h->name_len++;
}

static bool
name_is(const struct header *h, enum header_field field)
{
	return (h->maybe & 1u << field) != 0 && h->name_len == names[field].len;
}

/* The first octet of a line. */
static void
at_line_start(struct header *h, uint8_t c)
{
	if (h->field != HEADER_OTHER && !is_space(c)) {
		end_value(h);
		if (h->status != HEADER_MORE)
			return;
	}
	if (c == '\n') {
		h->status = HEADER_BODY;
	} else if (is_space(c)) {
		/* Before the first field it would continue a field of ours (row 185). */
		h->place = HEADER_FOLD;
		if (h->field != HEADER_OTHER)
			value_feed(&h->value, SPAN(" "));
		if (h->fields == 0)
			h->status = HEADER_MALFORMED;
	} else if (!is_name_octet(c)) {
		h->status = HEADER_MALFORMED;
	} else {
		h->place = HEADER_NAME;
		h->name_len = 0;
		h->maybe = ALL_NAMES;
		add_to_name(h, c);
	}
}

static void
begin_value(struct header *h)
{
	h->field = HEADER_DELIVERED_TO;
	h->value = (struct header_value){.digest = empty_digest};
}

/* The colon after a field name. */
static void
end_name(struct header *h)
{
	h->place = HEADER_VALUE;
	if (++h->fields > HEADER_FIELDS_MAX)
		h->status = HEADER_TOO_LARGE;
	else if (name_is(h, HEADER_RECEIVED) && ++h->hops > h->hops_max)
		h->status = HEADER_LOOP;
	else if (h->is_loop != NULL && name_is(h, HEADER_DELIVERED_TO))
		begin_value(h);
}

static void
in_name(struct header *h, uint8_t c)
{
	if (c == ':')
		end_name(h);
	else if (is_name_octet(c))
		add_to_name(h, c);
	else
		h->status = HEADER_MALFORMED;
}

/* In the white space that begins a continuation line. */
static void
in_fold(struct header *h, uint8_t c)
{
	if (c == '\n')
		h->status = HEADER_MALFORMED; /* only white space: an empty line to some readers */
	else if (!is_space(c))
		h->place = HEADER_VALUE;
	if (h->field != HEADER_OTHER)
		value_feed(&h->value, span_of(&c, 1));
}

/* Octets that can be taken at once: a run of field value, or a single octet. */
static size_t
step(struct header *h, struct span in)
{
	size_t n;

	switch (h->place) {
	case HEADER_LINE_START:
		at_line_start(h, in.p[0]);
		return 1;
	case HEADER_NAME:
		in_name(h, in.p[0]);
		return 1;
	case HEADER_FOLD:
		in_fold(h, in.p[0]);
		return 1;
	case HEADER_VALUE:
		break;
	}
	n = span_find(in, '\n');
	if (h->field != HEADER_OTHER)
		value_feed(&h->value, span_head(in, n));
	if (n == in.len)
		return n;
	h->place = HEADER_LINE_START;
	return n + 1;
}

enum header_status
header_feed(struct header *h, struct span octets)
{
	while (octets.len > 0 && h->status == HEADER_MORE) {
		size_t n = step(h, octets);

		h->block_len += n;
		/* Whatever the octets beyond the limit are, they come too late to matter. */
		if (h->block_len > HEADER_BLOCK_MAX)
			h->status = HEADER_TOO_LARGE;
		octets = span_from(octets, n);
	}
	return h->status;
}

enum header_status
header_finish(struct header *h)
{
	if (h->status == HEADER_MORE && h->field != HEADER_OTHER)
		end_value(h);
	if (h->status == HEADER_MORE)
		h->status = h->place == HEADER_LINE_START ? HEADER_BODY : HEADER_MALFORMED;
	return h->status;
}

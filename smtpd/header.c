#include "smtpd/header.h"

static const struct span hop_name = SPAN("received");

void
header_init(struct header *h, unsigned hops_max)
{
	*h = (struct header){
	    .status = HEADER_MORE, .place = HEADER_LINE_START, .hops_max = hops_max};
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

static void
add_to_name(struct header *h, uint8_t c)
{
	h->maybe_hop =
	    h->maybe_hop && h->name_len < hop_name.len && ascii_lower(c) == hop_name.p[h->name_len];
	if (h->name_len <= hop_name.len)
		h->name_len++;
}

/* The first octet of a line. */
static void
at_line_start(struct header *h, uint8_t c)
{
	if (c == '\n') {
		h->status = HEADER_BODY;
	} else if (is_space(c)) {
		/* Before the first field it would continue a field of ours (row 185). */
		h->place = HEADER_FOLD;
		if (h->fields == 0)
			h->status = HEADER_MALFORMED;
	} else if (!is_name_octet(c)) {
		h->status = HEADER_MALFORMED;
	} else {
		h->place = HEADER_NAME;
		h->name_len = 0;
		h->maybe_hop = true;
		add_to_name(h, c);
	}
}

/* The colon after a field name. */
static void
end_name(struct header *h)
{
	h->place = HEADER_VALUE;
	if (++h->fields > HEADER_FIELDS_MAX)
		h->status = HEADER_TOO_LARGE;
	else if (h->maybe_hop && h->name_len == hop_name.len && ++h->hops > h->hops_max)
		h->status = HEADER_LOOP;
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
	if (h->status == HEADER_MORE)
		h->status = h->place == HEADER_LINE_START ? HEADER_BODY : HEADER_MALFORMED;
	return h->status;
}

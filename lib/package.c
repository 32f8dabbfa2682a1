#include "lib/package.h"

/* Far beyond any message, and no sum of two overflows. */
static const uint64_t length_max = UINT64_C(1) << 40;

enum state {
	OUTER_LENGTH,
	CONTENT_LENGTH,
	CONTENT,
	CONTENT_END,
	SENDER,
	RECIPIENT,
	OUTER_END,
	OVER,
	STATES
};

void
package_init(struct package *p)
{
	*p = (struct package){.state = OUTER_LENGTH};
}

static enum package_event
bad(struct package *p)
{
	p->state = OVER;
	return PACKAGE_BAD;
}

static void
take(struct span *in, size_t n)
{
	*in = span_from(*in, n);
}

/* One octet of LENGTH ":". Returns: DONE behind the colon. */
static enum netstring_status
length_octet(struct package *p, uint8_t c)
{
	if (c == ':' && p->digits > 0)
		return NETSTRING_DONE;
	if (!ascii_is_digit(c) || (p->digits > 0 && p->number == 0))
		return NETSTRING_BAD;
	p->number = p->number * 10 + (uint64_t)(c - '0');
	p->digits++;
	return p->number <= length_max ? NETSTRING_MORE : NETSTRING_BAD;
}

static void
length_reset(struct package *p)
{
	p->number = 0;
	p->digits = 0;
}

static void
address_begin(struct package *p, enum state state)
{
	netstring_reader_init(&p->reader, p->address, sizeof(p->address));
	p->state = state;
}

/* ---- one step for each state: MORE means "go on with the next octets" ---- */

static enum package_event
step_outer_length(struct package *p, struct span *in, struct span *out)
{
	enum netstring_status status = length_octet(p, in->p[0]);

	(void)out;
	take(in, 1);
	if (status == NETSTRING_BAD)
		return bad(p);
	if (status == NETSTRING_DONE) {
		p->outer_left = p->number;
		length_reset(p);
		p->state = CONTENT_LENGTH;
	}
	return PACKAGE_MORE;
}

static enum package_event
step_content_length(struct package *p, struct span *in, struct span *out)
{
	enum netstring_status status;

	(void)out;
	if (p->outer_left == 0)
		return bad(p);
	status = length_octet(p, in->p[0]);
	take(in, 1);
	p->outer_left--;
	/* The content and its comma are inside of the outer netstring. */
	if (status == NETSTRING_BAD || (status == NETSTRING_DONE && p->number + 1 > p->outer_left))
		return bad(p);
	if (status == NETSTRING_DONE) {
		p->content_len = p->content_left = p->number;
		p->state = p->content_left > 0 ? CONTENT : CONTENT_END;
	}
	return PACKAGE_MORE;
}

static enum package_event
step_content(struct package *p, struct span *in, struct span *out)
{
	*out = p->content_left < in->len ? span_head(*in, (size_t)p->content_left) : *in;
	take(in, out->len);
	p->content_left -= out->len;
	p->outer_left -= out->len;
	if (p->content_left == 0)
		p->state = CONTENT_END;
	return PACKAGE_CONTENT;
}

static enum package_event
step_content_end(struct package *p, struct span *in, struct span *out)
{
	(void)out;
	if (in->p[0] != ',')
		return bad(p);
	take(in, 1);
	p->outer_left--;
	address_begin(p, SENDER);
	return PACKAGE_MORE;
}

/* Reads on in an address, not beyond the outer netstring. */
static enum netstring_status
address_feed(struct package *p, struct span *in, struct span *out)
{
	struct span inside = p->outer_left < in->len ? span_head(*in, (size_t)p->outer_left) : *in;
	size_t used;
	enum netstring_status status = netstring_reader_feed(&p->reader, inside, &used);

	take(in, used);
	p->outer_left -= used;
	*out = span_of(p->address, p->reader.length);
	if (status == NETSTRING_MORE && p->outer_left == 0)
		return NETSTRING_BAD;
	return status;
}

static enum package_event
step_sender(struct package *p, struct span *in, struct span *out)
{
	enum netstring_status status = address_feed(p, in, out);

	if (status == NETSTRING_MORE)
		return PACKAGE_MORE;
	/* At least one recipient follows. */
	if (status == NETSTRING_BAD || p->outer_left == 0)
		return bad(p);
	address_begin(p, RECIPIENT);
	return PACKAGE_SENDER;
}

static enum package_event
step_recipient(struct package *p, struct span *in, struct span *out)
{
	enum netstring_status status = address_feed(p, in, out);

	if (status == NETSTRING_MORE)
		return PACKAGE_MORE;
	if (status == NETSTRING_BAD)
		return bad(p);
	address_begin(p, p->outer_left > 0 ? RECIPIENT : OUTER_END);
	return PACKAGE_RECIPIENT;
}

static enum package_event
step_outer_end(struct package *p, struct span *in, struct span *out)
{
	(void)out;
	if (in->p[0] != ',')
		return bad(p);
	take(in, 1);
	p->state = OVER;
	return PACKAGE_DONE;
}

/* One package is one conversation. */
static enum package_event
step_over(struct package *p, struct span *in, struct span *out)
{
	(void)in;
	(void)out;
	return bad(p);
}

static enum package_event (*const steps[STATES])(struct package *, struct span *, struct span *) = {
    [OUTER_LENGTH] = step_outer_length,
    [CONTENT_LENGTH] = step_content_length,
    [CONTENT] = step_content,
    [CONTENT_END] = step_content_end,
    [SENDER] = step_sender,
    [RECIPIENT] = step_recipient,
    [OUTER_END] = step_outer_end,
    [OVER] = step_over,
};

enum package_event
package_next(struct package *p, struct span *in, struct span *out)
{
	enum package_event event = PACKAGE_MORE;

	while (in->len > 0 && event == PACKAGE_MORE)
		event = steps[p->state](p, in, out);
	return event;
}

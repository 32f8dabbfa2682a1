#include "resolverd/packet.h"

enum {
	HEADER_LEN = 12,
	FLAG_RESPONSE = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_TRUNCATED = 0x0200,
	FLAG_RCODE = 0x000f,
	RCODE_OK = 0,
	RCODE_NO_NAME = 3,
	CLASS_IN = 1,
};

/* Reading position; offsets count from the start of the packet because compression does. */
struct reader {
	struct span packet;
	size_t at;
};

struct record {
	struct packet_name owner;
	uint16_t type, class;
	uint32_t ttl;
	size_t data, end; /* offsets of the data and of what follows */
};

/* ---- numbers, most significant octet first ----------------------------------------------------- */

static bool
read_u16(struct reader *r, uint16_t *v_out)
{
	const uint8_t *p = r->packet.p + r->at;

	if (r->packet.len - r->at < 2)
		return false;
	*v_out = (uint16_t)(p[0] << 8 | p[1]);
	r->at += 2;
	return true;
}

static bool
read_u32(struct reader *r, uint32_t *v_out)
{
	uint16_t high, low;

	if (!read_u16(r, &high) || !read_u16(r, &low))
		return false;
	*v_out = (uint32_t)high << 16 | low;
	return true;
}

/* ---- names ------------------------------------------------------------------------------------- */

static bool
name_add_label(struct packet_name *name, const uint8_t *octets, size_t len)
{
	/* room for the final zero too */
	if (len > NAME_LABEL_MAX || name->len + 1 + len + 1 > NAME_WIRE_MAX)
		return false;
	name->wire[name->len++] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		name->wire[name->len++] = ascii_lower(octets[i]);
	return true;
}

/*
 * RFC 1035 4.1.4. A pointer must lead backwards, before the labels that led to it: so there is
 * no loop, and the number of jumps is bounded by the packet.
 */
static bool
read_name(struct reader *r, struct packet_name *name_out)
{
	const uint8_t *p = r->packet.p;
	size_t at = r->at, segment = r->at;
	bool jumped = false;

	name_out->len = 0;
	for (;;) {
		if (at >= r->packet.len)
			return false;
		if ((p[at] & 0xc0) == 0xc0) {
			size_t target;

			if (r->packet.len - at < 2)
				return false;
			target = (size_t)(p[at] & 0x3f) << 8 | p[at + 1];
			if (target >= segment)
				return false;
			if (!jumped)
				r->at = at + 2;
			jumped = true;
			at = segment = target;
			continue;
		}
		if (p[at] == 0)
			break;
		if (p[at] > NAME_LABEL_MAX || r->packet.len - at - 1 < p[at] ||
		    !name_add_label(name_out, p + at + 1, p[at]))
			return false;
		at += 1u + p[at];
	}
	name_out->wire[name_out->len++] = 0;
	if (!jumped)
		r->at = at + 1;
	return true;
}

static bool
name_eq(const struct packet_name *a, const struct packet_name *b)
{
	return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

bool
packet_name_parse(struct span text, struct packet_name *name_out)
{
	struct span rest = text;

	name_out->len = 0;
	do {
		size_t len = span_find(rest, '.');

		if (len == 0 || !name_add_label(name_out, rest.p, len))
			return false;
		if (len == rest.len)
			break;
		rest = span_from(rest, len + 1);
	} while (true);
	name_out->wire[name_out->len++] = 0;
	return true;
}

static bool
is_plain(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

bool
packet_name_put(const struct packet_name *name, struct buf *b)
{
	size_t at = 0;

	while (name->wire[at] != 0) {
		for (size_t i = 1; i <= name->wire[at]; i++)
			if (!is_plain(name->wire[at + i]))
				return false;
		at += 1u + name->wire[at];
	}
	for (at = 0; name->wire[at] != 0; at += 1u + name->wire[at]) {
		if (at > 0)
			buf_put_u8(b, '.');
		buf_put(b, name->wire + at + 1, name->wire[at]);
	}
	return true;
}

/* ---- records ----------------------------------------------------------------------------------- */

static bool
read_record(struct reader *r, struct record *rec_out)
{
	uint16_t len;

	if (!read_name(r, &rec_out->owner) || !read_u16(r, &rec_out->type) ||
	    !read_u16(r, &rec_out->class) || !read_u32(r, &rec_out->ttl) || !read_u16(r, &len) ||
	    r->packet.len - r->at < len)
		return false;
	rec_out->data = r->at;
	rec_out->end = r->at + len;
	r->at = rec_out->end;
	return true;
}

enum taken { TAKEN, SKIPPED, MALFORMED, TOO_LARGE };

/* A name that fills the data from `at` to its end. */
static bool
data_name(struct span packet, const struct record *rec, size_t at, struct packet_name *name_out)
{
	struct reader r = {packet, at};

	return read_name(&r, name_out) && r.at == rec->end;
}

static enum taken
take_address(struct span packet, const struct record *rec, size_t len, struct msg_dns_record *out)
{
	if (rec->end - rec->data != len)
		return MALFORMED;
	out->data = span_of(packet.p + rec->data, len);
	return TAKEN;
}

static enum taken
take_a(struct span packet, const struct record *rec, struct buf *text, struct msg_dns_record *out)
{
	(void)text;
	return take_address(packet, rec, 4, out);
}

static enum taken
take_aaaa(
    struct span packet, const struct record *rec, struct buf *text, struct msg_dns_record *out)
{
	(void)text;
	return take_address(packet, rec, 16, out);
}

static enum taken
take_target(struct span packet, const struct record *rec, size_t at, struct buf *text,
    struct msg_dns_record *out)
{
	struct packet_name name;

	if (!data_name(packet, rec, at, &name))
		return MALFORMED;
	if (!packet_name_put(&name, text))
		return SKIPPED;
	out->data = buf_span(text);
	return TAKEN;
}

static enum taken
take_ptr(struct span packet, const struct record *rec, struct buf *text, struct msg_dns_record *out)
{
	enum taken taken = take_target(packet, rec, rec->data, text, out);

	return taken == TAKEN && text->len == 0 ? SKIPPED : taken;
}

/* The target "." (RFC 7505) becomes an empty name. */
static enum taken
take_mx(struct span packet, const struct record *rec, struct buf *text, struct msg_dns_record *out)
{
	struct reader r = {span_head(packet, rec->end), rec->data};

	if (!read_u16(&r, &out->preference))
		return MALFORMED;
	return take_target(packet, rec, r.at, text, out);
}

static enum taken
take_txt(struct span packet, const struct record *rec, struct buf *text, struct msg_dns_record *out)
{
	size_t at = rec->data;

	if (at == rec->end)
		return MALFORMED;
	while (at < rec->end) {
		size_t len = packet.p[at];

		if (rec->end - at - 1 < len)
			return MALFORMED;
		buf_put(text, packet.p + at + 1, len);
		at += 1 + len;
	}
	out->data = buf_span(text);
	return text->full ? TOO_LARGE : TAKEN;
}

static const struct {
	uint16_t type;
	enum taken (*take)(struct span packet, const struct record *rec, struct buf *text,
	    struct msg_dns_record *out);
} types[] = {
    {PACKET_A, take_a},
    {PACKET_PTR, take_ptr},
    {PACKET_MX, take_mx},
    {PACKET_TXT, take_txt},
    {PACKET_AAAA, take_aaaa},
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

static size_t
type_index(uint16_t type)
{
	size_t i = 0;

	while (i < TYPES && types[i].type != type)
		i++;
	return i;
}

bool
packet_type_ok(uint16_t type)
{
	return type_index(type) < TYPES;
}

/* RFC 2181 8: a time with the highest bit set means 0. */
static uint32_t
ttl_clamp(uint32_t ttl)
{
	if (ttl > INT32_MAX)
		return 0;
	return ttl < PACKET_TTL_MAX ? ttl : PACKET_TTL_MAX;
}

/* An answer lives no longer than any record that led to it. */
static void
lives_at_most(struct packet_answer *a, uint32_t ttl)
{
	if (ttl_clamp(ttl) < a->ttl)
		a->ttl = ttl_clamp(ttl);
}

/* Rebuilds one record of the asked type. */
static enum taken
take_record(struct span packet, const struct record *rec, struct packet_answer *a)
{
	struct msg_dns_record out = {0, {NULL, 0}};
	uint8_t room[PACKET_TXT_MAX];
	struct buf text = BUF_OVER(room);
	enum taken taken = types[type_index(rec->type)].take(packet, rec, &text, &out);

	if (taken != TAKEN)
		return taken;
	if (a->count >= PACKET_RECORDS_MAX)
		return rec->type == PACKET_TXT ? TOO_LARGE : SKIPPED;
	if (!msg_list_put(&a->encoded, RECORD_dns_record, &out))
		return TOO_LARGE;
	a->count++;
	lives_at_most(a, rec->ttl);
	return TAKEN;
}

/* ---- the answer section -------------------------------------------------------------------------- */

struct section {
	struct reader start;
	uint16_t count;
};

enum step { STEP_END, STEP_ALIAS, STEP_FOUND, STEP_MALFORMED, STEP_TOO_LARGE };

/*
 * Goes through the whole section for the records of one name: those of the asked type are
 * taken, an alias (when there are none) gives the next name.
 */
static enum step
section_step(
    const struct section *s, uint16_t type, struct packet_name *name, struct packet_answer *a)
{
	struct reader r = s->start;
	struct packet_name target;
	enum step step = STEP_END;
	struct record rec;

	for (uint16_t i = 0; i < s->count; i++) {
		enum taken taken = SKIPPED;

		if (!read_record(&r, &rec))
			return STEP_MALFORMED;
		if (rec.class != CLASS_IN || !name_eq(&rec.owner, name))
			continue;
		if (rec.type == type)
			taken = take_record(r.packet, &rec, a);
		else if (rec.type == PACKET_CNAME && step == STEP_END) {
			if (!data_name(r.packet, &rec, rec.data, &target))
				return STEP_MALFORMED;
			lives_at_most(a, rec.ttl);
			step = STEP_ALIAS;
		}
		if (taken == MALFORMED)
			return STEP_MALFORMED;
		if (taken == TOO_LARGE)
			return STEP_TOO_LARGE;
		if (taken == TAKEN)
			step = STEP_FOUND;
	}
	if (step == STEP_ALIAS)
		*name = target;
	return step;
}

static enum dns_status
section_read(const struct section *s, const struct packet_name *asked, uint16_t type,
    struct packet_answer *a)
{
	struct packet_name name = *asked;

	for (unsigned hops = 0; hops <= PACKET_CHAIN_MAX; hops++) {
		switch (section_step(s, type, &name, a)) {
		case STEP_FOUND:
			return DNS_OK;
		case STEP_END:
			return DNS_NO_DATA;
		case STEP_MALFORMED:
			return DNS_TROUBLE;
		case STEP_TOO_LARGE:
			return DNS_UNUSABLE;
		case STEP_ALIAS:
			break;
		}
	}
	return DNS_UNUSABLE;
}

/* ---- the packet ---------------------------------------------------------------------------------- */

struct header {
	uint16_t id, flags, questions, answers, authorities, additionals;
};

static bool
read_header(struct reader *r, struct header *h)
{
	return read_u16(r, &h->id) && read_u16(r, &h->flags) && read_u16(r, &h->questions) &&
	       read_u16(r, &h->answers) && read_u16(r, &h->authorities) &&
	       read_u16(r, &h->additionals);
}

static bool
question_is(struct reader *r, const struct packet_name *name, uint16_t type)
{
	struct packet_name asked;
	uint16_t asked_type, class;

	return read_name(r, &asked) && read_u16(r, &asked_type) && read_u16(r, &class) &&
	       name_eq(&asked, name) && asked_type == type && class == CLASS_IN;
}

static enum dns_status
read_whole(
    struct span packet, const struct packet_name *name, uint16_t type, struct packet_answer *a)
{
	struct reader r = {packet, 0};
	struct section answers;
	struct header h;

	if (!read_header(&r, &h) || (h.flags & FLAG_RESPONSE) == 0 ||
	    (h.flags & (FLAG_OPCODE | FLAG_TRUNCATED)) != 0 || h.questions != 1 ||
	    !question_is(&r, name, type))
		return DNS_TROUBLE;
	if ((h.flags & FLAG_RCODE) == RCODE_NO_NAME)
		return DNS_NO_NAME;
	if ((h.flags & FLAG_RCODE) != RCODE_OK)
		return DNS_TROUBLE;
	answers.start = r;
	answers.count = h.answers;
	return section_read(&answers, name, type, a);
}

void
packet_read(struct span packet, const struct packet_name *name, uint16_t type,
    struct packet_answer *answer_out)
{
	struct packet_answer *a = answer_out;

	a->ttl = PACKET_TTL_MAX;
	a->count = 0;
	a->encoded = BUF_OVER(a->room);
	a->status = read_whole(packet, name, type, a);
	if (a->status != DNS_OK) {
		a->ttl = 0;
		a->count = 0;
		a->encoded.len = 0;
	}
}

/*
 * The tables behind the catalogue, and the one encoder and decoder that walk them.
 *
 * On the wire a message's fields follow each other without gaps: integers little-endian,
 * BYTES as u16 length and octets, OCTETS as they are, LIST as u16 count, u32 length and the
 * elements.
 */
#include "lib/catalogue.h"

#include <stdio.h>

#include "lib/bug.h"

enum field_type { F_U8, F_U16, F_U32, F_U64, F_BYTES, F_OCTETS, F_LIST };

struct field {
	const char *name;
	enum field_type type;
	size_t offset;           /* in struct msg_NAME */
	uint64_t min, max;       /* value, octets or elements */
	enum record_type record; /* F_LIST */
	const char *help;
};

struct layout {
	const char *name;
	size_t size; /* of struct msg_NAME */
	const struct field *fields;
	size_t count;
	const char *help;
};

/* ---- tables, from catalogue.def ------------------------------------------------------------ */

#define FIELD(owner, field, type, min, max, record, help) \
	{#field, type, offsetof(struct msg_##owner, field), min, max, record, help},
#define U8(owner, field, max, help) FIELD(owner, field, F_U8, 0, max, RECORD_COUNT, help)
#define U16(owner, field, max, help) FIELD(owner, field, F_U16, 0, max, RECORD_COUNT, help)
#define U32(owner, field, max, help) FIELD(owner, field, F_U32, 0, max, RECORD_COUNT, help)
#define U64(owner, field, max, help) FIELD(owner, field, F_U64, 0, max, RECORD_COUNT, help)
#define BYTES(owner, field, min, max, help) \
	FIELD(owner, field, F_BYTES, min, max, RECORD_COUNT, help)
#define OCTETS(owner, field, octets, help) \
	FIELD(owner, field, F_OCTETS, octets, octets, RECORD_COUNT, help)
#define LIST(owner, field, record, min, max, help) \
	FIELD(owner, field, F_LIST, min, max, RECORD_##record, help)
#define MESSAGE(name, number, from, to, cap, fd, help) static const struct field fields_##name[] = {
#define RECORD(name, help) static const struct field fields_##name[] = {
/* The last row only closes arrays that would be empty; it is not counted. */
#define END(name) \
	{ \
		NULL, F_U8, 0, 0, 0, RECORD_COUNT, NULL \
	} \
	} \
	;
#include "lib/catalogue.def"
#undef MESSAGE
#undef RECORD
#undef U8
#undef U16
#undef U32
#undef U64
#undef BYTES
#undef OCTETS
#undef LIST
#undef END

#define U8(owner, field, max, help)
#define U16(owner, field, max, help)
#define U32(owner, field, max, help)
#define U64(owner, field, max, help)
#define BYTES(owner, field, min, max, help)
#define OCTETS(owner, field, octets, help)
#define LIST(owner, field, record, min, max, help)
#define END(name)
#define LAYOUT(name, help) \
	{ \
#name, sizeof(struct msg_##name), fields_##name, \
		    sizeof(fields_##name) / sizeof(fields_##name[0]) - 1, help \
	}

static const struct layout record_layouts[RECORD_COUNT] = {
#define MESSAGE(name, number, from, to, cap, fd, help)
#define RECORD(name, help) [RECORD_##name] = LAYOUT(name, help),
#include "lib/catalogue.def"
#undef MESSAGE
#undef RECORD
};

static const struct layout message_layouts[MSG_LIMIT] = {
#define MESSAGE(name, number, from, to, cap, fd, help) [number] = LAYOUT(name, help),
#define RECORD(name, help)
#include "lib/catalogue.def"
#undef MESSAGE
#undef RECORD
};

static const struct msg_info infos[MSG_LIMIT] = {
#define MESSAGE(name, number, from, to, cap, fd, help) \
	[number] = {#name, MSG_##name, from, to, cap, fd},
#define RECORD(name, help)
#include "lib/catalogue.def"
#undef MESSAGE
#undef RECORD
};

const struct msg_info *
msg_info(unsigned type)
{
	return type < MSG_LIMIT && infos[type].name != NULL ? &infos[type] : NULL;
}

/* ---- encoding ------------------------------------------------------------------------------- */

static bool
put_number(struct buf *b, uint64_t value, uint64_t max, size_t octets)
{
	uint8_t le[8];

	for (size_t i = 0; i < octets; i++)
		le[i] = (uint8_t)(value >> (8 * i));
	buf_put(b, le, octets);
	return value <= max;
}

static bool
put_bytes(struct buf *b, const struct field *f, const uint8_t *at)
{
	struct span s;

	memcpy(&s, at, sizeof(s));
	if (s.len < f->min || s.len > f->max)
		return false;
	buf_put_u16(b, (uint16_t)s.len);
	buf_put_span(b, s);
	return true;
}

static bool
put_list(struct buf *b, const struct field *f, const uint8_t *at)
{
	struct msg_list list;

	memcpy(&list, at, sizeof(list));
	if (list.count < f->min || list.count > f->max || list.encoded.len > UINT32_MAX)
		return false;
	buf_put_u16(b, list.count);
	buf_put_u32(b, (uint32_t)list.encoded.len);
	buf_put_span(b, list.encoded);
	return true;
}

static bool
put_field(struct buf *b, const struct field *f, const uint8_t *at)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (f->type) {
	case F_U8:
		return put_number(b, *at, f->max, 1);
	case F_U16:
		memcpy(&v16, at, sizeof(v16));
		return put_number(b, v16, f->max, 2);
	case F_U32:
		memcpy(&v32, at, sizeof(v32));
		return put_number(b, v32, f->max, 4);
	case F_U64:
		memcpy(&v64, at, sizeof(v64));
		return put_number(b, v64, f->max, 8);
	case F_BYTES:
		return put_bytes(b, f, at);
	case F_OCTETS:
		buf_put(b, at, f->max);
		return true;
	case F_LIST:
		return put_list(b, f, at);
	}
	return false;
}

static bool
put_layout(struct buf *b, const struct layout *layout, const void *fields)
{
	const uint8_t *base = fields;

	for (size_t i = 0; i < layout->count; i++) {
		if (!put_field(b, &layout->fields[i], base + layout->fields[i].offset)) {
			b->full = true;
			return false;
		}
	}
	return !b->full;
}

bool
msg_encode(enum msg_type type, const void *fields, struct buf *b)
{
	size_t start = b->len;

	BUG_ON(msg_info(type) == NULL);
	if (!put_layout(b, &message_layouts[type], fields))
		return false;
	if (b->len - start > infos[type].cap) {
		b->full = true;
		return false;
	}
	return true;
}

bool
msg_list_put(struct buf *b, enum record_type record, const void *element)
{
	size_t start = b->len;

	BUG_ON((unsigned)record >= RECORD_COUNT);
	if (put_layout(b, &record_layouts[record], element))
		return true;
	b->len = start; /* half an element would not be walkable */
	return false;
}

/* ---- decoding ------------------------------------------------------------------------------- */

static bool get_layout(struct cursor *c, const struct layout *layout, void *fields_out);

static bool
get_number(struct cursor *c, size_t octets, uint64_t max, uint8_t *at)
{
	struct span s;
	uint64_t v = 0;
	uint8_t v8;
	uint16_t v16;
	uint32_t v32;

	if (!cursor_bytes(c, octets, &s))
		return false;
	for (size_t i = 0; i < octets; i++)
		v |= (uint64_t)s.p[i] << (8 * i);
	switch (octets) {
	case 1:
		v8 = (uint8_t)v;
		memcpy(at, &v8, sizeof(v8));
		break;
	case 2:
		v16 = (uint16_t)v;
		memcpy(at, &v16, sizeof(v16));
		break;
	case 4:
		v32 = (uint32_t)v;
		memcpy(at, &v32, sizeof(v32));
		break;
	default:
		memcpy(at, &v, sizeof(v));
		break;
	}
	return v <= max;
}

static bool
get_bytes(struct cursor *c, const struct field *f, uint8_t *at)
{
	struct span s;
	uint16_t len;

	if (!cursor_u16(c, &len) || len < f->min || len > f->max || !cursor_bytes(c, len, &s))
		return false;
	memcpy(at, &s, sizeof(s));
	return true;
}

/* Decodes every element once and throws it away, so that walking the list cannot fail later. */
static bool
get_list(struct cursor *c, const struct field *f, uint8_t *at)
{
	const struct layout *layout = &record_layouts[f->record];
	struct msg_list list;
	struct cursor elements;
	uint32_t len;
	union {
		union msg room;
#define MESSAGE(name, number, from, to, cap, fd, help)
#define RECORD(name, help) struct msg_##name name;
#include "lib/catalogue.def"
#undef MESSAGE
#undef RECORD
	} scratch;

	if (!cursor_u16(c, &list.count) || list.count < f->min || list.count > f->max ||
	    !cursor_u32(c, &len) || !cursor_bytes(c, len, &list.encoded))
		return false;
	elements = cursor_over(list.encoded);
	for (size_t i = 0; i < list.count; i++)
		if (!get_layout(&elements, layout, &scratch))
			return false;
	if (elements.left != 0)
		return false;
	memcpy(at, &list, sizeof(list));
	return true;
}

static bool
get_field(struct cursor *c, const struct field *f, uint8_t *at)
{
	struct span s;

	switch (f->type) {
	case F_U8:
		return get_number(c, 1, f->max, at);
	case F_U16:
		return get_number(c, 2, f->max, at);
	case F_U32:
		return get_number(c, 4, f->max, at);
	case F_U64:
		return get_number(c, 8, f->max, at);
	case F_BYTES:
		return get_bytes(c, f, at);
	case F_OCTETS:
		if (!cursor_bytes(c, f->max, &s))
			return false;
		memcpy(at, s.p, s.len);
		return true;
	case F_LIST:
		return get_list(c, f, at);
	}
	return false;
}

static bool
get_layout(struct cursor *c, const struct layout *layout, void *fields_out)
{
	uint8_t *base = fields_out;

	for (size_t i = 0; i < layout->count; i++)
		if (!get_field(c, &layout->fields[i], base + layout->fields[i].offset))
			return false;
	return true;
}

bool
msg_decode(enum msg_type type, struct span encoded, union msg *m)
{
	struct cursor c = cursor_over(encoded);

	BUG_ON(msg_info(type) == NULL);
	return encoded.len <= infos[type].cap && get_layout(&c, &message_layouts[type], m) &&
	       c.left == 0;
}

bool
msg_list_next(struct span *rest, enum record_type record, void *element_out)
{
	struct cursor c = cursor_over(*rest);

	BUG_ON((unsigned)record >= RECORD_COUNT);
	if (rest->len == 0)
		return false;
	/* Decoding checked every element; this can only fail on a list that was not decoded. */
	BUG_ON(!get_layout(&c, &record_layouts[record], element_out));
	*rest = span_of(c.p, c.left);
	return true;
}

/* ---- digest ---------------------------------------------------------------------------------- */

/* FNV-1a: tells different builds apart, is no defence and need not be one. */
static uint64_t
fnv(uint64_t h, const void *p, size_t n)
{
	const uint8_t *octet = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ octet[i]) * 1099511628211u;
	return h;
}

static uint64_t
fnv_number(uint64_t h, uint64_t v)
{
	return fnv(h, &v, sizeof(v));
}

static uint64_t
fnv_layout(uint64_t h, const struct layout *layout)
{
	h = fnv(h, layout->name, strlen(layout->name) + 1);
	for (size_t i = 0; i < layout->count; i++) {
		const struct field *f = &layout->fields[i];

		h = fnv(h, f->name, strlen(f->name) + 1);
		h = fnv_number(h, f->type);
		h = fnv_number(h, f->min);
		h = fnv_number(h, f->max);
		h = fnv_number(h, f->record);
	}
	return h;
}

uint64_t
catalogue_digest(void)
{
	static uint64_t digest;
	uint64_t h = 14695981039346656037u;

	if (digest != 0)
		return digest;
	for (unsigned r = 0; r < RECORD_COUNT; r++)
		h = fnv_layout(h, &record_layouts[r]);
	for (unsigned t = 0; t < MSG_LIMIT; t++) {
		if (infos[t].name == NULL)
			continue;
		h = fnv_number(fnv_layout(h, &message_layouts[t]), t);
		h = fnv_number(fnv_number(h, infos[t].senders), infos[t].receivers);
		h = fnv_number(fnv_number(h, infos[t].cap), infos[t].fd);
	}
	digest = h;
	return digest;
}

/* ---- enumerated values ------------------------------------------------------------------------ */

bool
refusal_is_for_good(unsigned reason)
{
	switch (reason) {
	case REFUSAL_SPF_FAIL:
	case REFUSAL_SPF_ERROR:
	case REFUSAL_HELO:
	case REFUSAL_FROM_MALFORMED:
	case REFUSAL_FROM_SEVERAL:
	case REFUSAL_DKIM_NONE:
	case REFUSAL_DKIM_UNALIGNED:
	case REFUSAL_DMARC:
	case REFUSAL_LISTED:
	case REFUSAL_NO_REVERSE:
	case REFUSAL_SENDER_UNKNOWN:
	case REFUSAL_SENDER_NULL_MX:
		return true;
	default:
		return false;
	}
}

const char *
auth_result_name(unsigned result)
{
	static const char *const names[] = {
	    [AUTH_UNCHECKED] = "unchecked",
	    [AUTH_NONE] = "none",
	    [AUTH_PASS] = "pass",
	    [AUTH_FAIL] = "fail",
	    [AUTH_SOFTFAIL] = "softfail",
	    [AUTH_NEUTRAL] = "neutral",
	    [AUTH_TEMPERROR] = "temperror",
	    [AUTH_PERMERROR] = "permerror",
	};

	return names[result <= AUTH_PERMERROR ? result : AUTH_UNCHECKED];
}

/* ---- documentation --------------------------------------------------------------------------- */

static void
print_programs(unsigned set)
{
	const char *separator = "";

	if (set == BY_ANY || set == BY_CHILDREN) {
		printf(set == BY_ANY ? "any program" : "every child");
		return;
	}
	for (unsigned p = 0; p < PROGRAM_COUNT; p++) {
		if ((set & BY(p)) == 0)
			continue;
		printf("%s%s", separator, program_name(p));
		separator = ", ";
	}
}

static void
print_bounds(const struct field *f)
{
	static const char *const types[] = {
	    "u8", "u16", "u32", "u64", "bytes", "octets", "list of"};
	static const uint64_t widest[] = {UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX};

	printf("| `%s` | %s", f->name, types[f->type]);
	if (f->type == F_LIST)
		printf(" %s", record_layouts[f->record].name);
	if (f->type == F_OCTETS)
		printf(" %llu", (unsigned long long)f->max);
	else if (f->type >= F_BYTES)
		printf(" %llu..%llu", (unsigned long long)f->min, (unsigned long long)f->max);
	else if (f->max < widest[f->type])
		printf(" up to %llu", (unsigned long long)f->max);
	printf(" | %s |\n", f->help);
}

static void
print_fields(const struct layout *layout)
{
	printf("%s.\n\n", layout->help);
	if (layout->count == 0)
		return;
	printf("| field | type | meaning |\n|---|---|---|\n");
	for (size_t i = 0; i < layout->count; i++)
		print_bounds(&layout->fields[i]);
	printf("\n");
}

void
catalogue_print_markdown(void)
{
	static const char *const fds[] = {
	    "", ", with a descriptor", ", with or without a descriptor"};

	printf("# Messages between programs\n\n"
	       "Generated from lib/catalogue.def. Nothing else passes between the programs.\n\n");
	for (unsigned t = 0; t < MSG_LIMIT; t++) {
		if (infos[t].name == NULL)
			continue;
		printf("## %s (%u)\n\nFrom ", infos[t].name, t);
		print_programs(infos[t].senders);
		printf(" to ");
		print_programs(infos[t].receivers);
		printf("; at most %zu octets%s. ", infos[t].cap, fds[infos[t].fd]);
		print_fields(&message_layouts[t]);
	}
	printf("# Records\n\nWhat the lists of messages repeat.\n\n");
	for (unsigned r = 0; r < RECORD_COUNT; r++) {
		printf("## %s\n\n", record_layouts[r].name);
		print_fields(&record_layouts[r]);
	}
}

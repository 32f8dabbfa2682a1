#include "lookupd/record.h"

/* ---- attributes ----------------------------------------------------------------------------- */

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

static void
attr_put_numbers(struct buf *b, uint8_t type, const uint64_t *numbers, size_t count)
{
	buf_put_u8(b, type);
	buf_put_u16(b, (uint16_t)(8 * count));
	for (size_t i = 0; i < count; i++)
		buf_put_u64(b, numbers[i]);
}

/* Each takes the whole of an attribute, or says false. */
static bool
take_u16(struct span s, uint16_t *v_out)
{
	struct cursor c = cursor_over(s);

	return s.len == 2 && cursor_u16(&c, v_out);
}

static bool
take_u32(struct span s, uint32_t *v_out)
{
	struct cursor c = cursor_over(s);

	return s.len == 4 && cursor_u32(&c, v_out);
}

static bool
take_u64(struct span s, uint64_t *v_out)
{
	struct cursor c = cursor_over(s);

	return s.len == 8 && cursor_u64(&c, v_out);
}

static bool
take_octets(struct span s, size_t least, size_t most, struct span *s_out)
{
	*s_out = s;
	return s.len >= least && s.len <= most;
}

/*
 * What is done with an attribute; `record` is the structure that is filled. A repeated
 * attribute overwrites: no encoder of ours writes one twice.
 */
struct attr_row {
	uint8_t type;
	bool (*take)(void *record, struct span octets);
};

static enum record_status
take_attributes(
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

#define ROWS(array) (array), sizeof(array) / sizeof((array)[0])

static void
put_set(struct buf *b, uint8_t type, struct span octets)
{
	if (octets.len > 0)
		attr_put(b, type, octets);
}

/* ---- header ------------------------------------------------------------------------------------ */

static bool
header_version(void *record, struct span s)
{
	return take_u16(s, &((struct header *)record)->version);
}

static bool
header_generation(void *record, struct span s)
{
	return take_u64(s, &((struct header *)record)->generation);
}

static bool
header_built(void *record, struct span s)
{
	return take_u64(s, &((struct header *)record)->built);
}

static bool
header_recipients(void *record, struct span s)
{
	return take_u64(s, &((struct header *)record)->recipients);
}

static bool
header_domains(void *record, struct span s)
{
	return take_u64(s, &((struct header *)record)->domains);
}

static bool
header_flags(void *record, struct span s)
{
	struct header *h = record;

	if (!take_u32(s, &h->flags) || (h->flags & ~(uint32_t)HEADER_FLAGS_KNOWN) != 0)
		return false;
	h->boxes.unreadable = (h->flags & HEADER_FLAG_ASSIGN_BAD) != 0;
	return true;
}

static bool
header_default_domain(void *record, struct span s)
{
	return take_octets(s, 1, 255, &((struct header *)record)->default_domain);
}

static bool
header_default_prefix(void *record, struct span s)
{
	return take_octets(
	    s, 1, LAYOUT_PREFIX_MAX, &((struct header *)record)->boxes.default_prefix);
}

static bool
header_literal_domain(void *record, struct span s)
{
	return take_octets(s, 1, 255, &((struct header *)record)->literal_domain);
}

static bool
header_appended(void *record, struct span s)
{
	return take_octets(s, 1, 255, &((struct header *)record)->appended);
}

static bool
header_wild_octets(void *record, struct span s)
{
	return take_octets(s, 0, 256, &((struct header *)record)->boxes.wild_octets);
}

static bool
header_breaks(void *record, struct span s)
{
	return take_octets(s, 0, 1, &((struct header *)record)->boxes.breaks);
}

static bool
take_set(struct span s, struct span *set_out)
{
	return take_octets(s, LAYOUT_BITS_LEN, LAYOUT_BITS_LEN, set_out);
}

static bool
header_suffix_lengths(void *record, struct span s)
{
	return take_set(s, &((struct header *)record)->suffix_lengths);
}

static bool
header_prefix_lengths(void *record, struct span s)
{
	return take_set(s, &((struct header *)record)->boxes.prefix_lengths);
}

static bool
header_account_lengths(void *record, struct span s)
{
	return take_set(s, &((struct header *)record)->boxes.account_lengths);
}

static bool
header_alias_controller(void *record, struct span s)
{
	return take_octets(s, 1, 4096, &((struct header *)record)->boxes.alias_controller);
}

/* One of several: lookup_step_literal() goes through all of them. */
static bool
header_own_address(void *record, struct span s)
{
	(void)record;
	return s.len >= 16 && s.len <= 16 + 255;
}

static bool
take_numbers(struct span s, uint64_t *const *numbers, size_t count)
{
	struct cursor c = cursor_over(s);

	for (size_t i = 0; i < count; i++)
		if (!cursor_u64(&c, numbers[i]))
			return false;
	return c.left == 0;
}

static bool
header_before(void *record, struct span s)
{
	struct header *h = record;

	return take_numbers(
	    s, (uint64_t *[]){&h->before, &h->lost, &h->files_before, &h->files_taken}, 4);
}

static bool
header_forced(void *record, struct span s)
{
	((struct header *)record)->forced = true;
	return s.len == 0;
}

static bool
header_files(void *record, struct span s)
{
	return take_u64(s, &((struct header *)record)->files);
}

static const struct attr_row header_rows[] = {
    {HEADER_VERSION, header_version},
    {HEADER_GENERATION, header_generation},
    {HEADER_BUILT, header_built},
    {HEADER_RECIPIENTS, header_recipients},
    {HEADER_DOMAINS, header_domains},
    {HEADER_FLAGS, header_flags},
    {HEADER_DEFAULT_DOMAIN, header_default_domain},
    {HEADER_SUFFIX_LENGTHS, header_suffix_lengths},
    {HEADER_DEFAULT_VIRTUAL, header_default_prefix},
    {HEADER_WILD_OCTETS, header_wild_octets},
    {HEADER_PREFIX_LENGTHS, header_prefix_lengths},
    {HEADER_ACCOUNT_LENGTHS, header_account_lengths},
    {HEADER_BREAK, header_breaks},
    {HEADER_ALIAS_CONTROLLER, header_alias_controller},
    {HEADER_OWN_ADDRESS, header_own_address},
    {HEADER_LITERAL_DOMAIN, header_literal_domain},
    {HEADER_BEFORE, header_before},
    {HEADER_FORCED, header_forced},
    {HEADER_FILES, header_files},
    {HEADER_APPENDED, header_appended},
};

enum record_status
header_decode(struct span value, struct header *h_out, uint8_t *unknown_out)
{
	struct cursor c = cursor_over(value);
	struct attr first;

	*h_out = (struct header){.attributes = value};
	*unknown_out = 0;
	/* What another version wrote is not looked at. */
	if (attr_next(&c, &first) != RECORD_OK || first.type != HEADER_VERSION ||
	    !take_u16(first.octets, &h_out->version))
		return RECORD_MALFORMED;
	if (h_out->version != LAYOUT_VERSION) {
		*unknown_out = HEADER_VERSION;
		return RECORD_UNKNOWN;
	}
	return take_attributes(c, ROWS(header_rows), h_out, unknown_out);
}

static const struct attr_row boxes_rows[] = {
    {HEADER_FLAGS, header_flags},
    {HEADER_DEFAULT_VIRTUAL, header_default_prefix},
    {HEADER_WILD_OCTETS, header_wild_octets},
    {HEADER_PREFIX_LENGTHS, header_prefix_lengths},
    {HEADER_ACCOUNT_LENGTHS, header_account_lengths},
    {HEADER_BREAK, header_breaks},
    {HEADER_ALIAS_CONTROLLER, header_alias_controller},
};

enum record_status
boxes_decode(struct span value, struct boxes *b_out)
{
	struct header h = {.flags = 0};
	uint8_t unknown;
	enum record_status status =
	    take_attributes(cursor_over(value), ROWS(boxes_rows), &h, &unknown);

	*b_out = h.boxes;
	return status;
}

void
boxes_put(struct buf *b, const struct boxes *boxes)
{
	put_set(b, HEADER_DEFAULT_VIRTUAL, boxes->default_prefix);
	put_set(b, HEADER_WILD_OCTETS, boxes->wild_octets);
	put_set(b, HEADER_PREFIX_LENGTHS, boxes->prefix_lengths);
	put_set(b, HEADER_ACCOUNT_LENGTHS, boxes->account_lengths);
	put_set(b, HEADER_BREAK, boxes->breaks);
	put_set(b, HEADER_ALIAS_CONTROLLER, boxes->alias_controller);
	if (boxes->unreadable)
		attr_put_u32(b, HEADER_FLAGS, HEADER_FLAG_ASSIGN_BAD);
}

void
header_put(struct buf *b, const struct header *h)
{
	attr_put_u16(b, HEADER_VERSION, h->version);
	attr_put_u64(b, HEADER_GENERATION, h->generation);
	attr_put_u64(b, HEADER_BUILT, h->built);
	attr_put_u64(b, HEADER_RECIPIENTS, h->recipients);
	attr_put_u64(b, HEADER_DOMAINS, h->domains);
	attr_put_u64(b, HEADER_FILES, h->files);
	attr_put_numbers(
	    b, HEADER_BEFORE, (uint64_t[]){h->before, h->lost, h->files_before, h->files_taken}, 4);
	if (h->forced)
		attr_put(b, HEADER_FORCED, span_of("", 0));
}

/* ---- domains ------------------------------------------------------------------------------------ */

static bool
domain_prefix(void *record, struct span s)
{
	((struct domain *)record)->has_prefix = true;
	return take_octets(s, 0, LAYOUT_PREFIX_MAX, &((struct domain *)record)->prefix);
}

static bool
domain_real(void *record, struct span s)
{
	return take_octets(s, 1, 255, &((struct domain *)record)->real);
}

static bool
domain_tables(void *record, struct span s)
{
	struct domain *d = record;
	struct cursor c = cursor_over(s);

	if (s.len < 4 || s.len > (size_t)4 * LAYOUT_TABLES_MAX || s.len % 4 != 0)
		return false;
	d->table_count = 0;
	while (cursor_u32(&c, &d->tables[d->table_count]))
		if (++d->table_count == LAYOUT_TABLES_MAX)
			break;
	return true;
}

static bool
domain_delimiters(void *record, struct span s)
{
	return take_octets(s, 1, 16, &((struct domain *)record)->delimiters);
}

static bool
domain_wild_octets(void *record, struct span s)
{
	return take_octets(s, 1, 32, &((struct domain *)record)->wild_octets);
}

static bool
domain_wild_lengths(void *record, struct span s)
{
	return take_octets(
	    s, LAYOUT_BITS_LEN, LAYOUT_BITS_LEN, &((struct domain *)record)->wild_lengths);
}

static bool
domain_charset(void *record, struct span s)
{
	return take_octets(
	    s, LAYOUT_BITS_LEN, LAYOUT_BITS_LEN, &((struct domain *)record)->charset);
}

static bool
domain_aliases(void *record, struct span s)
{
	((struct domain *)record)->has_aliases = true;
	return s.len == 0;
}

static bool
domain_no_catch_all(void *record, struct span s)
{
	((struct domain *)record)->no_catch_all = true;
	return s.len == 0;
}

static bool
domain_owner_request(void *record, struct span s)
{
	((struct domain *)record)->owner_request = true;
	return s.len == 0;
}

static bool
domain_patterns(void *record, struct span s)
{
	struct cursor c = cursor_over(s);

	return s.len == 4 && cursor_u32(&c, &((struct domain *)record)->patterns);
}

static bool
domain_class(void *record, struct span s)
{
	((struct domain *)record)->class = s;
	return record_name_ok(s);
}

static bool
domain_size(void *record, struct span s)
{
	return take_u64(s, &((struct domain *)record)->size);
}

static bool
domain_host_charset(void *record, struct span s)
{
	return take_set(s, &((struct domain *)record)->host_charset);
}

static bool
domain_host(void *record, struct span s)
{
	((struct domain *)record)->has_host = true;
	return take_u32(s, &((struct domain *)record)->skip);
}

static bool
domain_boxes(void *record, struct span s)
{
	return take_u16(s, &((struct domain *)record)->boxes);
}

static bool
domain_count(void *record, struct span s)
{
	return take_u64(s, &((struct domain *)record)->count);
}

static bool
domain_accepts(void *record, struct span s)
{
	return take_u64(s, &((struct domain *)record)->accepts);
}

static bool
domain_before(void *record, struct span s)
{
	struct domain *d = record;

	return take_numbers(s, (uint64_t *[]){&d->before, &d->taken}, 2);
}

static const struct attr_row domain_rows[] = {
    {DOMAIN_PREFIX, domain_prefix},
    {DOMAIN_REAL, domain_real},
    {DOMAIN_TABLES, domain_tables},
    {DOMAIN_DELIMITERS, domain_delimiters},
    {DOMAIN_WILD_OCTETS, domain_wild_octets},
    {DOMAIN_WILD_LENGTHS, domain_wild_lengths},
    {DOMAIN_CHARSET, domain_charset},
    {DOMAIN_ALIASES, domain_aliases},
    {DOMAIN_CLASS, domain_class},
    {DOMAIN_SIZE, domain_size},
    {DOMAIN_HOST_CHARSET, domain_host_charset},
    {DOMAIN_HOST, domain_host},
    {DOMAIN_OWNER_REQUEST, domain_owner_request},
    {DOMAIN_PATTERNS, domain_patterns},
    {DOMAIN_BOXES, domain_boxes},
    {DOMAIN_COUNT, domain_count},
    {DOMAIN_ACCEPTS, domain_accepts},
    {DOMAIN_BEFORE, domain_before},
    {DOMAIN_NO_CATCH_ALL, domain_no_catch_all},
};

enum record_status
domain_decode(struct span value, struct domain *d_out)
{
	struct cursor c = cursor_over(value);
	uint8_t unknown;

	*d_out = (struct domain){0};
	if (!cursor_u16(&c, &d_out->flags) || !cursor_u16(&c, &d_out->route))
		return RECORD_MALFORMED;
	if ((d_out->flags & ~DOMAIN_FLAGS) != 0)
		return RECORD_UNKNOWN;
	return take_attributes(c, ROWS(domain_rows), d_out, &unknown);
}

void
domain_put(struct buf *b, const struct domain *d)
{
	buf_put_u16(b, d->flags);
	buf_put_u16(b, d->route);
	if (d->has_prefix || d->prefix.len > 0)
		attr_put(b, DOMAIN_PREFIX, d->prefix);
	put_set(b, DOMAIN_REAL, d->real);
	if (d->table_count > 0) {
		buf_put_u8(b, DOMAIN_TABLES);
		buf_put_u16(b, (uint16_t)(4 * d->table_count));
		for (size_t i = 0; i < d->table_count; i++)
			buf_put_u32(b, d->tables[i]);
	}
	put_set(b, DOMAIN_DELIMITERS, d->delimiters);
	put_set(b, DOMAIN_WILD_OCTETS, d->wild_octets);
	put_set(b, DOMAIN_WILD_LENGTHS, d->wild_lengths);
	put_set(b, DOMAIN_CHARSET, d->charset);
	if (d->has_aliases)
		attr_put(b, DOMAIN_ALIASES, span_of("", 0));
	if (d->patterns != 0)
		attr_put_u32(b, DOMAIN_PATTERNS, d->patterns);
	if (d->owner_request)
		attr_put(b, DOMAIN_OWNER_REQUEST, span_of("", 0));
	put_set(b, DOMAIN_CLASS, d->class);
	if (d->size != 0)
		attr_put_u64(b, DOMAIN_SIZE, d->size);
	put_set(b, DOMAIN_HOST_CHARSET, d->host_charset);
	if (d->has_host)
		attr_put_u32(b, DOMAIN_HOST, d->skip);
	if (d->boxes != 0)
		attr_put_u16(b, DOMAIN_BOXES, d->boxes);
	attr_put_u64(b, DOMAIN_COUNT, d->count);
	attr_put_u64(b, DOMAIN_ACCEPTS, d->accepts);
	if (d->no_catch_all)
		attr_put(b, DOMAIN_NO_CATCH_ALL, span_of("", 0));
	attr_put_numbers(b, DOMAIN_BEFORE, (uint64_t[]){d->before, d->taken}, 2);
}

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

/* ---- leaves ------------------------------------------------------------------------------------- */

static bool
leaf_route(void *record, struct span s)
{
	return take_u16(s, &((struct leaf *)record)->route);
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
	return take_u64(s, &((struct leaf *)record)->size);
}

static bool
leaf_next_table(void *record, struct span s)
{
	return take_u32(s, &((struct leaf *)record)->next_table);
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
	return take_attributes(c, ROWS(leaf_rows), l_out, &unknown);
}

void
leaf_put(struct buf *b, const struct leaf *l)
{
	buf_put_u8(b, l->verdict);
	buf_put_u8(b, l->immediate);
	buf_put_u8(b, l->flags);
	if (l->route != 0)
		attr_put_u16(b, LEAF_ROUTE, l->route);
	put_set(b, LEAF_CLASS, l->class);
	put_set(b, LEAF_STATUS, l->status);
	put_set(b, LEAF_TEXT, l->text);
	if (l->size != 0)
		attr_put_u64(b, LEAF_SIZE, l->size);
	if (l->next_table != 0)
		attr_put_u32(b, LEAF_NEXT_TABLE, l->next_table);
	if (l->no_bounces)
		attr_put(b, LEAF_NO_BOUNCES, span_of("", 0));
	put_set(b, LEAF_DELIVERED_TO, l->delivered_to);
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
	status = take_attributes(cursor_over(value), ROWS(route_rows), name_out, &unknown);
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

/* ---- keys ------------------------------------------------------------------------------------------- */

static const struct {
	uint8_t type;
	bool recipient, domain;
	const char *name;
} key_types[] = {
    {KEY_DOMAIN, false, true, "domain"},
    {KEY_SUFFIX, false, true, "suffix"},
    {KEY_VIRTUAL, false, false, "virtual-address"},
    {KEY_BOX, false, false, "box"},
    {KEY_BOX_PREFIX, false, false, "box-prefix"},
    {KEY_ACCOUNT, false, false, "account"},
    {KEY_EXTENSION, false, false, "extension"},
    {KEY_DEFAULT, false, false, "default"},
    {KEY_UNSEARCHABLE, false, false, "unsearchable"},
    {KEY_NO_FILE, false, false, "no-file"},
    {KEY_USER, true, false, "user"},
    {KEY_WILD, true, false, "extensions-of"},
    {KEY_CATCH_ALL, true, false, "catch-all"},
    {KEY_ALIAS, true, false, "alias"},
    {KEY_ROUTE, false, false, "route"},
    {KEY_TABLE, false, false, "table"},
    {KEY_PATTERNS, false, false, "patterns"},
    {KEY_BOXES, false, false, "installation"},
};

enum { KEY_TYPES = sizeof(key_types) / sizeof(key_types[0]) };

static size_t
key_type_index(struct span key)
{
	size_t i = 0;

	if (key.len == 0)
		return KEY_TYPES;
	while (i < KEY_TYPES && key_types[i].type != key.p[0])
		i++;
	return i;
}

const char *
key_type_name(uint8_t type)
{
	size_t i = key_type_index(span_of(&type, 1));

	return i < KEY_TYPES ? key_types[i].name : NULL;
}

bool
key_is_recipient(struct span key)
{
	size_t i = key_type_index(key);

	return i < KEY_TYPES && key_types[i].recipient;
}

bool
key_is_domain(struct span key)
{
	size_t i = key_type_index(key);

	return i < KEY_TYPES && key_types[i].domain;
}

bool
key_is_canary(struct span key)
{
	return span_eq(key, SPAN("D" LAYOUT_CANARY_DOMAIN));
}

bool
key_is_file(struct span key)
{
	return key.len > 0 &&
	       (key.p[0] == KEY_EXTENSION || key.p[0] == KEY_DEFAULT || key.p[0] == KEY_NO_FILE);
}

void
key_put_boxes(struct buf *b, uint16_t installation)
{
	if (installation > 1)
		key_put_u16(b, KEY_BOXES, installation);
}

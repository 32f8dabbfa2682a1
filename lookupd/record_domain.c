/* Records of domains, suffixes and tables. */
#include "lookupd/record_attrs.h"

static bool
domain_prefix(void *record, struct span s)
{
	((struct domain *)record)->has_prefix = true;
	return attr_take_octets(s, 0, LAYOUT_PREFIX_MAX, &((struct domain *)record)->prefix);
}

static bool
domain_real(void *record, struct span s)
{
	return attr_take_octets(s, 1, 255, &((struct domain *)record)->real);
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
	return attr_take_octets(s, 1, 16, &((struct domain *)record)->delimiters);
}

static bool
domain_wild_octets(void *record, struct span s)
{
	return attr_take_octets(s, 1, 32, &((struct domain *)record)->wild_octets);
}

static bool
domain_wild_lengths(void *record, struct span s)
{
	return attr_take_octets(
	    s, LAYOUT_BITS_LEN, LAYOUT_BITS_LEN, &((struct domain *)record)->wild_lengths);
}

static bool
domain_charset(void *record, struct span s)
{
	return attr_take_octets(
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
	return attr_take_u64(s, &((struct domain *)record)->size);
}

static bool
domain_host_charset(void *record, struct span s)
{
	return attr_take_set(s, &((struct domain *)record)->host_charset);
}

static bool
domain_host(void *record, struct span s)
{
	((struct domain *)record)->has_host = true;
	return attr_take_u32(s, &((struct domain *)record)->skip);
}

static bool
domain_boxes(void *record, struct span s)
{
	return attr_take_u16(s, &((struct domain *)record)->boxes);
}

static bool
domain_count(void *record, struct span s)
{
	return attr_take_u64(s, &((struct domain *)record)->count);
}

static bool
domain_accepts(void *record, struct span s)
{
	return attr_take_u64(s, &((struct domain *)record)->accepts);
}

static bool
domain_before(void *record, struct span s)
{
	struct domain *d = record;

	return attr_take_numbers(s, (uint64_t *[]){&d->before, &d->taken}, 2);
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
	return attr_take_all(c, ROWS(domain_rows), d_out, &unknown);
}

void
domain_put(struct buf *b, const struct domain *d)
{
	buf_put_u16(b, d->flags);
	buf_put_u16(b, d->route);
	if (d->has_prefix || d->prefix.len > 0)
		attr_put(b, DOMAIN_PREFIX, d->prefix);
	attr_put_some(b, DOMAIN_REAL, d->real);
	if (d->table_count > 0) {
		buf_put_u8(b, DOMAIN_TABLES);
		buf_put_u16(b, (uint16_t)(4 * d->table_count));
		for (size_t i = 0; i < d->table_count; i++)
			buf_put_u32(b, d->tables[i]);
	}
	attr_put_some(b, DOMAIN_DELIMITERS, d->delimiters);
	attr_put_some(b, DOMAIN_WILD_OCTETS, d->wild_octets);
	attr_put_some(b, DOMAIN_WILD_LENGTHS, d->wild_lengths);
	attr_put_some(b, DOMAIN_CHARSET, d->charset);
	if (d->has_aliases)
		attr_put(b, DOMAIN_ALIASES, span_of("", 0));
	if (d->patterns != 0)
		attr_put_u32(b, DOMAIN_PATTERNS, d->patterns);
	if (d->owner_request)
		attr_put(b, DOMAIN_OWNER_REQUEST, span_of("", 0));
	attr_put_some(b, DOMAIN_CLASS, d->class);
	if (d->size != 0)
		attr_put_u64(b, DOMAIN_SIZE, d->size);
	attr_put_some(b, DOMAIN_HOST_CHARSET, d->host_charset);
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

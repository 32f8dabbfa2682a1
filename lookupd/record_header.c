/* The header, and what each installation has of it. */
#include "lookupd/record_attrs.h"

static bool
header_version(void *record, struct span s)
{
	return attr_take_u16(s, &((struct header *)record)->version);
}

static bool
header_generation(void *record, struct span s)
{
	return attr_take_u64(s, &((struct header *)record)->generation);
}

static bool
header_built(void *record, struct span s)
{
	return attr_take_u64(s, &((struct header *)record)->built);
}

static bool
header_recipients(void *record, struct span s)
{
	return attr_take_u64(s, &((struct header *)record)->recipients);
}

static bool
header_domains(void *record, struct span s)
{
	return attr_take_u64(s, &((struct header *)record)->domains);
}

static bool
header_flags(void *record, struct span s)
{
	struct header *h = record;

	if (!attr_take_u32(s, &h->flags) || (h->flags & ~(uint32_t)HEADER_FLAGS_KNOWN) != 0)
		return false;
	h->boxes.unreadable = (h->flags & HEADER_FLAG_ASSIGN_BAD) != 0;
	return true;
}

static bool
header_default_domain(void *record, struct span s)
{
	return attr_take_octets(s, 1, 255, &((struct header *)record)->default_domain);
}

static bool
header_default_prefix(void *record, struct span s)
{
	return attr_take_octets(
	    s, 1, LAYOUT_PREFIX_MAX, &((struct header *)record)->boxes.default_prefix);
}

static bool
header_literal_domain(void *record, struct span s)
{
	return attr_take_octets(s, 1, 255, &((struct header *)record)->literal_domain);
}

static bool
header_appended(void *record, struct span s)
{
	return attr_take_octets(s, 1, 255, &((struct header *)record)->appended);
}

static bool
header_wild_octets(void *record, struct span s)
{
	return attr_take_octets(s, 0, 256, &((struct header *)record)->boxes.wild_octets);
}

static bool
header_breaks(void *record, struct span s)
{
	return attr_take_octets(s, 0, 1, &((struct header *)record)->boxes.breaks);
}

static bool
header_suffix_lengths(void *record, struct span s)
{
	return attr_take_set(s, &((struct header *)record)->suffix_lengths);
}

static bool
header_prefix_lengths(void *record, struct span s)
{
	return attr_take_set(s, &((struct header *)record)->boxes.prefix_lengths);
}

static bool
header_account_lengths(void *record, struct span s)
{
	return attr_take_set(s, &((struct header *)record)->boxes.account_lengths);
}

static bool
header_alias_controller(void *record, struct span s)
{
	return attr_take_octets(s, 1, 4096, &((struct header *)record)->boxes.alias_controller);
}

/* One of several: lookup_step_literal() goes through all of them. */
static bool
header_own_address(void *record, struct span s)
{
	(void)record;
	return s.len >= 16 && s.len <= 16 + 255;
}

static bool
header_before(void *record, struct span s)
{
	struct header *h = record;

	return attr_take_numbers(
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
	return attr_take_u64(s, &((struct header *)record)->files);
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
	    !attr_take_u16(first.octets, &h_out->version))
		return RECORD_MALFORMED;
	if (h_out->version != LAYOUT_VERSION) {
		*unknown_out = HEADER_VERSION;
		return RECORD_UNKNOWN;
	}
	return attr_take_all(c, ROWS(header_rows), h_out, unknown_out);
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
	    attr_take_all(cursor_over(value), ROWS(boxes_rows), &h, &unknown);

	*b_out = h.boxes;
	return status;
}

void
boxes_put(struct buf *b, const struct boxes *boxes)
{
	attr_put_some(b, HEADER_DEFAULT_VIRTUAL, boxes->default_prefix);
	attr_put_some(b, HEADER_WILD_OCTETS, boxes->wild_octets);
	attr_put_some(b, HEADER_PREFIX_LENGTHS, boxes->prefix_lengths);
	attr_put_some(b, HEADER_ACCOUNT_LENGTHS, boxes->account_lengths);
	attr_put_some(b, HEADER_BREAK, boxes->breaks);
	attr_put_some(b, HEADER_ALIAS_CONTROLLER, boxes->alias_controller);
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

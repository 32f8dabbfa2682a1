/* A recipient list: each line is refused with a reason, or gives a record that decodes to it. */
#include "lib/bug.h"
#include "lookupd/collection.h"
#include "lookupd/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_domain(const struct collection *c, const struct list_entry *entry)
{
	const struct collected_domain *d = (const void *)keymap_get(&c->domains, entry->domain);

	BUG_ON(d == NULL || !d->told || !span_eq(d->real, entry->real));
	BUG_ON(d->size != entry->size || !span_eq(d->class, entry->class));
}

/* What was stored is what was said. */
static void
check_stored(const struct collection *c, const struct list_entry *entry)
{
	struct records_at at = {0};
	struct leaf leaf;

	if (entry->kind == LIST_DOMAIN || entry->kind == LIST_ALIAS_DOMAIN) {
		check_domain(c, entry);
		return;
	}
	while (records_next(&c->records, &at))
		;
	BUG_ON(leaf_decode(at.value, &leaf) != RECORD_OK);
	BUG_ON(leaf.size != entry->size || !span_eq(leaf.class, entry->class));
	BUG_ON(!span_eq(leaf.status, entry->status) || !span_eq(leaf.text, entry->text));
	BUG_ON(!span_eq(leaf.delivered_to, entry->delivered_to));
	BUG_ON((leaf.route != 0) != (entry->backend.len > 0));
	BUG_ON(!span_eq(span_from(at.key, 5), entry->local));
}

/* What is taken can be asked for. */
static void
check_address(const struct list_entry *entry)
{
	uint8_t inside[ADDRESS_MAX];
	struct buf b = BUF_OVER(inside);
	struct address a;

	if (entry->local.len == 0)
		return;
	buf_put_span(&b, entry->local);
	buf_put_u8(&b, '@');
	buf_put_span(&b, entry->domain);
	BUG_ON(address_from_inside(buf_span(&b), &a) != ADDRESS_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct collection c;
	struct span rest = span_of(data, size);

	collection_init(&c);
	for (uint32_t line = 1; rest.len > 0 && line < 200; line++) {
		size_t end = span_find(rest, '\n');
		struct list_entry entry;
		struct place first;
		const char *error;
		enum list_status status = list_parse(span_head(rest, end), &entry, &error);

		BUG_ON((status == LIST_ERROR) != (error != NULL));
		if (status == LIST_ENTRY) {
			check_address(&entry);
			if (collection_add(&c, &entry, (struct place){"fuzz", line}, &first) ==
			    COLLECTION_ADDED)
				check_stored(&c, &entry);
		}
		rest = span_from(rest, end + 1);
	}
	collection_clear(&c);
	return 0;
}

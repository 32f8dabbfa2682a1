#include "lookupd/parts.h"

#include "lib/bug.h"

/*
 * Files are many, one for each user or more: what counts is their installation. Tables are told
 * by their path, which another installation may have, too.
 * Returns: NULL for none.
 */
static const char *
table_of(const struct rule *rule)
{
	return key_is_recipient(rule->item.key) || rule->of == NULL ? rule->from.place.source
	                                                            : NULL;
}

static void
put_name(struct buf *b, const char *table, const struct installation *of)
{
	if (table != NULL)
		buf_put_span(b, span_head(span_str(table), PART_NAME_MAX / 2));
	if (table != NULL && of != NULL)
		buf_put_str(b, " of ");
	if (of != NULL)
		buf_put_span(b, span_head(span_str(of->source), PART_NAME_MAX / 2 - 4));
}

static struct part *
add(struct rules *r, struct span name)
{
	struct part *p = pool_take(&r->pool, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->item.key = pool_copy(&r->pool, name);
	if (p->item.key.p == NULL || keymap_add(&r->parts, &p->item) < 0)
		return NULL;
	p->next = r->first_part;
	r->first_part = p;
	return p;
}

static struct part *
find(struct rules *r, const char *table, const struct installation *of)
{
	uint8_t octets[PART_NAME_MAX];
	struct buf name = BUF_OVER(octets);
	struct part *p;

	put_name(&name, table, of);
	BUG_ON(name.full);
	p = (struct part *)keymap_get(&r->parts, buf_span(&name));
	if (p == NULL)
		p = add(r, buf_span(&name));
	if (p == NULL)
		return NULL;
	p->table = table;
	p->of = of;
	return p;
}

bool
parts_count(struct rules *r, const struct rule *rule)
{
	const char *table = table_of(rule);
	struct part *p = r->counting;

	/* Leaves of one part come one behind the other. */
	if (p == NULL || p->table != table || p->of != rule->of)
		p = find(r, table, rule->of);
	if (p == NULL)
		return false;
	p->accepts++;
	r->counting = p;
	return true;
}

int
parts_put(struct collection *c)
{
	for (const struct part *p = c->rules.first_part; p != NULL; p = p->next) {
		uint8_t key_octets[1 + PART_NAME_MAX], octets[24];
		struct buf key = BUF_OVER(key_octets), value = BUF_OVER(octets);
		struct place place = {p->table, 0}, first;

		buf_put_u8(&key, KEY_PART);
		buf_put_span(&key, p->item.key);
		buf_put_u64(&value, p->accepts);
		buf_put_u64(&value, 0);
		buf_put_u64(&value, 0);
		if (collection_put(c, NULL, buf_span(&key), buf_span(&value), place, &first) ==
		    COLLECTION_NO_MEMORY)
			return -1;
	}
	return 0;
}

bool
part_decode(struct span value, struct part_record *p_out)
{
	struct cursor c = cursor_over(value);

	return cursor_u64(&c, &p_out->accepts) && cursor_u64(&c, &p_out->before) &&
	       cursor_u64(&c, &p_out->taken) && c.left == 0;
}

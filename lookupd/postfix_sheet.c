#include "lookupd/postfix_sheet.h"

#include "lib/address.h"
#include "lib/buf.h"
#include "lookupd/lookup.h"

void
sheet_init(struct sheet *s)
{
	*s = (struct sheet){.count = 0};
	s->tail = &s->first;
	keymap_init(&s->rows);
}

void
sheet_clear(struct sheet *s)
{
	keymap_clear(&s->rows);
	pool_clear(&s->pool);
}

static struct buf
key_of(uint8_t octets[1 + ADDRESS_LOCAL_MAX], enum layout_key type, struct span local)
{
	struct buf key = buf_over(octets, 1 + ADDRESS_LOCAL_MAX);

	buf_put_u8(&key, (uint8_t)type);
	buf_put_span(&key, local);
	return key;
}

static const struct sheet_row *
find(const struct sheet *s, enum layout_key type, struct span local)
{
	uint8_t octets[1 + ADDRESS_LOCAL_MAX];
	struct buf key = key_of(octets, type, local);

	return key.full ? NULL : (const void *)keymap_get(&s->rows, buf_span(&key));
}

void
sheet_put(struct sheet *s, enum layout_key type, struct span local, struct span value)
{
	uint8_t octets[1 + ADDRESS_LOCAL_MAX];
	struct buf key = key_of(octets, type, local);
	struct sheet_row *row;

	if (key.full || keymap_get(&s->rows, buf_span(&key)) != NULL)
		return; /* longer than any address that can be asked for, or said before */
	row = pool_take(&s->pool, sizeof(*row));
	if (row != NULL) {
		row->item.key = pool_copy(&s->pool, buf_span(&key));
		row->value = pool_copy(&s->pool, value);
	}
	if (row == NULL || row->item.key.p == NULL || row->value.p == NULL ||
	    keymap_add(&s->rows, &row->item) < 0) {
		s->failed = true;
		return;
	}
	*s->tail = row;
	s->tail = &row->next;
	s->count++;
}

/* ---- differences --------------------------------------------------------------------------------- */

/* The longest row of extensions that covers names which begin so, shorter than `len`. */
static const struct sheet_row *
find_wild(const struct sheet *s, struct span local, size_t len, struct span delimiters)
{
	for (; len >= 2; len--) {
		const struct sheet_row *row = NULL;

		if (span_find(delimiters, local.p[len - 1]) < delimiters.len)
			row = find(s, KEY_WILD, span_head(local, len));
		if (row != NULL)
			return row;
	}
	return NULL;
}

/* As lookup.c cuts it. */
static size_t
cut(struct span local, struct span delimiters)
{
	size_t i = 0;

	while (i < local.len && span_find(delimiters, local.p[i]) == delimiters.len)
		i++;
	return i > 0 ? i : local.len;
}

/*
 * What the sheet answers for a key that it does not have: of a name, for this name; of extensions,
 * for one that has no row. Names that only a row of their own can accept have none.
 */
static struct span
answer(const struct sheet *s, const struct sheet_row *missing, struct span delimiters,
    bool owner_request)
{
	static const uint8_t unknown[] = {LEAF_UNKNOWN, LEAF_UNKNOWN, 0};
	struct span local = span_from(missing->item.key, 1);
	enum layout_key type = (enum layout_key)missing->item.key.p[0];
	size_t len = type == KEY_WILD ? local.len - 1 : local.len;
	const struct sheet_row *row = NULL;

	if (type == KEY_CATCH_ALL || (type == KEY_USER && lookup_literal_only(local)))
		return span_of(unknown, sizeof(unknown));
	if (!owner_request || !lookup_never_cut(local, delimiters)) {
		size_t base = cut(local, delimiters);

		row = find_wild(s, local, len, delimiters);
		if (row == NULL && base < local.len)
			row = find(s, KEY_USER, span_head(local, base));
	}
	if (row == NULL)
		row = find(s, KEY_CATCH_ALL, span_of(NULL, 0));
	return row != NULL ? row->value : span_of(unknown, sizeof(unknown));
}

void
sheet_diff(const struct sheet *s, const struct sheet *base, struct span delimiters,
    bool owner_request, struct sheet *diff_out)
{
	for (const struct sheet_row *row = s->first; row != NULL; row = row->next) {
		const struct sheet_row *other =
		    (const void *)keymap_get(&base->rows, row->item.key);

		if (other == NULL || !span_eq(other->value, row->value))
			sheet_put(diff_out, (enum layout_key)row->item.key.p[0],
			    span_from(row->item.key, 1), row->value);
	}
	for (const struct sheet_row *row = base->first; row != NULL; row = row->next) {
		struct span value = answer(s, row, delimiters, owner_request);

		if (keymap_get(&s->rows, row->item.key) == NULL && !span_eq(value, row->value))
			sheet_put(diff_out, (enum layout_key)row->item.key.p[0],
			    span_from(row->item.key, 1), value);
	}
}

#include "lookupd/walk.h"

#include <stdlib.h>

/*
 * A local part that extensions and catch-alls cover, and hardly anything else: no break
 * character in it, and nobody has it.
 */
#define PROBE "gatehouse0probe0"

/* A domain, by a table of its. */
struct entry {
	uint32_t table;
	size_t domain;
};

struct walk {
	const struct database *db;
	struct database_at at;
	struct span *names;
	size_t name_count, name_cap;
	struct entry *entries; /* sorted by table */
	size_t entry_count, entry_cap;
	/* The record that is being told, for each entry of its table. */
	size_t entry; /* the next one; entry_count: read another record */
	uint32_t table;
	struct span local, value;
	enum layout_key type;
};

/* Makes room for one more element. Returns: 0 or -1. */
static int
room(void **array, size_t *cap, size_t count, size_t size)
{
	size_t more = *cap > 0 ? 2 * *cap : 64;
	void *p;

	if (count < *cap)
		return 0;
	p = reallocarray(*array, more, size);
	if (p == NULL)
		return -1;
	*array = p;
	*cap = more;
	return 0;
}

static int
note_domain(struct walk *w, struct span key, struct span value)
{
	struct domain d;

	if (room((void **)&w->names, &w->name_cap, w->name_count, sizeof(*w->names)) < 0)
		return -1;
	w->names[w->name_count++] = span_from(key, 1);
	if (key.p[0] != KEY_DOMAIN || domain_decode(value, &d) != RECORD_OK)
		return 0;
	for (size_t i = 0; i < d.table_count; i++) {
		if (room((void **)&w->entries, &w->entry_cap, w->entry_count, sizeof(*w->entries)) <
		    0)
			return -1;
		w->entries[w->entry_count++] = (struct entry){d.tables[i], w->name_count - 1};
	}
	return 0;
}

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->table != y->table ? (x->table > y->table) - (x->table < y->table)
	                            : (x->domain > y->domain) - (x->domain < y->domain);
}

static int
find_domains(struct walk *w)
{
	struct database_at at = {0};
	struct span key, value;

	while (database_next(w->db, &at, &key, &value) == CDBFILE_FOUND)
		if (key_is_domain(key) && !key_is_canary(key) && note_domain(w, key, value) < 0)
			return -1;
	if (w->entry_count > 0)
		qsort(w->entries, w->entry_count, sizeof(*w->entries), compare_entries);
	return 0;
}

struct walk *
walk_new(const struct database *db)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->db = db;
	if (find_domains(w) < 0)
		walk_free(&w);
	else
		w->entry = w->entry_count;
	return w;
}

void
walk_free(struct walk **w)
{
	if (*w == NULL)
		return;
	free((*w)->names);
	free((*w)->entries);
	free(*w);
	*w = NULL;
}

size_t
walk_domains(const struct walk *w)
{
	return w->name_count;
}

struct span
walk_domain(const struct walk *w, size_t index)
{
	return w->names[index];
}

/* The first entry of a table, or where it would be. */
static size_t
first_entry(const struct walk *w, uint32_t table)
{
	size_t low = 0, high = w->entry_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->entries[middle].table < table)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Reads up to the next record of a table. */
static enum walk_status
read_record(struct walk *w)
{
	struct span key;

	for (;;) {
		struct cursor c;

		switch (database_next(w->db, &w->at, &key, &w->value)) {
		case CDBFILE_NONE:
			return WALK_END;
		case CDBFILE_BAD:
			return WALK_BAD;
		case CDBFILE_FOUND:
			break;
		}
		if (!key_is_recipient(key))
			continue;
		c = cursor_over(span_from(key, 1));
		if (!cursor_u32(&c, &w->table) || w->table == 0)
			continue;
		w->type = (enum layout_key)key.p[0];
		w->local = span_of(c.p, c.left);
		w->entry = first_entry(w, w->table);
		return WALK_FOUND;
	}
}

/* Returns: false when nobody can ask for it by an address. */
static bool
make_address(const struct walk *w, struct span domain, struct address *a_out)
{
	uint8_t octets[2 * ADDRESS_MAX];
	struct buf b = BUF_OVER(octets);

	buf_put_span(&b, w->local);
	if (w->type == KEY_WILD || w->type == KEY_CATCH_ALL)
		buf_put_str(&b, PROBE);
	buf_put_u8(&b, '@');
	buf_put_span(&b, domain);
	return !b.full && address_from_inside(buf_span(&b), a_out) == ADDRESS_OK;
}

enum walk_status
walk_next(struct walk *w, struct walked *out)
{
	for (;;) {
		const struct entry *e = w->entries + w->entry;
		enum walk_status status;

		if (w->entry < w->entry_count && e->table == w->table) {
			w->entry++;
			out->type = w->type;
			out->domain = e->domain;
			out->value = w->value;
			out->named = w->local;
			if (make_address(w, w->names[e->domain], &out->address))
				return WALK_FOUND;
			continue;
		}
		status = read_record(w);
		if (status != WALK_FOUND)
			return status;
	}
}

bool
walk_names(const struct database *db, const struct walked *here)
{
	uint8_t octets[8 + 2 * ADDRESS_MAX];
	struct buf key = BUF_OVER(octets);
	struct span value;
	struct domain d;

	buf_put_u8(&key, KEY_DOMAIN);
	buf_put_span(&key, address_domain(&here->address));
	if (database_get(db, buf_span(&key), &value) != CDBFILE_FOUND ||
	    domain_decode(value, &d) != RECORD_OK)
		return false;
	for (size_t i = 0; i < d.table_count; i++) {
		key = BUF_OVER(octets);
		key_put_u32(&key, here->type, d.tables[i]);
		buf_put_span(&key, here->named);
		if (!key.full && database_get(db, buf_span(&key), &value) == CDBFILE_FOUND)
			return true;
	}
	return false;
}

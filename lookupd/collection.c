#include "lookupd/collection.h"

#include <stdlib.h>

#include "lib/bug.h"

enum {
	CHUNK_LEN = 1024 * 1024,
	LEAF_MAX = 512, /* octets of an encoded leaf, all attributes at their longest */
};

/* ---- memory that is freed as a whole ---------------------------------------------------------- */

struct arena_chunk {
	struct arena_chunk *next;
	size_t used;
	_Alignas(16) uint8_t octets[CHUNK_LEN];
};

/* Returns: memory aligned for any structure, or NULL. In: len, far below CHUNK_LEN. */
static void *
take(struct collection *c, size_t len)
{
	size_t rounded = (len + 15) / 16 * 16;
	void *p;

	BUG_ON(rounded > CHUNK_LEN);
	if (c->chunks == NULL || CHUNK_LEN - c->chunks->used < rounded) {
		struct arena_chunk *chunk = malloc(sizeof(*chunk));

		if (chunk == NULL)
			return NULL;
		chunk->next = c->chunks;
		chunk->used = 0;
		c->chunks = chunk;
	}
	p = c->chunks->octets + c->chunks->used;
	c->chunks->used += rounded;
	return p;
}

/* A zeroed item of item_len octets, followed by a copy of its key and `extra`. */
static void *
take_item(struct collection *c, size_t item_len, struct span key, struct span extra)
{
	uint8_t *p = take(c, item_len + key.len + extra.len);
	struct keymap_item *item = (void *)p;

	if (p == NULL)
		return NULL;
	memset(p, 0, item_len);
	memcpy(p + item_len, key.p, key.len);
	if (extra.len > 0)
		memcpy(p + item_len + key.len, extra.p, extra.len);
	item->key = span_of(p + item_len, key.len);
	return p;
}

void
collection_init(struct collection *c)
{
	*c = (struct collection){0};
	keymap_init(&c->recipients);
	keymap_init(&c->domains);
	keymap_init(&c->routes);
	c->recipient_tail = &c->first_recipient;
	c->domain_tail = &c->first_domain;
	c->route_tail = &c->first_route;
}

void
collection_clear(struct collection *c)
{
	while (c->chunks != NULL) {
		struct arena_chunk *next = c->chunks->next;

		free(c->chunks);
		c->chunks = next;
	}
	keymap_clear(&c->recipients);
	keymap_clear(&c->domains);
	keymap_clear(&c->routes);
}

/* ---- domains and routes ------------------------------------------------------------------------ */

static struct collected_domain *
domain_for(struct collection *c, struct span name)
{
	struct collected_domain *d = (void *)keymap_get(&c->domains, name);

	if (d != NULL)
		return d;
	d = take_item(c, sizeof(*d), name, span_of(NULL, 0));
	if (d == NULL)
		return NULL;
	d->table = (uint32_t)c->domains.used + 1; /* 0 is the canary's */
	if (keymap_add(&c->domains, &d->item) < 0)
		return NULL;
	*c->domain_tail = d;
	c->domain_tail = &d->next;
	return d;
}

static enum collection_status
route_for(struct collection *c, struct span name, uint16_t *number_out)
{
	struct collected_route *r;

	*number_out = 0;
	if (name.len == 0)
		return COLLECTION_ADDED;
	r = (void *)keymap_get(&c->routes, name);
	if (r == NULL) {
		if (c->routes.used == UINT16_MAX)
			return COLLECTION_FULL;
		r = take_item(c, sizeof(*r), name, span_of(NULL, 0));
		if (r == NULL)
			return COLLECTION_NO_MEMORY;
		r->number = (uint16_t)(c->routes.used + 1);
		if (keymap_add(&c->routes, &r->item) < 0)
			return COLLECTION_NO_MEMORY;
		*c->route_tail = r;
		c->route_tail = &r->next;
	}
	*number_out = r->number;
	return COLLECTION_ADDED;
}

/* Returns: false when a domain has too many different break octets. */
static bool
note_wild(struct collected_domain *d, struct span local)
{
	uint8_t octet = local.p[local.len - 1];
	struct span known = span_of(d->wild_octets, d->wild_octet_count);

	if (span_find(known, octet) == known.len) {
		if (known.len == sizeof(d->wild_octets))
			return false;
		d->wild_octets[d->wild_octet_count++] = octet;
	}
	bits_set(d->wild_lengths, (unsigned)(local.len - 1));
	return true;
}

/* ---- recipients --------------------------------------------------------------------------------- */

static const enum layout_key key_types[] = {
    [LIST_ADDRESS] = KEY_USER,
    [LIST_EXTENSIONS] = KEY_WILD,
    [LIST_CATCH_ALL] = KEY_CATCH_ALL,
};

static const uint8_t verdicts[] = {
    [LIST_ACCEPT] = LEAF_ACCEPT,
    [LIST_REJECT] = LEAF_REFUSE,
    [LIST_DEFER] = LEAF_DEFER,
};

static enum collection_status
encode_leaf(struct collection *c, const struct list_entry *entry, struct buf *b)
{
	struct leaf leaf = {
	    .verdict = verdicts[entry->verdict],
	    .immediate = verdicts[entry->verdict],
	    .size = entry->size,
	    .class = entry->class,
	    .status = entry->status,
	    .text = entry->text,
	};
	enum collection_status status = route_for(c, entry->backend, &leaf.route);

	leaf_put(b, &leaf);
	BUG_ON(b->full);
	return status;
}

static enum collection_status
known_before(const struct collected_recipient *r, struct span leaf, struct place *first_out)
{
	*first_out = r->place;
	return span_eq(r->leaf, leaf) ? COLLECTION_SAME : COLLECTION_CONFLICT;
}

static enum collection_status
add_new(struct collection *c, struct span key, struct span leaf, struct place place)
{
	struct collected_recipient *r = take_item(c, sizeof(*r), key, leaf);

	if (r == NULL)
		return COLLECTION_NO_MEMORY;
	r->leaf = span_of(r->item.key.p + key.len, leaf.len);
	r->place = place;
	if (keymap_add(&c->recipients, &r->item) < 0)
		return COLLECTION_NO_MEMORY;
	*c->recipient_tail = r;
	c->recipient_tail = &r->next;
	return COLLECTION_ADDED;
}

static enum collection_status
note_in_domain(struct collected_domain *d, const struct list_entry *entry)
{
	d->count++;
	if (entry->kind == LIST_CATCH_ALL && entry->verdict == LIST_ACCEPT)
		d->catch_all = true;
	if (entry->kind == LIST_ADDRESS && entry->verdict == LIST_ACCEPT &&
	    span_eq(entry->local, SPAN("postmaster")))
		d->postmaster = true;
	if (entry->kind == LIST_EXTENSIONS && !note_wild(d, entry->local))
		return COLLECTION_FULL;
	return COLLECTION_ADDED;
}

enum collection_status
collection_add(struct collection *c, const struct list_entry *entry, struct place place,
    struct place *first_out)
{
	uint8_t key_octets[8 + ADDRESS_LOCAL_MAX], leaf_octets[LEAF_MAX];
	struct buf key = BUF_OVER(key_octets), leaf = BUF_OVER(leaf_octets);
	struct collected_domain *d = domain_for(c, entry->domain);
	const struct collected_recipient *known;
	enum collection_status status;

	if (d == NULL)
		return COLLECTION_NO_MEMORY;
	status = encode_leaf(c, entry, &leaf);
	if (status != COLLECTION_ADDED)
		return status;
	key_put_u32(&key, key_types[entry->kind], d->table);
	buf_put_span(&key, entry->local);
	BUG_ON(key.full);
	known = (void *)keymap_get(&c->recipients, buf_span(&key));
	if (known != NULL)
		return known_before(known, buf_span(&leaf), first_out);
	status = add_new(c, buf_span(&key), buf_span(&leaf), place);
	return status == COLLECTION_ADDED ? note_in_domain(d, entry) : status;
}

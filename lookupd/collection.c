#include "lookupd/collection.h"

#include <stdlib.h>

#include "lib/bug.h"

enum {
	LEAF_MAX = 1024,  /* octets of an encoded leaf, all attributes at their longest */
	ALIASES_MAX = 16, /* of aliases in a row */
};

void
collection_init(struct collection *c)
{
	*c = (struct collection){0};
	records_init(&c->records);
	keymap_init(&c->domains);
	keymap_init(&c->routes);
	c->domain_tail = &c->first_domain;
	c->route_tail = &c->first_route;
	c->attr_tail = &c->first_attr;
	rules_init(&c->rules);
}

void
collection_clear(struct collection *c)
{
	while (c->first_domain != NULL) {
		struct collected_domain *next = c->first_domain->next;

		free(c->first_domain);
		c->first_domain = next;
	}
	while (c->first_route != NULL) {
		struct collected_route *next = c->first_route->next;

		free(c->first_route);
		c->first_route = next;
	}
	while (c->first_attr != NULL) {
		struct collected_attr *next = c->first_attr->next;

		free(c->first_attr);
		c->first_attr = next;
	}
	keymap_clear(&c->domains);
	keymap_clear(&c->routes);
	records_clear(&c->records);
	rules_clear(&c->rules);
}

struct span
collection_keep(struct collection *c, struct span octets)
{
	return records_keep(&c->records, octets);
}

int
collection_header(struct collection *c, uint8_t type, struct span octets)
{
	struct collected_attr *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return -1;
	a->type = type;
	a->octets = collection_keep(c, octets);
	*c->attr_tail = a;
	c->attr_tail = &a->next;
	return a->octets.p != NULL ? 0 : -1;
}

bool
collection_has_header(const struct collection *c, uint8_t type)
{
	for (const struct collected_attr *a = c->first_attr; a != NULL; a = a->next)
		if (a->type == type)
			return true;
	return false;
}

/* ---- domains and routes ------------------------------------------------------------------------ */

struct collected_domain *
collection_domain(struct collection *c, struct span name, struct place place)
{
	struct collected_domain *d = (void *)keymap_get(&c->domains, name);

	if (d != NULL)
		return d;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->place = place;
	d->table = (uint32_t)c->domains.used + 1; /* 0 is the canary's */
	d->item.key = collection_keep(c, name);
	if (d->item.key.p == NULL || keymap_add(&c->domains, &d->item) < 0) {
		free(d);
		return NULL;
	}
	*c->domain_tail = d;
	c->domain_tail = &d->next;
	return d;
}

static struct collected_route *
new_route(struct collection *c, struct span name, struct place place)
{
	struct collected_route *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->place = place;
	r->number = (uint16_t)(c->routes.used + 1);
	r->item.key = collection_keep(c, name);
	if (r->item.key.p == NULL || keymap_add(&c->routes, &r->item) < 0) {
		free(r);
		return NULL;
	}
	*c->route_tail = r;
	c->route_tail = &r->next;
	return r;
}

enum collection_status
collection_route(struct collection *c, struct span name, struct place place, uint16_t *number_out)
{
	struct collected_route *r;

	*number_out = 0;
	if (name.len == 0)
		return COLLECTION_ADDED;
	r = (void *)keymap_get(&c->routes, name);
	if (r == NULL) {
		if (c->routes.used == UINT16_MAX)
			return COLLECTION_FULL;
		r = new_route(c, name, place);
		if (r == NULL)
			return COLLECTION_NO_MEMORY;
	}
	*number_out = r->number;
	return COLLECTION_ADDED;
}

/* Returns: false when a domain has too many different break octets. */
static bool
add_wild_octet(struct collected_domain *d, uint8_t octet)
{
	struct span known = span_of(d->wild_octets, d->wild_octet_count);

	if (span_find(known, octet) < known.len)
		return true;
	if (known.len == sizeof(d->wild_octets))
		return false;
	d->wild_octets[d->wild_octet_count++] = octet;
	return true;
}

bool
collection_share(struct collected_domain *d, const struct collected_domain *shared)
{
	d->shared = shared;
	for (size_t i = 0; i < LAYOUT_BITS_LEN; i++)
		d->wild_lengths[i] |= shared->wild_lengths[i];
	for (size_t i = 0; i < shared->wild_octet_count; i++)
		if (!add_wild_octet(d, shared->wild_octets[i]))
			return false;
	return true;
}

/* The same. */
static bool
note_wild(struct collected_domain *d, struct span local)
{
	if (!add_wild_octet(d, local.p[local.len - 1]))
		return false;
	bits_set(d->wild_lengths, (unsigned)(local.len - 1));
	return true;
}

/* ---- records ------------------------------------------------------------------------------------ */

static enum collection_status
status_of(enum records_status status)
{
	static const enum collection_status of[] = {
	    [RECORDS_ADDED] = COLLECTION_ADDED,
	    [RECORDS_SAME] = COLLECTION_SAME,
	    [RECORDS_CONFLICT] = COLLECTION_CONFLICT,
	    [RECORDS_NO_MEMORY] = COLLECTION_NO_MEMORY,
	};

	return of[status];
}

/* What the record means to its domain. */
static enum collection_status
note_in_domain(struct collected_domain *d, struct span key, struct span value)
{
	struct span local = span_from(key, 5); /* after type and table */
	bool accept = leaf_accepts(value);

	d->has_rows = true;
	d->count++;
	d->accepts += accept;
	if (key.p[0] == KEY_CATCH_ALL && accept)
		d->catch_all = true;
	if (key.p[0] == KEY_USER && accept && span_eq(local, SPAN("postmaster")))
		d->postmaster = true;
	if (key.p[0] == KEY_ALIAS)
		d->has_aliases = true;
	if (key.p[0] == KEY_WILD && !note_wild(d, local))
		return COLLECTION_FULL;
	return COLLECTION_ADDED;
}

/* Whether the table that the domain shares has something else under this name. */
static bool
said_otherwise(const struct collection *c, const struct collected_domain *d, struct span key,
    struct span value, struct place *first_out)
{
	uint8_t octets[8 + ADDRESS_LOCAL_MAX];
	struct buf shared = BUF_OVER(octets);
	struct span said;

	if (d == NULL || d->shared == NULL || !key_is_recipient(key))
		return false;
	key_put_u32(&shared, (enum layout_key)key.p[0], d->shared->table);
	buf_put_span(&shared, span_from(key, 5));
	return !shared.full && records_get(&c->records, buf_span(&shared), &said, first_out) &&
	       !span_eq(said, value);
}

enum collection_status
collection_put(struct collection *c, struct collected_domain *d, struct span key, struct span value,
    struct place place, struct place *first_out)
{
	enum records_status status;

	if (said_otherwise(c, d, key, value, first_out))
		return COLLECTION_CONFLICT;
	status = records_add(&c->records, key, value, place, first_out);
	if (status != RECORDS_ADDED)
		return status_of(status);
	if (key_is_recipient(key))
		c->recipients++;
	if (key_is_recipient(key) && d != NULL)
		return note_in_domain(d, key, value);
	if ((key_is_recipient(key) || key_is_file(key)) && leaf_accepts(value))
		c->boxes++;
	return COLLECTION_ADDED;
}

/* ---- lines of a list ------------------------------------------------------------------------------ */

static const enum layout_key key_types[] = {
    [LIST_ADDRESS] = KEY_USER,
    [LIST_EXTENSIONS] = KEY_WILD,
    [LIST_CATCH_ALL] = KEY_CATCH_ALL,
};

static const uint8_t verdicts[] = {
    [LIST_ACCEPT] = LEAF_ACCEPT,
    [LIST_REJECT] = LEAF_REFUSE,
    [LIST_DEFER] = LEAF_DEFER,
    [LIST_DISCARD] = LEAF_DISCARD,
};

static enum collection_status
encode_leaf(struct collection *c, const struct list_entry *entry, struct place place, struct buf *b)
{
	struct leaf leaf = {
	    .verdict = verdicts[entry->verdict],
	    .immediate = verdicts[entry->verdict],
	    .flags = entry->flags,
	    .size = entry->size,
	    .class = entry->class,
	    .status = entry->status,
	    .text = entry->text,
	    .delivered_to = entry->delivered_to,
	    .no_bounces = entry->no_bounces,
	};
	enum collection_status status = collection_route(c, entry->backend, place, &leaf.route);

	leaf_put(b, &leaf);
	BUG_ON(b->full);
	return status;
}

static bool
same_domain(const struct collected_domain *a, const struct collected_domain *b)
{
	return a->route == b->route && a->size == b->size && span_eq(a->class, b->class) &&
	       span_eq(a->real, b->real) && span_eq(a->delimiters, b->delimiters);
}

/* A line about a whole domain: an alias, or what holds for recipients that do not say it. */
static enum collection_status
tell_domain(struct collection *c, struct collected_domain *d, const struct list_entry *entry,
    struct place place, struct place *first_out)
{
	struct collected_domain said = {.size = entry->size,
	    .class = entry->class,
	    .real = entry->real,
	    .delimiters = entry->delimiters};
	enum collection_status status = collection_route(c, entry->backend, place, &said.route);

	if (status != COLLECTION_ADDED)
		return status;
	*first_out = d->place;
	if (d->told)
		return same_domain(d, &said) ? COLLECTION_SAME : COLLECTION_CONFLICT;
	if (d->flags != 0 || (said.real.len > 0 && d->count > 0))
		return COLLECTION_CONFLICT;
	d->told = true;
	d->place = place;
	d->route = said.route;
	d->size = said.size;
	d->class = collection_keep(c, said.class);
	d->delimiters = collection_keep(c, said.delimiters);
	d->real = collection_keep(c, said.real);
	return d->class.p != NULL && d->delimiters.p != NULL && d->real.p != NULL
	           ? COLLECTION_ADDED
	           : COLLECTION_NO_MEMORY;
}

enum collection_status
collection_add(struct collection *c, const struct list_entry *entry, struct place place,
    struct place *first_out)
{
	uint8_t key_octets[8 + ADDRESS_LOCAL_MAX], leaf_octets[LEAF_MAX];
	struct buf key = BUF_OVER(key_octets), leaf = BUF_OVER(leaf_octets);
	struct collected_domain *d = collection_domain(c, entry->domain, place);
	enum collection_status status;

	if (d == NULL)
		return COLLECTION_NO_MEMORY;
	if (entry->kind == LIST_ALIAS_DOMAIN || entry->kind == LIST_DOMAIN)
		return tell_domain(c, d, entry, place, first_out);
	if (d->real.len > 0 || (d->flags != 0 && !(d->flags & DOMAIN_TABLE))) {
		*first_out = d->place; /* an alias domain has no recipients of its own */
		return COLLECTION_CONFLICT;
	}
	status = encode_leaf(c, entry, place, &leaf);
	if (status != COLLECTION_ADDED)
		return status;
	key_put_u32(&key, key_types[entry->kind], d->table);
	buf_put_span(&key, entry->local);
	BUG_ON(key.full);
	return collection_put(c, d, buf_span(&key), buf_span(&leaf), place, first_out);
}

/* ---- alias domains -------------------------------------------------------------------------------- */

/* Returns: the domain at the end of the aliases, or NULL. */
static const struct collected_domain *
real_domain(const struct collection *c, const struct collected_domain *d)
{
	for (unsigned i = 0; d != NULL && d->real.len > 0; i++)
		d = i < ALIASES_MAX ? (const void *)keymap_get(&c->domains, d->real) : NULL;
	return d;
}

struct collected_domain *
collection_resolve_alias(struct collection *c)
{
	for (struct collected_domain *d = c->first_domain; d != NULL; d = d->next) {
		const struct collected_domain *real = real_domain(c, d);

		if (real == NULL) {
			d->real = span_of(NULL, 0);
			return d;
		}
		if (real != d)
			d->real = real->item.key;
	}
	return NULL;
}

#include "lookupd/rules.h"

#include "lib/bug.h"

/* Tables of lists count up from 1: collection.c. */
enum { TABLES_FROM = 0x40000000, KEY_LONGEST = 4096 };

void
rules_init(struct rules *r)
{
	*r = (struct rules){0};
	keymap_init(&r->records);
	keymap_init(&r->domains);
	keymap_init(&r->parts);
	r->rule_tail = &r->first_rule;
	r->domain_tail = &r->first_domain;
	r->installation_tail = &r->first_installation;
}

void
rules_clear(struct rules *r)
{
	keymap_clear(&r->records);
	keymap_clear(&r->domains);
	keymap_clear(&r->parts);
	for (struct installation *i = r->first_installation; i != NULL; i = i->next)
		keymap_clear(&i->relayed);
	r->first_installation = NULL;
	pool_clear(&r->pool);
}

struct installation *
rules_begin(struct rules *r, const char *source, bool boxes)
{
	struct installation *i = pool_take(&r->pool, sizeof(*i));
	unsigned *count = boxes ? &r->with_boxes : &r->without_boxes;

	if (i == NULL || *count == LAYOUT_NO_BOXES - 1) {
		r->failed = true;
		return NULL;
	}
	i->number = (uint16_t)((boxes ? 1 : LAYOUT_NO_BOXES) + (*count)++);
	i->source = source;
	keymap_init(&i->relayed);
	*r->installation_tail = i;
	r->installation_tail = &i->next;
	r->reading = i;
	return i;
}

/* An item with a copy of its key behind it, in a map. */
static void *
new_item(struct rules *r, struct keymap *map, size_t len, struct span key)
{
	uint8_t *p = pool_take(&r->pool, len + key.len);
	struct keymap_item *item = (void *)p;

	if (p == NULL) {
		r->failed = true;
		return NULL;
	}
	if (key.len > 0)
		memcpy(p + len, key.p, key.len);
	item->key = span_of(p + len, key.len);
	if (keymap_add(map, item) < 0) {
		r->failed = true;
		return NULL;
	}
	return p;
}

static bool
copy(struct rules *r, struct span *s)
{
	*s = pool_copy(&r->pool, *s);
	if (s->p == NULL)
		r->failed = true;
	return s->p != NULL;
}

struct rule *
rules_find(const struct rules *r, struct span key)
{
	return (void *)keymap_get(&r->records, key);
}

static struct rule *
add(struct rules *r, struct span key, struct provenance from, bool *new_out)
{
	struct rule *rule = rules_find(r, key);
	bool unused;

	if (new_out == NULL)
		new_out = &unused;
	*new_out = rule == NULL;
	if (rule != NULL)
		return rule;
	rule = new_item(r, &r->records, sizeof(*rule), key);
	if (rule == NULL)
		return NULL;
	rule->from = from;
	rule->of = r->reading;
	rule->forward_tail = &rule->forwards;
	*r->rule_tail = rule;
	r->rule_tail = &rule->next;
	r->recipients += key_is_recipient(key);
	return rule;
}

struct rule *
rules_add(
    struct rules *r, struct span key, struct span value, struct provenance from, bool *new_out)
{
	bool is_new;
	struct rule *rule = add(r, key, from, &is_new);

	if (new_out != NULL)
		*new_out = is_new;
	if (rule == NULL || !is_new)
		return rule;
	if (!copy(r, &value))
		return NULL;
	rule->value = value;
	rule->state = RULE_RESOLVED;
	return rule;
}

struct rule *
rules_add_leaf(struct rules *r, struct span key, const struct leaf *leaf, struct provenance from,
    bool *new_out)
{
	bool is_new;
	struct rule *rule = add(r, key, from, &is_new);

	if (new_out != NULL)
		*new_out = is_new;
	if (rule == NULL || !is_new)
		return rule;
	rule->is_leaf = true;
	rule->leaf = *leaf;
	rule->leaf.verdict = leaf->immediate;
	if (!copy(r, &rule->leaf.class) || !copy(r, &rule->leaf.status) ||
	    !copy(r, &rule->leaf.text) || !copy(r, &rule->leaf.delivered_to))
		return NULL;
	return rule;
}

bool
rules_forward(struct rules *r, struct rule *rule, struct span address, struct place place)
{
	struct rule_forward *f = pool_take(&r->pool, sizeof(*f));

	if (f == NULL || !copy(r, &address)) {
		r->failed = true;
		return false;
	}
	f->address = address;
	f->place = place;
	*rule->forward_tail = f;
	rule->forward_tail = &f->next;
	return true;
}

/* ---- domains ------------------------------------------------------------------------------------ */

struct rule_domain *
rules_find_domain(const struct rules *r, struct span lower_name)
{
	return (void *)keymap_get(&r->domains, lower_name);
}

struct rule_domain *
rules_domain(struct rules *r, struct span name, struct provenance from)
{
	uint8_t octets[KEY_LONGEST];
	struct buf lower = BUF_OVER(octets);
	struct rule_domain *d;

	buf_put_lower(&lower, name);
	BUG_ON(lower.full);
	d = rules_find_domain(r, buf_span(&lower));
	if (d != NULL)
		return d;
	d = new_item(r, &r->domains, sizeof(*d), buf_span(&lower));
	if (d == NULL)
		return NULL;
	d->from = from;
	d->of = r->reading;
	*r->domain_tail = d;
	r->domain_tail = &d->next;
	return d;
}

bool
rules_allow_relay(struct rules *r, struct installation *i, struct span domain)
{
	uint8_t octets[KEY_LONGEST];
	struct buf lower = BUF_OVER(octets);

	buf_put_lower(&lower, domain);
	BUG_ON(lower.full);
	if (keymap_get(&i->relayed, buf_span(&lower)) != NULL)
		return true;
	return new_item(r, &i->relayed, sizeof(struct keymap_item), buf_span(&lower)) != NULL;
}

bool
rules_relay_allowed(const struct installation *i, struct span domain)
{
	uint8_t octets[KEY_LONGEST];
	struct buf b = BUF_OVER(octets);
	struct span lower;

	if (i->relay_all)
		return true;
	buf_put_lower(&b, domain);
	lower = buf_span(&b);
	if (b.full)
		return false;
	for (size_t at = 0; at < lower.len; at++)
		if ((at == 0 || lower.p[at] == '.') &&
		    keymap_get(&i->relayed, span_from(lower, at)) != NULL)
			return true;
	return false;
}

uint32_t
rules_new_table(struct rules *r)
{
	return TABLES_FROM + r->tables++;
}

uint32_t
rules_new_target(struct rules *r)
{
	return r->targets++;
}

#include "lookupd/postfix_source.h"

#include "lib/address.h"
#include "lib/bug.h"
#include "lookupd/installations.h"
#include "lookupd/postfix_domain.h"
#include "lookupd/postfix_leaf.h"
#include "lookupd/postfix_rules.h"

static const struct span nothing = {NULL, 0};

/* A domain that is to be written. */
struct plan {
	struct postfix_domain is;
	const struct postfix_named_domain *named;
	struct collected_domain *d;
	bool local;
	/* What it shares with others: all but a few of its addresses are those of this one. */
	struct plan *base;
	unsigned sharers;                /* domains whose base it is */
	struct sheet sheet;              /* of one with sharers */
	struct collected_domain *shared; /* the table with that sheet; of no domain */
	struct plan *next;
};

struct emitter {
	struct postfix *p;
	struct postfix_names *names;
	struct collection *c;
	const struct installation *of;
	uint16_t route;
	struct plan *first, **tail;
	uint64_t records, remote, partial, late;
	uint32_t rules; /* the number of their record, 0: there are none */
	bool full;
};

/* ---- records ------------------------------------------------------------------------------------ */

static void
count(struct emitter *e, struct span value)
{
	struct leaf leaf;

	if (leaf_decode(value, &leaf) != RECORD_OK)
		return;
	e->records++;
	e->remote += leaf.verdict == LEAF_RELAY;
	e->partial += (leaf.flags & LEAF_PARTIAL) != 0 && leaf.verdict != LEAF_RELAY;
	e->late += leaf.verdict == LEAF_UNKNOWN && leaf.flags & LEAF_LATE;
}

/* In: d, or a table that several share. */
static void
put(struct emitter *e, struct collected_domain *d, const struct sheet_row *row)
{
	uint8_t octets[8 + ADDRESS_LOCAL_MAX];
	struct buf key = BUF_OVER(octets);
	struct span local = span_from(row->item.key, 1);
	struct place place = {e->p->source, 0}, first;

	key_put_u32(&key, (enum layout_key)row->item.key.p[0], d->table);
	buf_put_span(&key, local);
	BUG_ON(key.full);
	switch (collection_put(e->c, d, buf_span(&key), row->value, place, &first)) {
	case COLLECTION_ADDED:
		count(e, row->value);
		break;
	case COLLECTION_SAME:
		break;
	case COLLECTION_CONFLICT:
		report_error(e->p->report, e->p->source, 0,
		    "another source says something else about this address of the domain", local);
		report_warning(
		    e->p->report, first.source, first.line, "this is the place", d->item.key);
		e->p->failed = true;
		break;
	case COLLECTION_FULL:
		e->full = true;
		break;
	case COLLECTION_NO_MEMORY:
		e->p->failed = e->p->trouble = true;
		break;
	}
}

static void
put_sheet(struct emitter *e, struct collected_domain *d, const struct sheet *sheet)
{
	if (sheet->failed)
		e->p->failed = e->p->trouble = true;
	for (const struct sheet_row *row = sheet->first; row != NULL && !e->p->failed;
	     row = row->next)
		put(e, d, row);
	if (!e->full || e->p->failed)
		return;
	report_error(e->p->report, e->p->source, 0,
	    "more than the database can hold for one domain", d->item.key);
	e->p->failed = true;
}

/* ---- tables that domains share ---------------------------------------------------------------------- */

/*
 * Every name without a domain, each account among them, is one of every local domain, and a domain
 * that leads to another one has the names of that one: written for each, records would be as many
 * as both multiplied.
 */

static struct plan *
largest_origin(const struct plan *plan, struct plan *of_all_local)
{
	const struct postfix_named_domain *largest = NULL;

	for (size_t i = 0; i < plan->is.origins.count; i++) {
		const struct postfix_named_domain *at = plan->is.origins.at[i];

		if (at != plan->named &&
		    (largest == NULL || at->locals.used > largest->locals.used))
			largest = at;
	}
	if (largest == NULL || largest->locals.used == 0)
		return NULL;
	return largest->item.key.len == 0 ? of_all_local : largest->plan;
}

/* The local domain that stands for all: one that nothing else names, if there is one. */
static struct plan *
choose_local(const struct emitter *e)
{
	struct plan *any = NULL;

	for (struct plan *plan = e->first; plan != NULL; plan = plan->next) {
		if (!plan->local || plan->d->count > 0)
			continue;
		if (!postfix_names_mentioned(e->names, plan->named))
			return plan;
		if (any == NULL || plan->named->locals.used < any->named->locals.used)
			any = plan;
	}
	return any;
}

static void
choose_bases(struct emitter *e)
{
	struct plan *local = choose_local(e);

	for (struct plan *plan = e->first; plan != NULL; plan = plan->next) {
		struct plan *base = largest_origin(plan, local);

		if (base != NULL && base->base != NULL)
			base = base->base;
		/* Where a list has said something, it is compared with every record. */
		if (base == NULL || base == plan || plan->sharers > 0 || plan->d->count > 0 ||
		    base->d->count > 0)
			continue;
		plan->base = base;
		base->sharers++;
	}
}

/* What reports and guards want to know of the domain, from all that it has. */
static void
sum_up(struct collected_domain *d, const struct sheet *sheet)
{
	d->count = sheet->count;
	d->accepts = 0;
	for (const struct sheet_row *row = sheet->first; row != NULL; row = row->next) {
		bool accepts = leaf_accepts(row->value);

		d->accepts += accepts;
		if (span_eq(row->item.key, SPAN("Upostmaster")))
			d->postmaster = accepts;
		if (row->item.key.p[0] == KEY_CATCH_ALL)
			d->catch_all = accepts;
	}
}

static void
share(struct emitter *e, struct plan *plan, const struct plan *base)
{
	if (!collection_share(plan->d, base->shared))
		e->full = true;
}

static void
write_base(struct emitter *e, struct plan *plan)
{
	plan->shared = pool_take(&e->c->rules.pool, sizeof(*plan->shared));
	sheet_init(&plan->sheet);
	if (plan->shared == NULL) {
		e->p->failed = e->p->trouble = true;
		return;
	}
	plan->shared->item.key = plan->d->item.key;
	plan->shared->table = rules_new_table(&e->c->rules);
	postfix_domain_fill(&plan->is, &plan->sheet);
	put_sheet(e, plan->shared, &plan->sheet);
	share(e, plan, plan);
	sum_up(plan->d, &plan->sheet);
}

/*
 * Two local domains that nothing names but the list of local domains cannot be told apart by
 * Postfix: what it does with a name in one of them it does in the other.
 */
static bool
is_alike(const struct emitter *e, const struct plan *a, const struct plan *b)
{
	return a->local && b->local && !e->names->by_domain &&
	       !postfix_names_mentioned(e->names, a->named) &&
	       !postfix_names_mentioned(e->names, b->named) &&
	       a->is.below_relay == b->is.below_relay && postfix_same_leaf(&a->is.any, &b->is.any);
}

static void
write_plan(struct emitter *e, struct plan *plan)
{
	struct sheet sheet, diff;

	if (plan->base != NULL && is_alike(e, plan, plan->base)) {
		share(e, plan, plan->base);
		sum_up(plan->d, &plan->base->sheet);
		return;
	}
	sheet_init(&sheet);
	sheet_init(&diff);
	postfix_domain_fill(&plan->is, &sheet);
	if (plan->base != NULL)
		sheet_diff(
		    &sheet, &plan->base->sheet, plan->d->delimiters, plan->d->owner_request, &diff);
	if (plan->base != NULL && diff.count < sheet.count) {
		put_sheet(e, plan->d, &diff);
		share(e, plan, plan->base);
		sum_up(plan->d, &sheet);
	} else
		put_sheet(e, plan->d, &sheet);
	sheet_clear(&sheet);
	sheet_clear(&diff);
}

static void
write_plans(struct emitter *e)
{
	if (e->rules == 0) /* patterns go between the addresses of both tables */
		choose_bases(e);
	for (struct plan *plan = e->first; plan != NULL && !e->p->failed; plan = plan->next)
		if (plan->sharers > 0)
			write_base(e, plan);
	for (struct plan *plan = e->first; plan != NULL && !e->p->failed; plan = plan->next)
		if (plan->sharers == 0)
			write_plan(e, plan);
	for (struct plan *plan = e->first; plan != NULL; plan = plan->next)
		if (plan->shared != NULL)
			sheet_clear(&plan->sheet);
}

/* ---- domains ------------------------------------------------------------------------------------------------------ */

static bool
is_elsewhere(const struct postfix *p, struct span name)
{
	for (const struct postfix_said *s = p->elsewhere; s != NULL; s = s->next)
		if (span_eq_nocase(s->name, name))
			return true;
	return false;
}

/* Names that every host has; nobody outside writes to them. */
static bool
is_everywhere(struct span name)
{
	return name.p[0] == '[' || span_eq(name, SPAN("localhost")) ||
	       span_eq(name, SPAN("localhost.localdomain"));
}

/* Returns: false when another source has the domain, perhaps after an error. */
static bool
claim(struct emitter *e, struct plan *plan)
{
	struct place place = {e->p->source, 0};
	struct span name = plan->is.name;

	plan->d = collection_domain(e->c, name, place);
	if (plan->d == NULL) {
		e->p->failed = e->p->trouble = true;
		return false;
	}
	if (plan->d->of != NULL && plan->d->of != e->of && is_everywhere(name))
		return false;
	if (plan->d->told && plan->d->real.len > 0)
		report_error(e->p->report, plan->d->place.source, plan->d->place.line,
		    "a list says that this domain is an alias, and Postfix has it", name);
	else if (installations_claim(plan->d, e->of, place, e->p->report)) {
		if (plan->d->route == 0)
			plan->d->route = e->route;
		return true;
	}
	e->p->failed = true;
	return false;
}

/* Returns: false when it is not served, or another one stands for it. */
static bool
begin_domain(struct emitter *e, struct plan *plan)
{
	struct span name = plan->is.name, domain;
	struct postfix_address a;
	enum postfix_class class;

	postfix_address_join(&a, SPAN("x"), name);
	postfix_rewrite(e->p, &a);
	domain = postfix_domain(postfix_span(&a));
	class = postfix_class_of(e->p, domain);
	if (class == POSTFIX_CLASS_DEFAULT || is_elsewhere(e->p, name))
		return false;
	plan->local = class == POSTFIX_CLASS_LOCAL;
	plan->is.below_relay = class != POSTFIX_CLASS_RELAY &&
	                       postfix_has_parent(e->p, &e->p->is.relay_domains, domain,
				   postfix_parent_style(e->p, "relay_domains"));
	if (!claim(e, plan))
		return false;
	/* append_dot_mydomain: a short name is asked for as the long one. */
	if (!span_eq_nocase(domain, name)) {
		plan->d->real = collection_keep(e->c, domain);
		if (plan->d->real.p == NULL)
			e->p->failed = e->p->trouble = true;
		return false;
	}
	if (plan->local && e->p->is.allow_percent_hack)
		plan->d->flags = DOMAIN_SERVED | DOMAIN_TABLE | DOMAIN_PERCENT;
	plan->d->patterns = e->rules;
	if (e->p->is.recipient_delimiter.len > 0) {
		plan->d->delimiters = collection_keep(e->c, e->p->is.recipient_delimiter);
		plan->d->owner_request = e->p->is.owner_request_special;
	}
	return true;
}

static void
plan_domain(struct emitter *e, struct postfix_named_domain *named)
{
	struct plan *plan = pool_take(&e->p->pool, sizeof(*plan));

	if (plan == NULL) {
		e->p->failed = e->p->trouble = true;
		return;
	}
	plan->named = named;
	plan->is = (struct postfix_domain){
	    .p = e->p, .names = e->names, .name = named->item.key, .rules = e->rules != 0};
	if (named->item.key.len == 0 || !begin_domain(e, plan))
		return;
	named->plan = plan;
	postfix_domain_begin(&plan->is);
	*e->tail = plan;
	e->tail = &plan->next;
}

/*
 * Names below a relay domain, of which the tables know nothing: either none of them has unknown
 * recipients, or all of them have only such.
 */
static void
emit_below(struct emitter *e, struct span name)
{
	static const char any_label[] = "no-table-has-this-name.";
	uint8_t octets[ADDRESS_DOMAIN_MAX + sizeof(any_label)];
	struct buf b = BUF_OVER(octets);
	struct provenance from = {{e->p->source, 0}, "relay_domains"};
	struct postfix_domain below = {.p = e->p, .names = e->names};
	struct rule_domain *d;
	struct leaf leaf;

	if (name.len > 0 && name.p[0] == '.')
		name = span_from(name, 1);
	buf_put_str(&b, any_label);
	buf_put_span(&b, name);
	if (b.full || !address_domain_ok(name) ||
	    postfix_class_of(e->p, buf_span(&b)) != POSTFIX_CLASS_RELAY)
		return;
	below.name = buf_span(&b);
	leaf = postfix_domain_judge(&below, SPAN(POSTFIX_ANY_LOCAL));
	if (leaf.verdict == LEAF_UNKNOWN)
		return;
	if (leaf.verdict != LEAF_ACCEPT && leaf.verdict != LEAF_RELAY) {
		report_warning(e->p->report, e->p->source, 0,
		    "what holds for names below this relay domain cannot be said; they are refused",
		    name);
		return;
	}
	d = rules_domain(&e->c->rules, span_from(below.name, sizeof(any_label) - 2), from);
	if (d == NULL) {
		e->p->failed = e->p->trouble = true;
		return;
	}
	if (d->of != e->of && d->kept) {
		report_error(e->p->report, e->p->source, 0,
		    "another source has the names below this domain already", d->item.key);
		e->p->failed = true;
		return;
	}
	d->of = e->of;
	d->kept = true;
	d->domain.route = e->route;
	d->domain.flags |= DOMAIN_SERVED | (leaf.verdict == LEAF_ACCEPT ? DOMAIN_ACCEPT : 0);
	e->remote += leaf.verdict == LEAF_RELAY;
	e->records++;
}

static void
emit_all_below(struct emitter *e)
{
	for (const struct postfix_item *i = e->p->is.relay_domains.first; i != NULL; i = i->next)
		if (i->table == NULL)
			emit_below(e, i->word);
		else
			for (const struct postfix_row *r = i->table->first; r != NULL; r = r->next)
				emit_below(e, r->item.key);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

static void
warn_count(struct emitter *e, uint64_t count, const char *what)
{
	char detail[32];

	if (count == 0)
		return;
	snprintf(detail, sizeof(detail), "%llu", (unsigned long long)count);
	report_warning(e->p->report, e->p->source, 0, what, span_str(detail));
}

/* One rule, as a row of the record: what becomes of mail for its addresses. */
static void
put_rule(struct emitter *e, const struct postfix_rule *rule, bool is_canonical, struct buf *b)
{
	uint8_t octets[512];
	struct buf value = BUF_OVER(octets);
	struct postfix_outcome o = {.reason = POSTFIX_LATE};
	struct span rest = rule->value;
	struct postfix_address a;
	struct leaf leaf;

	e->p->word = rule->said ? rule->word : POSTFIX_IGNORE;
	if (rule->said)
		o.what = POSTFIX_BOUNCED;
	else
		while (postfix_next_address(&rest, &a)) {
			postfix_rewrite(e->p, &a);
			if (is_canonical)
				postfix_deliver(e->p, &a, NULL, &o);
			else
				postfix_deliver_canonical(e->p, &a, NULL, &o);
		}
	if (o.what == 0)
		o.what = POSTFIX_TEMPORARY;
	o.forwarded = true;
	leaf = postfix_leaf_of(e->p, &o);
	leaf_put(&value, &leaf);
	buf_put_u16(b, (uint16_t)rule->expression.len);
	buf_put_span(b, rule->expression);
	buf_put_u16(b, (uint16_t)value.len);
	buf_put_span(b, buf_span(&value));
}

static void
put_rules(struct emitter *e, const struct postfix_list *list, bool is_canonical, struct buf *b)
{
	for (const struct postfix_item *i = list->first; i != NULL; i = i->next) {
		if (i->table == NULL || i->table->kind != POSTFIX_RULES)
			continue;
		for (const struct postfix_rule *r = i->table->first_rule; r != NULL; r = r->next)
			if (!r->said || r->word != POSTFIX_IGNORE)
				put_rule(e, r, is_canonical, b);
	}
}

static void
emit_rules(struct emitter *e)
{
	static uint8_t octets[50000];
	uint8_t key_octets[8];
	struct buf b = BUF_OVER(octets), key = BUF_OVER(key_octets);
	struct place place = {e->p->source, 0}, first;

	put_rules(e, &e->p->is.recipient_canonical_maps, true, &b);
	put_rules(e, &e->p->is.canonical_maps, true, &b);
	put_rules(e, &e->p->is.virtual_alias_maps, false, &b);
	if (b.len == 0 && !b.full)
		return;
	e->rules = rules_new_table(&e->c->rules);
	key_put_u32(&key, KEY_PATTERNS, e->rules);
	if (b.full)
		report_error(
		    e->p->report, e->p->source, 0, "more rules than a record can hold", nothing);
	if (b.full || collection_put(e->c, NULL, buf_span(&key), buf_span(&b), place, &first) !=
			  COLLECTION_ADDED)
		e->p->failed = true;
}

static void
begin_all(struct emitter *e)
{
	struct place place = {e->p->source, 0};

	e->tail = &e->first;
	e->of = rules_begin(&e->c->rules, e->p->source, false);
	if (e->of == NULL ||
	    collection_route(e->c, e->p->backend, place, &e->route) != COLLECTION_ADDED)
		e->p->failed = e->p->trouble = true;
}

static void
emit_all(struct emitter *e)
{
	begin_all(e);
	if (!e->p->failed)
		emit_rules(e);
	for (struct postfix_named_domain *d = e->names->first; d != NULL && !e->p->failed;
	     d = d->next)
		plan_domain(e, d);
	if (!e->p->failed)
		write_plans(e);
	if (!e->p->failed)
		emit_all_below(e);
	if (!e->p->failed && !collection_has_header(e->c, HEADER_DEFAULT_DOMAIN) &&
	    collection_header(e->c, HEADER_DEFAULT_DOMAIN, e->p->is.myorigin) < 0)
		e->p->failed = e->p->trouble = true;
	if (e->p->failed)
		return;
	if (e->records == 0) {
		report_error(
		    e->p->report, e->p->source, 0, "the installation names no recipient", nothing);
		e->p->failed = true;
	}
	warn_count(e, e->remote,
	    "addresses whose mail would go on to other hosts; until remote= says what holds they "
	    "are "
	    "put off");
	warn_count(
	    e, e->partial, "addresses whose mail is delivered and bounced by one of the targets");
	warn_count(e, e->late, "addresses that Postfix takes and bounces; they are refused");
}

enum source_status
postfix_source(
    const char *text, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN])
{
	struct postfix p = {.report = report};
	struct postfix_names names = {.p = &p};
	struct emitter e = {.p = &p, .names = &names, .c = c};
	enum source_status status;

	/* Records refer to it. */
	p.source =
	    pool_string(&c->rules.pool, span_head(span_str(text), span_find(span_str(text), ',')));
	if (p.source == NULL)
		p.failed = p.trouble = true;
	else if (postfix_setup(&p, text) && postfix_names_gather(&p, &names))
		emit_all(&e);
	if (p.trouble)
		report_error(report, text, 0, "out of memory", nothing);
	status = p.trouble ? SOURCE_TROUBLE : p.failed ? SOURCE_WRONG : SOURCE_READ;
	digest_final(&p.digest, digest_out);
	postfix_names_clear(&names);
	postfix_clear(&p);
	return status;
}

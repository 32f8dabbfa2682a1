#include "lookupd/postfix_source.h"

#include "lib/address.h"
#include "lookupd/installations.h"
#include "lookupd/postfix_names.h"
#include "lookupd/postfix_rules.h"

static const struct span nothing = {NULL, 0};

struct emitter {
	struct postfix *p;
	struct postfix_names *names;
	struct collection *c;
	const struct installation *of;
	uint16_t route;
	struct collected_domain *d;
	struct span domain; /* that is being written */
	struct leaf any;    /* for a local part that no table has */
	uint64_t records, remote, partial, late;
	uint32_t rules; /* the number of their record, 0: there are none */
	bool full;
	bool below_relay; /* what is said of names below a relay domain must not reach it */
};

/* ---- verdicts to leaves ------------------------------------------------------------------------------ */

/* "5.7.0 text" of a table: its own reply, when it is one. */
static void
set_reply(struct leaf *leaf, struct span text)
{
	size_t blank = span_find(text, ' ');
	struct span status = span_head(text, blank), rest = span_from(text, blank + 1);

	if (record_status_ok(status, '5')) {
		leaf->status = status;
		text = rest;
	}
	if (record_text_ok(text))
		leaf->text = text;
}

static void
set_refusal(struct leaf *leaf, const struct postfix_outcome *o)
{
	leaf->verdict = LEAF_UNKNOWN;
	if (!o->refused)
		leaf->flags |= LEAF_LATE;
	else if (o->reason == POSTFIX_MOVED)
		leaf->verdict = LEAF_MOVED;
	else if (o->reason == POSTFIX_ERROR_TRANSPORT) {
		leaf->verdict = LEAF_REFUSE;
		set_reply(leaf, o->text);
	}
}

/* A table that is not listed may have the address after all: the operator says what then. */
static void
apply_word(const struct postfix *p, struct leaf *leaf)
{
	if (leaf->verdict != LEAF_UNKNOWN || p->word == POSTFIX_IGNORE)
		return;
	*leaf = (struct leaf){.verdict = p->word == POSTFIX_ACCEPT ? LEAF_ACCEPT : LEAF_DEFER,
	    .flags = LEAF_UNVERIFIED};
}

static struct leaf
leaf_of(const struct postfix *p, const struct postfix_outcome *o)
{
	unsigned what = o->what;
	bool partial = what & POSTFIX_BOUNCED && what & (POSTFIX_DELIVERED | POSTFIX_REMOTE);
	struct leaf leaf = {.flags = (o->forwarded ? LEAF_LATE : 0) |
	                             (what & POSTFIX_UNVERIFIED ? LEAF_UNVERIFIED : 0) |
	                             (partial ? LEAF_PARTIAL : 0)};

	leaf.immediate = o->refused ? LEAF_UNKNOWN : LEAF_ACCEPT;
	if (what & POSTFIX_BOUNCED && (!partial || p->strict))
		set_refusal(&leaf, o);
	else if (what & POSTFIX_TEMPORARY)
		leaf.verdict = LEAF_DEFER;
	else if (what & POSTFIX_REMOTE)
		leaf.verdict = LEAF_RELAY;
	else if (what & POSTFIX_DELIVERED)
		leaf.verdict = LEAF_ACCEPT;
	else
		leaf.verdict = LEAF_DISCARD;
	apply_word(p, &leaf);
	return leaf;
}

/* ---- one address ---------------------------------------------------------------------------------------- */

static struct leaf
judge(struct emitter *e, struct span local)
{
	struct postfix_address a;
	struct postfix_outcome o;

	postfix_address_join(&a, local, e->domain);
	e->p->word = POSTFIX_IGNORE;
	postfix_judge(e->p, &a, &o);
	return leaf_of(e->p, &o);
}

static bool
same_leaf(const struct leaf *a, const struct leaf *b)
{
	return a->verdict == b->verdict && span_eq(a->status, b->status) &&
	       span_eq(a->text, b->text);
}

static void
put(struct emitter *e, enum layout_key type, struct span local, const struct leaf *leaf)
{
	uint8_t key_octets[8 + ADDRESS_LOCAL_MAX], value_octets[512];
	struct buf key = BUF_OVER(key_octets), value = BUF_OVER(value_octets);
	struct place place = {e->p->source, 0}, first;

	key_put_u32(&key, type, e->d->table);
	buf_put_span(&key, local);
	leaf_put(&value, leaf);
	if (key.full || value.full)
		return; /* longer than any address that can be asked for */
	switch (collection_put(e->c, e->d, buf_span(&key), buf_span(&value), place, &first)) {
	case COLLECTION_ADDED:
		e->records++;
		e->remote += leaf->verdict == LEAF_RELAY;
		e->partial += (leaf->flags & LEAF_PARTIAL) != 0 && leaf->verdict != LEAF_RELAY;
		e->late += leaf->verdict == LEAF_UNKNOWN && leaf->flags & LEAF_LATE;
		break;
	case COLLECTION_SAME:
		break;
	case COLLECTION_CONFLICT:
		report_error(e->p->report, e->p->source, 0,
		    "another source says something else about this address of the domain", local);
		report_warning(
		    e->p->report, first.source, first.line, "this is the place", e->domain);
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

/* local, delimiter, an extension that no table has */
static struct span
with_any_extension(const struct emitter *e, struct span local, struct buf *b)
{
	buf_put_span(b, local);
	buf_put_span(b, span_head(e->p->is.recipient_delimiter, 1));
	buf_put_str(b, POSTFIX_ANY_EXTENSION);
	return buf_span(b);
}

/* ---- which local parts a domain has -------------------------------------------------------------------- */

/* Where the local parts of a domain come from: its own, and those of domains it leads to. */
struct origins {
	const struct postfix_named_domain *at[64];
	size_t count;
};

static bool
add_origin(struct origins *o, const struct postfix_named_domain *d)
{
	if (d == NULL)
		return true;
	for (size_t i = 0; i < o->count; i++)
		if (o->at[i] == d)
			return true;
	if (o->count == sizeof(o->at) / sizeof(o->at[0]))
		return false;
	o->at[o->count++] = d;
	return true;
}

/* Names without a domain count where Postfix looks them up so. */
static bool
add_origins(struct emitter *e, struct origins *o, struct span domain)
{
	bool good = add_origin(o, postfix_names_of(e->names, domain));

	if (postfix_is_local(e->p, domain) || span_eq_nocase(domain, e->p->is.myorigin))
		good = add_origin(o, postfix_names_of(e->names, nothing)) && good;
	return good;
}

static bool
has_name(const struct origins *o, struct span local)
{
	for (size_t i = 0; i < o->count; i++)
		if (keymap_get(&o->at[i]->locals, local) != NULL)
			return true;
	return false;
}

/* Judges what no table has, and finds out on which domains' names that depends. */
static void
judge_any(struct emitter *e, struct origins *o)
{
	struct postfix_notes notes;
	uint8_t octets[8];
	struct buf b = BUF_OVER(octets);
	struct leaf extended;
	bool good = add_origins(e, o, e->domain);

	postfix_notes_begin(e->p, &notes);
	e->any = judge(e, SPAN(POSTFIX_ANY_LOCAL));
	for (const struct postfix_note *n = notes.first; n != NULL; n = n->next)
		good = add_origins(e, o, n->domain) && good;
	postfix_notes_end(e->p, &notes);
	if (!good) {
		report_error(e->p->report, e->p->source, 0, "this domain leads to too many others",
		    e->domain);
		e->p->failed = true;
	}
	if (e->p->is.recipient_delimiter.len == 0)
		return;
	extended = judge(e, with_any_extension(e, SPAN(POSTFIX_ANY_LOCAL), &b));
	if (!same_leaf(&extended, &e->any)) {
		report_warning(e->p->report, e->p->source, 0,
		    "unknown recipients of this domain are treated otherwise when they have an "
		    "extension; all are put off",
		    e->domain);
		e->any = (struct leaf){.verdict = LEAF_DEFER, .immediate = LEAF_DEFER};
	}
}

/* ---- one local part ------------------------------------------------------------------------------------------ */

/* Whether a rule would decide if the address had no record. */
static bool
has_rule(struct emitter *e, struct span local)
{
	struct postfix_address a;
	struct span value;

	postfix_address_join(&a, local, e->domain);
	for (const struct postfix_table *t = e->p->tables; e->rules != 0 && t != NULL; t = t->next)
		if (t->kind == POSTFIX_RULES &&
		    postfix_rules_match(e->p, t, postfix_span(&a), &value))
			return true;
	return false;
}

static void
put_if_known(
    struct emitter *e, struct span local, const struct leaf *leaf, const struct leaf *other)
{
	if (leaf->verdict != LEAF_UNKNOWN || other->verdict != LEAF_UNKNOWN || has_rule(e, local))
		put(e, KEY_USER, local, leaf);
}

/* Extensions that a table has for what this name leads to. */
static void
put_noted_extensions(struct emitter *e, struct span local, struct span domain_of_names,
    const struct postfix_note *note, const struct leaf *extended)
{
	const struct postfix_extensions *x =
	    postfix_names_extensions(e->names, note->base, domain_of_names);

	for (const struct postfix_name *n = x != NULL ? x->first : NULL; n != NULL; n = n->next) {
		uint8_t octets[2 * ADDRESS_LOCAL_MAX];
		struct buf b = BUF_OVER(octets);
		struct leaf leaf;

		buf_put_span(&b, local);
		buf_put_span(&b, n->local);
		if (b.full)
			continue;
		leaf = judge(e, buf_span(&b));
		if (!same_leaf(&leaf, extended))
			put(e, KEY_USER, buf_span(&b), &leaf);
	}
}

static void
put_extensions(struct emitter *e, struct span local, const struct leaf *plain)
{
	uint8_t octets[ADDRESS_LOCAL_MAX + 4];
	struct buf b = BUF_OVER(octets);
	struct span delimiters = e->p->is.recipient_delimiter;
	struct postfix_notes notes;
	struct leaf extended;

	with_any_extension(e, local, &b);
	if (postfix_split_local(e->p, buf_span(&b)) == b.len)
		return; /* it is never split */
	postfix_notes_begin(e->p, &notes);
	extended = judge(e, buf_span(&b));
	for (const struct postfix_note *n = notes.first; n != NULL; n = n->next) {
		put_noted_extensions(e, local, n->domain, n, &extended);
		put_noted_extensions(e, local, nothing, n, &extended);
	}
	postfix_notes_end(e->p, &notes);
	if (same_leaf(&extended, plain))
		return;
	for (size_t i = 0; i < delimiters.len; i++) {
		struct buf wild = BUF_OVER(octets);

		buf_put_span(&wild, local);
		buf_put_u8(&wild, delimiters.p[i]);
		put(e, KEY_WILD, buf_span(&wild), &extended);
	}
}

/* What a local part with an extension gets when it has no record of its own. */
static struct leaf
without_record(struct emitter *e, const struct origins *o, struct span local, size_t base_len)
{
	uint8_t octets[ADDRESS_LOCAL_MAX + 4];
	struct buf b = BUF_OVER(octets);

	if (!has_name(o, span_head(local, base_len)))
		return e->any;
	return judge(e, with_any_extension(e, span_head(local, base_len), &b));
}

static void
put_name(struct emitter *e, const struct origins *o, struct span local)
{
	size_t base_len = postfix_split_local(e->p, local);
	struct leaf leaf = judge(e, local), other = e->any;

	if (base_len < local.len) {
		other = without_record(e, o, local, base_len);
		put_if_known(e, local, &leaf, &other);
		return;
	}
	put_if_known(e, local, &leaf, &other);
	if (e->p->is.recipient_delimiter.len > 0)
		put_extensions(e, local, &leaf);
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
claim(struct emitter *e, struct span name)
{
	struct place place = {e->p->source, 0};

	e->d = collection_domain(e->c, name, place);
	if (e->d == NULL) {
		e->p->failed = e->p->trouble = true;
		return false;
	}
	if (e->d->of != NULL && e->d->of != e->of && is_everywhere(name))
		return false;
	if (e->d->told && e->d->real.len > 0)
		report_error(e->p->report, e->d->place.source, e->d->place.line,
		    "a list says that this domain is an alias, and Postfix has it", name);
	else if (installations_claim(e->d, e->of, place, e->p->report)) {
		if (e->d->route == 0)
			e->d->route = e->route;
		return true;
	}
	e->p->failed = true;
	return false;
}

/* Returns: false when it is not served, or another one stands for it. */
static bool
begin_domain(struct emitter *e, struct span name)
{
	struct postfix_address a;
	struct span domain;
	enum postfix_class class;

	e->domain = name;
	postfix_address_join(&a, SPAN("x"), name);
	postfix_rewrite(e->p, &a);
	domain = postfix_domain(postfix_span(&a));
	class = postfix_class_of(e->p, domain);
	if (class == POSTFIX_CLASS_DEFAULT || is_elsewhere(e->p, name))
		return false;
	e->below_relay = class != POSTFIX_CLASS_RELAY &&
	                 postfix_has_parent(e->p, &e->p->is.relay_domains, domain,
			     postfix_parent_style(e->p, "relay_domains"));
	if (!claim(e, name))
		return false;
	/* append_dot_mydomain: a short name is asked for as the long one. */
	if (!span_eq_nocase(domain, name)) {
		e->d->real = collection_keep(e->c, domain);
		if (e->d->real.p == NULL)
			e->p->failed = e->p->trouble = true;
		return false;
	}
	if (class == POSTFIX_CLASS_LOCAL && e->p->is.allow_percent_hack)
		e->d->flags = DOMAIN_SERVED | DOMAIN_TABLE | DOMAIN_PERCENT;
	e->d->patterns = e->rules;
	if (e->p->is.recipient_delimiter.len > 0) {
		e->d->delimiters = collection_keep(e->c, e->p->is.recipient_delimiter);
		e->d->owner_request = e->p->is.owner_request_special;
	}
	return true;
}

static void
emit_domain(struct emitter *e, const struct postfix_named_domain *d)
{
	struct origins origins = {.count = 0};

	if (d->item.key.len == 0 || !begin_domain(e, d->item.key))
		return;
	judge_any(e, &origins);
	if (e->any.verdict != LEAF_UNKNOWN || e->below_relay)
		put(e, KEY_CATCH_ALL, nothing, &e->any);
	for (size_t i = 0; i < origins.count; i++)
		for (const struct postfix_name *n = origins.at[i]->first;
		     n != NULL && !e->p->failed; n = n->next)
			put_name(e, &origins, n->local);
	if (e->full) {
		report_error(e->p->report, e->p->source, 0,
		    "more than the database can hold for one domain", e->domain);
		e->p->failed = true;
	}
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
	struct rule_domain *d;
	struct leaf leaf;

	if (name.len > 0 && name.p[0] == '.')
		name = span_from(name, 1);
	buf_put_str(&b, any_label);
	buf_put_span(&b, name);
	if (b.full || !address_domain_ok(name) ||
	    postfix_class_of(e->p, buf_span(&b)) != POSTFIX_CLASS_RELAY)
		return;
	e->domain = buf_span(&b);
	leaf = judge(e, SPAN(POSTFIX_ANY_LOCAL));
	if (leaf.verdict == LEAF_UNKNOWN)
		return;
	if (leaf.verdict != LEAF_ACCEPT && leaf.verdict != LEAF_RELAY) {
		report_warning(e->p->report, e->p->source, 0,
		    "what holds for names below this relay domain cannot be said; they are refused",
		    name);
		return;
	}
	d = rules_domain(&e->c->rules, span_from(e->domain, sizeof(any_label) - 2), from);
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
	leaf = leaf_of(e->p, &o);
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
	for (const struct postfix_named_domain *d = e->names->first; d != NULL && !e->p->failed;
	     d = d->next)
		emit_domain(e, d);
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

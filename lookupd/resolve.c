#include "lookupd/resolve.h"

#include "lib/bug.h"

#include "lookupd/build.h"
#include "lookupd/installations.h"
#include "lookupd/lookup.h"
#include "lookupd/parts.h"

enum {
	DEPTH_MAX = 100, /* a mail that has come as far has too many hops */
	VALUE_MAX = 2048,
	FILES_MAX = 60000,
};

struct resolver {
	struct lookup_trace trace; /* first: the trace of a lookup is that of a resolver */
	struct collection *c;
	struct report *report;
	struct database view; /* the collection as a lookup sees it */
	struct place warned;  /* of the last warning */
	struct rule *last;    /* the last record that a lookup found, when it is a leaf of ours */
};

/* ---- domains ------------------------------------------------------------------------------------- */

/* Returns: 0 or -1. */
static int
join_domain(struct collection *c, const struct rule_domain *from, struct report *report)
{
	bool listed = keymap_get(&c->domains, from->item.key) != NULL;
	struct collected_domain *d = collection_domain(c, from->item.key, from->from.place);

	if (d == NULL)
		return -1;
	if (d->of != NULL && d->of != from->of && !from->kept)
		return 0; /* who keeps it knows */
	if (!installations_claim(d, from->of, from->from.place, report))
		return 0;
	if (d->real.len > 0) {
		report_error(report, from->from.place.source, from->from.place.line,
		    "a list says that this domain is an alias", from->item.key);
		return 0;
	}
	if (listed && d->flags == 0)
		d->flags = DOMAIN_SERVED | DOMAIN_TABLE;
	d->flags |= from->domain.flags;
	if (d->route == 0)
		d->route = from->domain.route;
	d->prefix = from->domain.prefix;
	d->has_prefix = from->domain.has_prefix;
	return 0;
}

static int
join_domains(struct collection *c, struct report *report)
{
	uint8_t lengths[LAYOUT_BITS_LEN] = {0};
	bool suffixes = false;

	for (const struct rule_domain *d = c->rules.first_domain; d != NULL; d = d->next)
		if (join_domain(c, d, report) < 0)
			return -1;
	for (struct collected_domain *d = c->first_domain; d != NULL; d = d->next) {
		d->boxes = installations_number(c, d);
		if (d->item.key.len > 0 && d->item.key.p[0] == '.') {
			lengths_set(lengths, d->item.key.len, 1);
			suffixes = true;
		}
	}
	return suffixes
	           ? collection_header(c, HEADER_SUFFIX_LENGTHS, span_of(lengths, sizeof(lengths)))
	           : 0;
}

/* ---- the collection as a database ----------------------------------------------------------------- */

static enum cdbfile_status
view_domain(const struct collection *c, struct pool *pool, struct span name, struct span *value_out)
{
	uint8_t octets[VALUE_MAX];
	struct buf value = BUF_OVER(octets);
	const struct collected_domain *from = (void *)keymap_get(&c->domains, name);
	struct domain d;

	if (from == NULL)
		return CDBFILE_NONE;
	build_domain(from, &d);
	domain_put(&value, &d);
	BUG_ON(value.full);
	/* A lookup holds on to several. */
	*value_out = pool_copy(pool, buf_span(&value));
	return value_out->p != NULL ? CDBFILE_FOUND : CDBFILE_BAD;
}

/* A leaf that is not resolved yet is shown with its immediate verdict. */
static enum cdbfile_status
view_rule(const struct rule *rule, struct span *value_out)
{
	static uint8_t octets[VALUE_MAX];
	struct buf value = BUF_OVER(octets);

	if (!rule->is_leaf) {
		*value_out = rule->value;
		return CDBFILE_FOUND;
	}
	leaf_put(&value, &rule->leaf);
	BUG_ON(value.full);
	*value_out = buf_span(&value);
	return CDBFILE_FOUND;
}

/* Where mail goes does not matter here. */
static const struct span any_route = {(const uint8_t *)"\1\1\0x", 4};

static enum cdbfile_status
view_get(const void *from, struct span key, struct span *value_out)
{
	const struct resolver *r = from;
	const struct collection *c = r->c;
	const struct rule *rule;

	if (key.len > 0 && (key.p[0] == KEY_DOMAIN || key.p[0] == KEY_SUFFIX))
		return view_domain(c, &r->c->rules.pool, span_from(key, 1), value_out);
	if (key.len > 0 && key.p[0] == KEY_ROUTE) {
		*value_out = any_route;
		return CDBFILE_FOUND;
	}
	rule = rules_find(&c->rules, key);
	if (rule != NULL)
		return view_rule(rule, value_out);
	return records_get(&c->records, key, value_out, NULL) ? CDBFILE_FOUND : CDBFILE_NONE;
}

static void
on_record(struct lookup_trace *t, struct span key, struct span value)
{
	struct resolver *r = (void *)t;
	struct rule *rule = rules_find(&r->c->rules, key);

	(void)value;
	if (key.len > 0 && key.p[0] == KEY_ROUTE)
		return;
	r->last = rule != NULL && rule->is_leaf ? rule : NULL;
}

/* ---- following ------------------------------------------------------------------------------------- */

/* Severity of verdicts when mail goes to several targets. */
static int
severity(enum leaf_verdict v)
{
	switch (v) {
	case LEAF_DISCARD:
		return 0;
	case LEAF_ACCEPT:
		return 1;
	case LEAF_RELAY:
	case LEAF_ASK:
		return 2;
	case LEAF_DEFER:
	case LEAF_OVER_QUOTA:
		return 4;
	default:
		return 5;
	}
}

/* A verdict of RCPT in those of leaves. */
static enum leaf_verdict
verdict_of(const struct lookup_result *r)
{
	switch (r->verdict) {
	case RCPT_ACCEPTED:
		return r->leaf == LEAF_DISCARD ? LEAF_DISCARD : LEAF_ACCEPT;
	case RCPT_REFUSED:
		return r->leaf == LEAF_RELAY ? LEAF_RELAY : LEAF_UNKNOWN;
	case RCPT_UNKNOWN_USER:
	case RCPT_UNKNOWN_DOMAIN:
		return LEAF_UNKNOWN;
	case RCPT_DEFERRED:
	case RCPT_TROUBLE:
		break;
	}
	return LEAF_DEFER;
}

static enum leaf_verdict finish(struct resolver *r, struct rule *rule, unsigned depth);

static struct span
domain_of(const struct resolver *r, struct span address)
{
	size_t at = span_find_last(address, '@');

	return at < address.len ? span_from(address, at + 1) : r->view.header.default_domain;
}

/* The end of one target. */
static enum leaf_verdict
end_of(struct resolver *r, const struct rule *rule, const struct rule_forward *f, unsigned depth)
{
	struct lookup_result result;
	struct rule *target;
	enum leaf_verdict v;

	r->last = NULL;
	r->trace.boxes = rule->of->number;
	lookup_octets(&r->view, f->address, LOOKUP_FROM_INSIDE, &r->trace, &result);
	target = r->last;
	v = target != NULL ? finish(r, target, depth + 1) : verdict_of(&result);
	if (v == LEAF_RELAY && rules_relay_allowed(rule->of, domain_of(r, f->address)))
		v = LEAF_ACCEPT;
	return v;
}

/* What becomes of a rule whose mail also ends as `end`. */
static enum leaf_verdict
judge(struct rule *rule, enum leaf_verdict end)
{
	struct leaf *leaf = &rule->leaf;

	if (severity(end) < 4 && rule->delivered)
		return LEAF_ACCEPT;
	leaf->flags |= LEAF_LATE;
	if (severity(end) < 5 || !rule->stores)
		return end;
	leaf->flags |= LEAF_PARTIAL;
	return rule->of->strict ? end : LEAF_ACCEPT;
}

static void
warn(struct resolver *r, const struct rule *rule, const struct rule_forward *worst)
{
	enum leaf_verdict v = (enum leaf_verdict)rule->leaf.verdict;
	const char *message;

	if (rule->leaf.flags & LEAF_PARTIAL)
		message = "delivers, and forwards to an address that bounces";
	else if (severity(v) == 5)
		message = "forwards to an address that bounces; refused";
	else if (severity(v) == 4)
		message = "forwards to an address that is put off, and bounced in the end; put off";
	else if (v == LEAF_RELAY)
		message = "forwards to a foreign domain; refused until the source says "
			  "relay:DOMAIN=accept";
	else
		return;
	/* A default file is a record twice. */
	if (r->warned.source == worst->place.source && r->warned.line == worst->place.line)
		return;
	r->warned = worst->place;
	report_warning(r->report, worst->place.source, worst->place.line, message, worst->address);
}

/* Returns: what mail for the rule comes to in the end, seen from who forwards to it. */
static enum leaf_verdict
finish(struct resolver *r, struct rule *rule, unsigned depth)
{
	const struct rule_forward *worst = NULL;
	enum leaf_verdict end = (enum leaf_verdict)rule->leaf.immediate, v;

	if (rule->state == RULE_ACTIVE || depth > DEPTH_MAX)
		return LEAF_UNKNOWN; /* a loop: Delivered-To, or too many hops */
	if (rule->state == RULE_RESOLVED)
		goto out;
	rule->state = RULE_ACTIVE;
	if (severity(end) < 4 && rule->leaf.verdict != LEAF_TABLE) {
		for (const struct rule_forward *f = rule->forwards; f != NULL; f = f->next) {
			v = end_of(r, rule, f, depth);
			if (worst == NULL || severity(v) > severity(end)) {
				worst = f;
				end = v;
			}
		}
		if (worst != NULL) {
			rule->leaf.verdict = (uint8_t)judge(rule, end);
			warn(r, rule, worst);
		}
	}
	rule->state = RULE_RESOLVED;
out:
	/* Who forwards here has the bounce of a partial delivery all the same. */
	return rule->leaf.flags & LEAF_PARTIAL ? LEAF_UNKNOWN
	                                       : (enum leaf_verdict)rule->leaf.verdict;
}

/* ---- the whole -------------------------------------------------------------------------------------- */

/* More files than a collection has numbers for are told by their source alone. */
static struct place
place_of(const struct rules *r, const struct rule *rule)
{
	struct place place = rule->from.place;

	if (r->files > FILES_MAX && rule->of != NULL)
		place = (struct place){rule->of->source, 0};
	return place;
}

static bool
is_counted(const struct rule *rule, struct span leaf)
{
	struct span key = rule->item.key;

	return rule->is_leaf && (key_is_recipient(key) || key_is_file(key)) && leaf_accepts(leaf);
}

static int
put_rule(struct collection *c, const struct rule *rule)
{
	uint8_t octets[VALUE_MAX];
	struct buf value = BUF_OVER(octets);
	struct place first;
	enum collection_status status;

	if (rule->is_leaf)
		leaf_put(&value, &rule->leaf);
	BUG_ON(value.full);
	status = collection_put(c, NULL, rule->item.key,
	    rule->is_leaf ? buf_span(&value) : rule->value, place_of(&c->rules, rule), &first);
	if (status == COLLECTION_ADDED && is_counted(rule, buf_span(&value)) &&
	    !parts_count(&c->rules, rule))
		return -1;
	/* An importer that puts records of these kinds itself has said it before. */
	return status == COLLECTION_NO_MEMORY ? -1 : 0;
}

/* Returns: the header that the result will have, as far as a lookup needs it, or an empty span. */
static struct span
make_header(struct collection *c)
{
	size_t cap = 16;
	struct buf b;
	void *octets;

	for (const struct collected_attr *a = c->first_attr; a != NULL; a = a->next)
		cap += 3 + a->octets.len;
	octets = pool_take(&c->rules.pool, cap);
	if (octets == NULL)
		return span_of(NULL, 0);
	b = buf_over(octets, cap);
	attr_put_u16(&b, HEADER_VERSION, LAYOUT_VERSION);
	for (const struct collected_attr *a = c->first_attr; a != NULL; a = a->next)
		attr_put(&b, a->type, a->octets);
	BUG_ON(b.full);
	return buf_span(&b);
}

/* RFC 5321 4.5.1 and RFC 2142: somebody has to read what these addresses get. */
static void
warn_missing(struct resolver *r, const struct rule_domain *d, struct span local)
{
	uint8_t octets[ADDRESS_MAX];
	struct buf address = BUF_OVER(octets);
	struct lookup_result result;
	enum leaf_verdict v;

	buf_put_span(&address, local);
	buf_put_u8(&address, '@');
	buf_put_span(&address, d->item.key);
	lookup_octets(&r->view, buf_span(&address), LOOKUP_FROM_INSIDE, NULL, &result);
	v = verdict_of(&result);
	if (!address.full && v != LEAF_ACCEPT && v != LEAF_RELAY)
		report_warning(r->report, d->from.place.source, d->from.place.line,
		    "the back end does not deliver this address, which every domain must have",
		    buf_span(&address));
}

static void
warn_domains(struct resolver *r)
{
	for (const struct rule_domain *d = r->c->rules.first_domain; d != NULL; d = d->next) {
		if (!(d->domain.flags & DOMAIN_SERVED) ||
		    !(d->domain.flags & (DOMAIN_LOCAL | DOMAIN_VIRTUAL)) || d->item.key.p[0] == '.')
			continue;
		if (!r->c->rules.has_postmaster)
			warn_missing(r, d, SPAN("postmaster"));
		warn_missing(r, d, SPAN("abuse"));
	}
}

int
resolve(struct collection *c, struct report *report)
{
	struct resolver r = {.trace = {on_record}, .c = c, .report = report};
	struct span header;
	uint8_t unknown;

	if (c->rules.failed || installations_put(c, report) < 0 || join_domains(c, report) < 0)
		return -1;
	header = make_header(c);
	if (header.p == NULL)
		return -1;
	if (header_decode(header, &r.view.header, &unknown) != RECORD_OK) {
		report_error(report, NULL, 0, "the sources make no good header", header);
		return 0;
	}
	r.view.get = view_get;
	r.view.from = &r;
	for (struct rule *rule = c->rules.first_rule; rule != NULL; rule = rule->next)
		if (rule->is_leaf)
			(void)finish(&r, rule, 0);
	warn_domains(&r);
	for (struct rule *rule = c->rules.first_rule; rule != NULL; rule = rule->next)
		if (put_rule(c, rule) < 0)
			return -1;
	return parts_put(c);
}

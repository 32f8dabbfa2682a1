#include "lookupd/postfix_domain.h"

#include "lib/address.h"
#include "lookupd/postfix_leaf.h"
#include "lookupd/postfix_rules.h"

static const struct span nothing = {NULL, 0};

/* ---- one address ---------------------------------------------------------------------------------------- */

struct leaf
postfix_domain_judge(struct postfix_domain *e, struct span local)
{
	struct postfix_address a;
	struct postfix_outcome o;

	postfix_address_join(&a, local, e->name);
	e->p->word = POSTFIX_IGNORE;
	postfix_judge(e->p, &a, &o);
	return postfix_leaf_of(e->p, &o);
}

static void
put(struct postfix_domain *e, enum layout_key type, struct span local, const struct leaf *leaf)
{
	uint8_t octets[512];
	struct buf value = BUF_OVER(octets);

	leaf_put(&value, leaf);
	if (!value.full)
		sheet_put(e->sheet, type, local, buf_span(&value));
}

/* local, delimiter, an extension that no table has */
static struct span
with_any_extension(const struct postfix_domain *e, struct span local, struct buf *b)
{
	buf_put_span(b, local);
	buf_put_span(b, span_head(e->p->is.recipient_delimiter, 1));
	buf_put_str(b, POSTFIX_ANY_EXTENSION);
	return buf_span(b);
}

/* ---- which local parts a domain has -------------------------------------------------------------------- */

static bool
add_origin(struct postfix_origins *o, const struct postfix_named_domain *d)
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
add_origins(struct postfix_domain *e, struct postfix_origins *o, struct span domain)
{
	bool good = add_origin(o, postfix_names_of(e->names, domain));

	if (postfix_is_local(e->p, domain) || span_eq_nocase(domain, e->p->is.myorigin))
		good = add_origin(o, postfix_names_of(e->names, nothing)) && good;
	return good;
}

static bool
has_name(const struct postfix_origins *o, struct span local)
{
	for (size_t i = 0; i < o->count; i++)
		if (keymap_get(&o->at[i]->locals, local) != NULL)
			return true;
	return false;
}

/* Judges what no table has, and finds out on which domains' names that depends. */
void
postfix_domain_begin(struct postfix_domain *e)
{
	struct postfix_origins *o = &e->origins;
	struct postfix_notes notes;
	uint8_t octets[8];
	struct buf b = BUF_OVER(octets);
	struct leaf extended;
	bool good = add_origins(e, o, e->name);

	postfix_notes_begin(e->p, &notes);
	e->any = postfix_domain_judge(e, SPAN(POSTFIX_ANY_LOCAL));
	for (const struct postfix_note *n = notes.first; n != NULL; n = n->next)
		good = add_origins(e, o, n->domain) && good;
	postfix_notes_end(e->p, &notes);
	if (!good) {
		report_error(
		    e->p->report, e->p->source, 0, "this domain leads to too many others", e->name);
		e->p->failed = true;
	}
	if (e->p->is.recipient_delimiter.len == 0)
		return;
	extended = postfix_domain_judge(e, with_any_extension(e, SPAN(POSTFIX_ANY_LOCAL), &b));
	if (!postfix_same_leaf(&extended, &e->any)) {
		report_warning(e->p->report, e->p->source, 0,
		    "unknown recipients of this domain are treated otherwise when they have an "
		    "extension; all are put off",
		    e->name);
		e->any = (struct leaf){.verdict = LEAF_DEFER, .immediate = LEAF_DEFER};
	}
}

/* ---- one local part ------------------------------------------------------------------------------------------ */

/* Whether a rule would decide if the address had no record. */
static bool
has_rule(struct postfix_domain *e, struct span local)
{
	struct postfix_address a;
	struct span value;

	postfix_address_join(&a, local, e->name);
	for (const struct postfix_table *t = e->p->tables; e->rules && t != NULL; t = t->next)
		if (t->kind == POSTFIX_RULES &&
		    postfix_rules_match(e->p, t, postfix_span(&a), &value))
			return true;
	return false;
}

static void
put_if_known(
    struct postfix_domain *e, struct span local, const struct leaf *leaf, const struct leaf *other)
{
	if (leaf->verdict != LEAF_UNKNOWN || other->verdict != LEAF_UNKNOWN || has_rule(e, local))
		put(e, KEY_USER, local, leaf);
}

/* Extensions that a table has for what this name leads to. */
static void
put_noted_extensions(struct postfix_domain *e, struct span local, struct span domain_of_names,
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
		leaf = postfix_domain_judge(e, buf_span(&b));
		if (!postfix_same_leaf(&leaf, extended))
			put(e, KEY_USER, buf_span(&b), &leaf);
	}
}

static void
put_extensions(struct postfix_domain *e, struct span local, const struct leaf *plain)
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
	extended = postfix_domain_judge(e, buf_span(&b));
	for (const struct postfix_note *n = notes.first; n != NULL; n = n->next) {
		put_noted_extensions(e, local, n->domain, n, &extended);
		put_noted_extensions(e, local, nothing, n, &extended);
	}
	postfix_notes_end(e->p, &notes);
	if (postfix_same_leaf(&extended, plain))
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
without_record(
    struct postfix_domain *e, const struct postfix_origins *o, struct span local, size_t base_len)
{
	uint8_t octets[ADDRESS_LOCAL_MAX + 4];
	struct buf b = BUF_OVER(octets);

	if (!has_name(o, span_head(local, base_len)))
		return e->any;
	return postfix_domain_judge(e, with_any_extension(e, span_head(local, base_len), &b));
}

static void
put_name(struct postfix_domain *e, const struct postfix_origins *o, struct span local)
{
	size_t base_len = postfix_split_local(e->p, local);
	struct leaf leaf = postfix_domain_judge(e, local), other = e->any;

	if (base_len < local.len) {
		other = without_record(e, o, local, base_len);
		put_if_known(e, local, &leaf, &other);
		return;
	}
	put_if_known(e, local, &leaf, &other);
	if (e->p->is.recipient_delimiter.len > 0)
		put_extensions(e, local, &leaf);
}

void
postfix_domain_fill(struct postfix_domain *e, struct sheet *sheet)
{
	e->sheet = sheet;
	if (e->any.verdict != LEAF_UNKNOWN || e->below_relay)
		put(e, KEY_CATCH_ALL, nothing, &e->any);
	for (size_t i = 0; i < e->origins.count; i++)
		for (const struct postfix_name *n = e->origins.at[i]->first;
		     n != NULL && !e->p->failed; n = n->next)
			put_name(e, &e->origins, n->local);
	if (sheet->failed)
		e->p->failed = e->p->trouble = true;
}

#include "validators/dmarc.h"

#include <stdlib.h>

#include "lib/domain_list.h"

#include "validators/dmarc_walk.h"
#include "validators/suffix.h"

struct dmarc {
	const struct conf_strings *overrides;
	struct dmarc_names names;
	struct dns_reply reply;
};

/* ---- names ----------------------------------------------------------------------------------- */

/* The labels that both names end in. */
static struct span
common_end(struct span a, struct span b)
{
	size_t shorter = a.len < b.len ? a.len : b.len, same = 0, whole = 0;

	while (same < shorter && a.p[a.len - 1 - same] == b.p[b.len - 1 - same]) {
		if (a.p[a.len - 1 - same] == '.')
			whole = same;
		same++;
	}
	if (same == shorter && (a.len == same || a.p[a.len - same - 1] == '.') &&
	    (b.len == same || b.p[b.len - same - 1] == '.'))
		whole = same;
	return span_from(a, a.len - whole);
}

/* No organisation is a registry, so names that have no more than one in common are apart. */
static bool
may_be_one_organization(struct span a, struct span b)
{
	struct span common = common_end(a, b);

	return common.len > 0 && (span_eq(a, b) || !suffix_is_registry(common));
}

bool
dmarc_may_align(const struct from_authors *authors, struct span domain)
{
	for (size_t i = 0; i < authors->count; i++)
		if (may_be_one_organization(from_domain_span(&authors->domains[i]), domain))
			return true;
	return false;
}

/* ---- alignment of what was authenticated --------------------------------------------------------- */

static enum dmarc_match
match(
    struct dmarc *d, bool strict, struct span author, struct span organization, struct span domain)
{
	struct dmarc_walk walk;

	if (span_eq(author, domain) || strict || !may_be_one_organization(author, domain))
		return dmarc_align(true, author, author, domain, domain);
	dmarc_walk(&d->names, domain, &walk);
	return dmarc_align(false, author, organization, domain, dmarc_organization(&walk, domain));
}

static enum auth_result
judge_signatures(struct dmarc *d, const struct dmarc_record *record, struct span author,
    struct span organization, const struct dmarc_identity *signatures, size_t count)
{
	enum auth_result verdict = AUTH_FAIL;

	for (size_t i = 0; i < count && verdict != AUTH_PASS; i++) {
		struct dmarc_pair pair = {DMARC_APART, signatures[i].result};

		if (pair.result != AUTH_PASS && pair.result != AUTH_TEMPERROR)
			continue;
		pair.match =
		    match(d, record->strict_dkim, author, organization, signatures[i].domain);
		if (dmarc_verdict(&pair, 1) != AUTH_FAIL)
			verdict = dmarc_verdict(&pair, 1);
	}
	return verdict;
}

/* ---- the policy ------------------------------------------------------------------------------ */

/* RFC 9989 4.7, np: the name does not exist. What the DNS does not say is not held against it. */
static bool
name_is_missing(struct dmarc *d, struct span name)
{
	d->names.resolver->ask(d->names.resolver->arg, name, DNS_TYPE_A, &d->reply);
	return d->reply.status == DNS_NO_NAME;
}

static enum dmarc_policy
policy_for(struct dmarc *d, const struct dmarc_name *at, struct span author)
{
	const struct dmarc_record *r = &at->record;

	if (at->name.len == author.len)
		return r->p;
	if (r->np_said && r->np != r->sp && name_is_missing(d, author))
		return r->np;
	return r->sp;
}

/* t=y: one step milder. */
static enum dmarc_policy
after_test(const struct dmarc_record *r, enum dmarc_policy policy)
{
	if (!r->test || policy == DMARC_POLICY_NONE)
		return policy;
	return policy == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE;
}

/* RFC 9989 4.10.1: the author's domain, its organisational domain, its public suffix domain. */
static const struct dmarc_name *
find_policy(const struct dmarc_walk *walk, struct span author, struct span organization)
{
	const struct dmarc_name *at = dmarc_walk_find(walk, author);

	if (at == NULL)
		at = dmarc_walk_find(walk, organization);
	for (size_t i = walk->count; at == NULL && i-- > 0;)
		if (walk->steps[i]->name.len < organization.len)
			at = dmarc_walk_find(walk, from_domain_span(&walk->steps[i]->name));
	return at;
}

static void
take_policy(struct dmarc *d, const struct dmarc_name *at, struct dmarc_author *a)
{
	struct span author = from_domain_span(&a->domain);

	a->policy_domain = at->name;
	a->found = at->found;
	if (at->found != DMARC_FOUND)
		return;
	a->requested = after_test(&at->record, policy_for(d, at, author));
}

/*
 * The usual message is from a domain that has a record, and signed by that domain: it costs one
 * question. So who the organisation is, is only found out when it is needed.
 */
static const struct dmarc_name *
discover(struct dmarc *d, struct dmarc_author *a, struct span *organization_out)
{
	struct span author = from_domain_span(&a->domain);
	const struct dmarc_name *own = dmarc_name_ask(&d->names, author);
	struct dmarc_walk walk;
	const struct dmarc_name *at;

	*organization_out = author;
	if (own->found == DMARC_FOUND || own->found == DMARC_UNUSABLE)
		return own;
	dmarc_walk(&d->names, author, &walk);
	*organization_out = dmarc_organization(&walk, author);
	a->found = walk.trouble ? DMARC_TROUBLE : DMARC_NO_RECORD;
	at = walk.trouble ? NULL : find_policy(&walk, author, *organization_out);
	return at;
}

static bool
any_is_exact(struct span author, const struct dmarc_identity *signatures, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (signatures[i].result == AUTH_PASS && span_eq(signatures[i].domain, author))
			return true;
	return false;
}

static struct span
organization_of(struct dmarc *d, struct span author)
{
	struct dmarc_walk walk;

	dmarc_walk(&d->names, author, &walk);
	return dmarc_organization(&walk, author);
}

/*
 * What the operator says goes before what is published, and also before what is not: alignment is
 * relaxed then. Returns: whose alignment rules hold.
 */
static const struct dmarc_name *
override(const struct dmarc *d, const struct dmarc_name *at, struct dmarc_author *a)
{
	static const struct dmarc_name relaxed = {.found = DMARC_FOUND};
	struct span value = domain_list_value(d->overrides, from_domain_span(&a->domain));
	enum dmarc_policy policy;

	if (!dmarc_policy_by_name(value, &policy))
		return at;
	if (a->found != DMARC_FOUND) {
		a->policy_domain = a->domain;
		a->found = DMARC_FOUND;
		at = &relaxed;
	}
	a->requested = policy;
	return at;
}

/*
 * Without a policy there is nothing to align, but whether the author's own organisation signed may be
 * asked all the same (option dkim.not_aligned); only the list of public suffixes can say then.
 */
static enum auth_result
own_signature(struct span author, const struct dmarc_identity *signatures, size_t count)
{
	struct span organization = suffix_organization(author);

	for (size_t i = 0; i < count; i++)
		if (signatures[i].result == AUTH_PASS &&
		    span_eq(suffix_organization(signatures[i].domain), organization))
			return AUTH_PASS;
	return AUTH_FAIL;
}

static void
judge_author(struct dmarc *d, struct dmarc_author *a, const struct dmarc_identity *signatures,
    size_t count, struct span envelope)
{
	struct span author = from_domain_span(&a->domain), organization;
	const struct dmarc_name *at = discover(d, a, &organization);
	bool exact;

	if (at != NULL)
		take_policy(d, at, a);
	at = override(d, at, a);
	if (a->found != DMARC_FOUND) {
		a->dkim = own_signature(author, signatures, count);
		return;
	}
	exact = any_is_exact(author, signatures, count);
	if (!exact && at->name.len == author.len)
		organization = organization_of(d, author);
	a->dkim = exact ? AUTH_PASS
	                : judge_signatures(d, &at->record, author, organization, signatures, count);
	/* Whether the envelope is aligned does not matter any more after a pass. */
	a->spf = exact ? dmarc_align(true, author, author, envelope, envelope)
	               : match(d, at->record.strict_spf, author, organization, envelope);
}

/* ---- several authors ------------------------------------------------------------------------------- */

/* Where no record says who belongs together, the list of public suffixes does. */
static struct span
author_organization(struct dmarc *d, struct span name)
{
	struct dmarc_walk walk;
	struct span organization;

	dmarc_walk(&d->names, name, &walk);
	organization = dmarc_organization(&walk, name);
	for (size_t i = 0; i < walk.count; i++)
		if (dmarc_walk_find(&walk, from_domain_span(&walk.steps[i]->name)) != NULL)
			return organization.len > 0 ? organization : suffix_organization(name);
	return suffix_organization(name);
}

static bool
are_one_organization(struct dmarc *d, const struct from_authors *authors)
{
	struct span first = from_domain_span(&authors->domains[0]);
	struct span organization;

	if (authors->count == 1)
		return true;
	organization = author_organization(d, first);
	for (size_t i = 1; i < authors->count; i++)
		if (!span_eq(author_organization(d, from_domain_span(&authors->domains[i])),
			organization))
			return false;
	return true;
}

/* ---- the whole ------------------------------------------------------------------------------------- */

void
dmarc_check(struct dmarc *dmarc, const struct resolver *resolver, struct from_authors *authors,
    const struct dmarc_identity *signatures, size_t signature_count, struct span envelope,
    struct dmarc_author authors_out[FROM_DOMAINS_MAX])
{
	dmarc->names.resolver = resolver;
	dmarc->names.reply = &dmarc->reply;
	dmarc->names.count = 0;
	if (!are_one_organization(dmarc, authors)) {
		authors->status = FROM_SEVERAL;
		authors->count = 0;
		return;
	}
	for (size_t i = 0; i < authors->count; i++) {
		struct dmarc_author *a = &authors_out[i];

		memset(a, 0, sizeof(*a));
		a->domain = authors->domains[i];
		a->dkim = AUTH_FAIL;
		judge_author(dmarc, a, signatures, signature_count, envelope);
	}
}

struct dmarc *
dmarc_new(const struct conf_strings *overrides)
{
	struct dmarc *d = suffix_load() ? malloc(sizeof(*d)) : NULL;

	if (d != NULL)
		d->overrides = overrides;
	return d;
}

void
dmarc_free(struct dmarc **dmarc)
{
	free(*dmarc);
	*dmarc = NULL;
}

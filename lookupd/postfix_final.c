#include <stdlib.h>

#include "lookupd/postfix.h"

enum {
	CANONICAL_ROUNDS = 10,
	HOPS_MAX = 50,          /* hopcount_limit */
	EXPANSION_MAX = 100000, /* addresses of one expansion, whatever the parameters allow */
};

static bool
list_has(struct span list, const char *name)
{
	struct span word;

	while (postfix_next_word(&list, &word))
		if (span_eq_nocase(word, span_str(name)))
			return true;
	return false;
}

/* ---- smtpd: RCPT --------------------------------------------------------------------------------------- */

static void
refuse(struct postfix_outcome *o, enum postfix_reason reason, struct span text)
{
	o->refused = true;
	o->what |= POSTFIX_BOUNCED;
	o->reason = reason;
	o->text = text;
}

static bool
is_role(struct postfix *p, struct span local)
{
	return span_eq_nocase(local, SPAN("postmaster")) ||
	       span_eq_nocase(local, SPAN("mailer-daemon")) ||
	       span_eq_nocase(local, p->is.double_bounce_sender);
}

/* Whether the tables of the class have the address; a class without tables takes everything. */
static bool
class_has(struct postfix *p, const struct postfix_resolved *r, struct postfix_outcome *o)
{
	struct span to = postfix_span(&r->to);
	const struct postfix_list *list = NULL;
	struct postfix_found found;

	if (r->class == POSTFIX_CLASS_LOCAL && !is_role(p, postfix_local(to)))
		list = &p->is.local_recipient_maps;
	if (r->class == POSTFIX_CLASS_VIRTUAL)
		list = &p->is.virtual_mailbox_maps;
	if (r->class == POSTFIX_CLASS_RELAY)
		list = &p->is.relay_recipient_maps;
	if (list == NULL || list->first == NULL)
		return true;
	if (!postfix_find(p, list, to, POSTFIX_FIND_ADDRESS, &found))
		return false;
	o->by = found.table;
	return true;
}

static bool
is_rewritten(struct postfix *p, const struct postfix_resolved *r, struct postfix_outcome *o)
{
	const struct postfix_list *lists[] = {
	    &p->is.recipient_canonical_maps, &p->is.canonical_maps, &p->is.virtual_alias_maps};
	struct postfix_found found;

	for (size_t i = 0; i < 3; i++)
		if (postfix_find(p, lists[i], postfix_span(&r->to), POSTFIX_FIND_ADDRESS, &found)) {
			o->by = found.table;
			return true;
		}
	return false;
}

static void
check_rcpt(struct postfix *p, const struct postfix_resolved *r, struct postfix_outcome *o)
{
	static const struct span nothing = {NULL, 0};

	if (r->class == POSTFIX_CLASS_BAD)
		refuse(o, POSTFIX_BAD_ADDRESS, nothing);
	else if (r->class == POSTFIX_CLASS_DEFAULT || (r->routed && !p->is.allow_untrusted_routing))
		refuse(o, POSTFIX_NO_RELAY, nothing);
	else if (!p->is.smtpd_reject_unlisted_recipient || is_rewritten(p, r, o))
		return;
	else if (r->moved)
		refuse(o, POSTFIX_MOVED, r->nexthop);
	else if (r->class == POSTFIX_CLASS_ALIAS)
		refuse(o, POSTFIX_UNKNOWN_USER, nothing);
	else if (span_eq(r->transport, SPAN("error")))
		refuse(o, POSTFIX_ERROR_TRANSPORT, r->nexthop);
	else if (span_eq(r->transport, SPAN("retry"))) {
		o->refused = true;
		o->what |= POSTFIX_TEMPORARY;
	} else if (!class_has(p, r, o))
		refuse(o, POSTFIX_UNKNOWN_USER, nothing);
}

/* ---- cleanup ---------------------------------------------------------------------------------------------- */

/* The first or only address that a row says, or all of them, with an extension put back. */
struct expansion {
	struct span value;          /* the rest of what the row says */
	struct postfix_address own; /* "@domain": the local part stays */
	bool is_own;
	struct span extension; /* to append, with its delimiter */
};

static void
expand(const struct postfix_address *from, const struct postfix_found *found, bool propagate,
    struct expansion *e_out)
{
	struct span local = postfix_local(postfix_span(from));

	*e_out = (struct expansion){.value = found->value};
	e_out->is_own = found->value.len > 0 && found->value.p[0] == '@';
	if (e_out->is_own)
		postfix_address_join(&e_out->own,
		    span_head(local, local.len - found->extension.len), span_from(found->value, 1));
	if (propagate)
		e_out->extension = found->extension;
}

static bool
next_expanded(struct postfix *p, struct expansion *e, struct postfix_address *a_out)
{
	if (e->is_own) {
		*a_out = e->own;
		e->is_own = false;
		e->value = span_of(NULL, 0);
	} else if (!postfix_next_address(&e->value, a_out))
		return false;
	postfix_rewrite(p, a_out);
	if (e->extension.len > 0) {
		struct postfix_address copy = *a_out;
		uint8_t octets[POSTFIX_ADDRESS_MAX];
		struct buf b = BUF_OVER(octets);

		buf_put_span(&b, postfix_local(postfix_span(&copy)));
		buf_put_span(&b, e->extension);
		postfix_address_join(a_out, buf_span(&b), postfix_domain(postfix_span(&copy)));
		a_out->overlong |= b.full || copy.overlong;
	}
	return true;
}

/* cleanup_map11: one address for one, again and again. Returns: false when that does not end. */
static bool
map_canonical(struct postfix *p, const struct postfix_list *list, struct postfix_address *a)
{
	bool propagate = list_has(p->is.propagate_unmatched_extensions, "canonical");

	for (unsigned round = 0; round < CANONICAL_ROUNDS; round++) {
		struct postfix_found found;
		struct expansion e;
		struct postfix_address to;

		if (!postfix_find(p, list, postfix_span(a), POSTFIX_FIND_ADDRESS, &found))
			return true;
		expand(a, &found, propagate, &e);
		if (!next_expanded(p, &e, &to))
			return false;
		if (span_eq_nocase(postfix_span(a), postfix_span(&to))) {
			*a = to;
			return true;
		}
		*a = to;
	}
	return false;
}

static bool
canonical(struct postfix *p, struct postfix_address *a)
{
	if (list_has(p->is.recipient_canonical_classes, "envelope_recipient") &&
	    !map_canonical(p, &p->is.recipient_canonical_maps, a))
		return false;
	return !list_has(p->is.canonical_classes, "envelope_recipient") ||
	       map_canonical(p, &p->is.canonical_maps, a);
}

/* A list of addresses that grows. */
struct addresses {
	struct span *at; /* in the pool of the installation */
	size_t count, cap;
	struct pool pool;
	bool failed;
};

static void
addresses_set(struct addresses *l, size_t i, struct span a)
{
	if (i == l->cap) {
		size_t cap = l->cap > 0 ? 2 * l->cap : 16;
		struct span *at = realloc(l->at, cap * sizeof(*at));

		if (at == NULL) {
			l->failed = true;
			return;
		}
		l->at = at;
		l->cap = cap;
	}
	l->at[i] = pool_copy(&l->pool, a);
	if (i == l->count)
		l->count++;
	l->failed |= l->at[i].p == NULL;
}

static void
addresses_clear(struct addresses *l)
{
	free(l->at);
	pool_clear(&l->pool);
}

static uint64_t
limit_of(struct span value)
{
	uint64_t limit;

	return span_decimal(value, EXPANSION_MAX, &limit) ? limit : 1000;
}

/*
 * Replaces address i by the first that the row says, and appends the others.
 * Out: *self_out, one of them is the address itself, which stays then.
 * Returns: false when Postfix would put the message off.
 */
static bool
expand_into(struct postfix *p, struct addresses *l, size_t i, const struct postfix_found *found,
    bool *self_out)
{
	struct postfix_address from, to;
	struct expansion e;
	size_t said = 0;

	postfix_address_set(&from, l->at[i]);
	expand(&from, found, list_has(p->is.propagate_unmatched_extensions, "virtual"), &e);
	*self_out = false;
	while (next_expanded(p, &e, &to)) {
		if (to.overlong || l->count > EXPANSION_MAX)
			return false;
		if (span_eq_nocase(postfix_span(&from), postfix_span(&to)))
			*self_out = true;
		addresses_set(l, said++ == 0 ? i : l->count, postfix_span(&to));
	}
	return said > 0 && !l->failed;
}

/* One address down to where no row has it. `kept` are addresses that expand to themselves. */
static bool
expand_one(struct postfix *p, struct addresses *l, size_t i, struct addresses *kept)
{
	uint64_t rounds = limit_of(p->is.virtual_alias_recursion_limit);

	for (uint64_t round = 0;; round++) {
		struct postfix_found found;
		struct span before = l->at[i];
		bool self;

		for (size_t k = 0; k < kept->count; k++)
			if (span_eq_nocase(kept->at[k], before))
				return true;
		if (round >= rounds)
			return false;
		if (!postfix_find(
			p, &p->is.virtual_alias_maps, before, POSTFIX_FIND_ADDRESS, &found))
			return true;
		if (!expand_into(p, l, i, &found, &self))
			return false;
		if (self)
			addresses_set(kept, kept->count, before);
	}
}

/* cleanup_map1n. Returns: false when Postfix would put the message off. */
static bool
expand_virtual(struct postfix *p, struct addresses *l)
{
	struct addresses kept = {0};
	bool good = true;

	for (size_t i = 0; good && i < l->count; i++)
		good = l->count <= limit_of(p->is.virtual_alias_expansion_limit) &&
		       expand_one(p, l, i, &kept);
	if (kept.failed || l->failed)
		p->failed = p->trouble = true;
	addresses_clear(&kept);
	return good && !l->failed;
}

/* ---- virtual ---------------------------------------------------------------------------------------------------- */

/* The rights of a mailbox: without them virtual(8) puts the message off. */
static bool
has_number(struct postfix *p, const struct postfix_list *list, struct span user, uint64_t least)
{
	struct postfix_found found;
	uint64_t number;

	return postfix_find(p, list, user, POSTFIX_FIND_UNFOLDED, &found) &&
	       span_decimal(found.value, UINT32_MAX - 1, &number) && number >= least;
}

static void
deliver_virtual(struct postfix *p, const struct postfix_address *to, struct postfix_outcome *o)
{
	uint8_t octets[POSTFIX_ADDRESS_MAX];
	struct buf b = BUF_OVER(octets);
	struct postfix_found found;
	uint64_t least = 100;

	/* It folds the address, but not the keys of text files. */
	buf_put_lower(&b, postfix_span(to));
	if (!postfix_find(
		p, &p->is.virtual_mailbox_maps, buf_span(&b), POSTFIX_FIND_UNFOLDED, &found)) {
		o->what |= POSTFIX_BOUNCED;
		return;
	}
	o->by = found.table;
	span_decimal(p->is.virtual_minimum_uid, UINT32_MAX, &least);
	if (!has_number(p, &p->is.virtual_uid_maps, buf_span(&b), least) ||
	    !has_number(p, &p->is.virtual_gid_maps, buf_span(&b), 1))
		o->what |= POSTFIX_TEMPORARY;
	else
		o->what |= POSTFIX_DELIVERED;
}

/* ---- qmgr --------------------------------------------------------------------------------------------------------- */

/* Mail that goes on to another host is as good as the operator says. */
static unsigned
remote_outcome(const struct postfix *p, struct span domain)
{
	static const unsigned outcomes[] = {[POSTFIX_IGNORE] = POSTFIX_BOUNCED,
	    [POSTFIX_ACCEPT] = POSTFIX_DELIVERED | POSTFIX_UNVERIFIED,
	    [POSTFIX_DEFER] = POSTFIX_TEMPORARY};
	unsigned outcome = POSTFIX_REMOTE;

	for (const struct postfix_said *s = p->said_remote; s != NULL; s = s->next) {
		if (span_eq_nocase(s->name, domain))
			return outcomes[s->word];
		if (s->name.len == 0)
			outcome = outcomes[s->word];
	}
	return outcome;
}

static void
deliver_resolved(struct postfix *p, const struct postfix_resolved *r,
    const struct postfix_trail *trail, struct postfix_outcome *o)
{
	struct span local = postfix_local(postfix_span(&r->to));
	struct postfix_found found;

	if (r->class == POSTFIX_CLASS_BAD || span_eq(r->transport, SPAN("error")))
		o->what |= POSTFIX_BOUNCED;
	else if (span_eq(r->transport, SPAN("retry")))
		o->what |= POSTFIX_TEMPORARY;
	else if (span_eq(r->transport, SPAN("discard")) ||
		 (r->class == POSTFIX_CLASS_LOCAL &&
		     span_eq_nocase(local, p->is.double_bounce_sender)))
		o->what |= POSTFIX_DISCARDED;
	else if (span_eq(r->transport, SPAN("local")))
		postfix_deliver_local(p, &r->to, trail, o);
	else if (span_eq(r->transport, SPAN("virtual")))
		deliver_virtual(p, &r->to, o);
	else if (r->class == POSTFIX_CLASS_LOCAL || r->class == POSTFIX_CLASS_VIRTUAL)
		o->what |= POSTFIX_DELIVERED | POSTFIX_UNVERIFIED;
	else if (r->class == POSTFIX_CLASS_RELAY && p->is.relay_recipient_maps.first != NULL &&
		 postfix_find(p, &p->is.relay_recipient_maps, postfix_span(&r->to),
		     POSTFIX_FIND_ADDRESS, &found)) {
		o->by = found.table;
		o->what |= POSTFIX_DELIVERED | POSTFIX_UNVERIFIED;
	} else
		o->what |= remote_outcome(p, postfix_domain(postfix_span(&r->to)));
}

void
postfix_deliver_canonical(struct postfix *p, const struct postfix_address *a,
    const struct postfix_trail *trail, struct postfix_outcome *o)
{
	struct postfix_address address = *a;
	struct addresses l = {0};
	struct postfix_resolved r;

	addresses_set(&l, 0, postfix_span(&address));
	if (!expand_virtual(p, &l))
		o->what |= POSTFIX_TEMPORARY;
	else
		for (size_t i = 0; i < l.count; i++) {
			if (!span_eq_nocase(l.at[i], postfix_span(a)))
				o->forwarded = true;
			postfix_address_set(&address, l.at[i]);
			postfix_resolve(p, &address, &r);
			deliver_resolved(p, &r, trail, o);
		}
	addresses_clear(&l);
}

void
postfix_deliver(struct postfix *p, const struct postfix_address *a,
    const struct postfix_trail *trail, struct postfix_outcome *o)
{
	struct postfix_address address = *a;

	postfix_rewrite(p, &address);
	if (trail != NULL && trail->depth >= HOPS_MAX)
		o->what |= POSTFIX_BOUNCED;
	else if (address.overlong || !canonical(p, &address))
		o->what |= POSTFIX_TEMPORARY;
	else {
		if (!span_eq_nocase(postfix_span(&address), postfix_span(a)))
			o->forwarded = true;
		postfix_deliver_canonical(p, &address, trail, o);
	}
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

void
postfix_judge(struct postfix *p, const struct postfix_address *asked, struct postfix_outcome *o_out)
{
	struct postfix_address a = *asked;
	struct postfix_resolved r;

	*o_out = (struct postfix_outcome){0};
	postfix_rewrite(p, &a);
	if (a.len == 0) {
		refuse(o_out, POSTFIX_BAD_ADDRESS, span_of(NULL, 0));
		return;
	}
	postfix_resolve(p, &a, &r);
	check_rcpt(p, &r, o_out);
	if (!o_out->refused) {
		postfix_deliver(p, &a, NULL, o_out);
		o_out->reason = POSTFIX_LATE;
	}
}

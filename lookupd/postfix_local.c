#include "lookupd/postfix_local.h"

/* What was done already for the message that is delivered. */
struct seen {
	struct keymap_item item;
};

/* ---- small things -------------------------------------------------------------------------------- */

void
local_outcome(struct local_state *s, unsigned what)
{
	s->run->o->what |= what;
}

bool
local_was_seen(
    struct local_state *s, const char *kind, unsigned level, struct span octets, bool remember)
{
	uint8_t key_octets[32 + POSTFIX_ADDRESS_MAX];
	struct buf key = BUF_OVER(key_octets);
	struct seen *item;

	buf_put_str(&key, kind);
	buf_put_u32(&key, level);
	buf_put_lower(&key, span_head(octets, POSTFIX_ADDRESS_MAX));
	if (keymap_get(&s->run->seen, buf_span(&key)) != NULL)
		return true;
	if (!remember)
		return false;
	item = pool_take(&s->run->pool, sizeof(*item));
	if (item != NULL)
		item->item.key = pool_copy(&s->run->pool, buf_span(&key));
	if (item == NULL || item->item.key.p == NULL || keymap_add(&s->run->seen, &item->item) < 0)
		s->run->p->failed = s->run->p->trouble = true;
	return false;
}

bool
local_list_has(struct span list, const char *name)
{
	struct span word;

	while (postfix_next_word(&list, &word))
		if (span_eq_nocase(word, span_str(name)))
			return true;
	return false;
}

const struct postfix_user *
local_user_of(struct local_state *s)
{
	return (const void *)keymap_get(&s->run->p->users, s->user);
}

void
local_deliver_indirect(struct local_state s)
{
	struct local_indirect *item;

	if (local_was_seen(&s, "indirect", 0, s.address, true))
		return;
	item = pool_take(&s.run->pool, sizeof(*item));
	if (item == NULL) {
		s.run->p->failed = s.run->p->trouble = true;
		return;
	}
	item->address = pool_copy(&s.run->pool, s.address);
	item->top = pool_copy(&s.run->pool, s.top);
	*s.run->tail = item;
	s.run->tail = &item->next;
}

/* What is put off is delivered as a whole another time: nothing goes back into the queue then. */
static void
finish_indirect(struct local_run *run)
{
	for (const struct local_indirect *i = run->first; i != NULL; i = i->next) {
		struct postfix_trail trail = {run->trail, i->top, 1};
		struct postfix_address a;

		if (run->trail != NULL)
			trail.depth = run->trail->depth + 1;
		postfix_address_set(&a, i->address);
		run->o->forwarded = true;
		postfix_deliver(run->p, &a, &trail, run->o);
	}
}

/* ---- aliases ----------------------------------------------------------------------------------------- */

static bool
has_owner_alias(struct local_state *s, struct span name, struct span *owner_out)
{
	uint8_t octets[POSTFIX_ADDRESS_MAX + 6];
	struct buf b = BUF_OVER(octets);
	struct postfix_found found;

	buf_put_str(&b, "owner-");
	buf_put_span(&b, name);
	if (!s->run->p->is.owner_request_special ||
	    !postfix_find_key(s->run->p, &s->run->p->is.alias_maps, buf_span(&b), true, &found))
		return false;
	*owner_out = found.value;
	return true;
}

/* Returns: whether there is such an alias. */
static bool
deliver_alias(struct local_state s, struct span name)
{
	struct postfix_found found;
	unsigned count = 0;

	s.level++;
	if (s.expanded_from.len > 0 && span_eq_nocase(s.expanded_from, name))
		return false;
	if (!postfix_find_key(s.run->p, &s.run->p->is.alias_maps, name, true, &found))
		return false;
	s.run->o->by = s.run->o->by != NULL ? s.run->o->by : found.table;
	if (s.level > LOCAL_LEVEL_MAX) {
		local_outcome(&s, POSTFIX_BOUNCED);
		return true;
	}
	s.expanded_from = name;
	s.expansion = FROM_ALIAS;
	s.rights = NULL;
	s.has_owner = has_owner_alias(&s, name, &s.owner) || s.has_owner;
	s.run->o->forwarded = true;
	local_deliver_text(s, found.value, &count);
	if (count == 0)
		local_outcome(&s, POSTFIX_TEMPORARY);
	return true;
}

/* ---- the way of a name ------------------------------------------------------------------------------- */

static void
deliver_name(struct local_state s)
{
	const struct postfix_user *user;

	s.level++;
	s.unmatched.len = 0;
	if (deliver_alias(s, s.local))
		return;
	if (s.extension.len > 0) {
		if (local_list_has(s.run->p->is.propagate_unmatched_extensions, "alias"))
			s.unmatched = s.extension;
		if (deliver_alias(s, s.user))
			return;
		s.unmatched = s.extension;
	}
	if (s.expansion == FROM_INCLUDE || (s.has_owner && !span_eq_nocase(s.owner, s.user))) {
		local_deliver_indirect(s);
		return;
	}
	user = local_user_of(&s);
	if (s.run->p->is.require_home_directory && user != NULL && !local_has_home(&s, user))
		local_outcome(&s, POSTFIX_TEMPORARY);
	else if (!local_deliver_forward(s) && !local_deliver_mailbox(s))
		local_deliver_unknown(s);
}

static bool
is_on(const struct postfix_trail *trail, struct span address)
{
	for (; trail != NULL; trail = trail->before)
		if (span_eq_nocase(trail->address, address))
			return true;
	return false;
}

void
local_deliver_recipient(struct local_state s, const struct postfix_address *to)
{
	uint8_t octets[POSTFIX_ADDRESS_MAX];
	struct buf lower = BUF_OVER(octets);
	size_t user_len;

	s.level++;
	if (s.level > LOCAL_LEVEL_MAX || is_on(s.run->trail, postfix_span(to))) {
		local_outcome(&s, POSTFIX_BOUNCED);
		return;
	}
	if (local_was_seen(&s, "recipient", s.level, postfix_span(to), true))
		return;
	buf_put_lower(&lower, postfix_span(to));
	s.address = postfix_span(to);
	s.local = postfix_local(buf_span(&lower));
	s.domain = postfix_domain(buf_span(&lower));
	if (s.top.len == 0)
		s.top = s.address;
	user_len = postfix_split_local(s.run->p, s.local);
	s.user = span_head(s.local, user_len);
	s.extension = span_from(s.local, user_len);
	if (span_find(s.extension, '/') < s.extension.len) {
		s.extension.len = 0;
		s.local = s.user;
	}
	if (s.user.len == 0)
		local_outcome(&s, POSTFIX_BOUNCED);
	else
		deliver_name(s);
}

void
postfix_deliver_local(struct postfix *p, const struct postfix_address *a,
    const struct postfix_trail *trail, struct postfix_outcome *o)
{
	struct local_run run = {.p = p, .trail = trail, .o = o};
	struct local_state s = {.run = &run};
	unsigned before = o->what;

	keymap_init(&run.seen);
	run.tail = &run.first;
	o->what = 0;
	local_deliver_recipient(s, a);
	if (!(o->what & POSTFIX_TEMPORARY))
		finish_indirect(&run);
	o->what |= before;
	keymap_clear(&run.seen);
	pool_clear(&run.pool);
}

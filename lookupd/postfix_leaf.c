#include "lookupd/postfix_leaf.h"

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

struct leaf
postfix_leaf_of(const struct postfix *p, const struct postfix_outcome *o)
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

bool
postfix_same_leaf(const struct leaf *a, const struct leaf *b)
{
	return a->verdict == b->verdict && span_eq(a->status, b->status) &&
	       span_eq(a->text, b->text);
}

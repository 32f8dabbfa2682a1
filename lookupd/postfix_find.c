#include "lookupd/postfix.h"
#include "lookupd/postfix_names.h"
#include "lookupd/postfix_rules.h"

/* ---- one key --------------------------------------------------------------------------------------- */

static bool
find_in(struct postfix *p, const struct postfix_table *t, struct span key, bool folded,
    struct postfix_found *found_out)
{
	const struct postfix_row *row;
	uint8_t octets[256];
	struct buf b = BUF_OVER(octets);

	found_out->table = t;
	switch (t->kind) {
	case POSTFIX_STATIC:
		found_out->value = t->value;
		return true;
	case POSTFIX_PASSWD:
		/* Queries are folded, so that an account with capitals is never found. */
		buf_put_lower(&b, key);
		found_out->value = SPAN("account");
		return !b.full && keymap_get(&p->users, buf_span(&b)) != NULL;
	case POSTFIX_RULES:
		return p->whole && postfix_rules_match(p, t, key, &found_out->value);
	case POSTFIX_SAID:
		if (t->word > p->word)
			p->word = t->word;
		return false;
	case POSTFIX_LISTED:
		break;
	}
	row = postfix_table_get(t, key, folded);
	if (row != NULL)
		found_out->value = row->value;
	return row != NULL;
}

bool
postfix_find_key(struct postfix *p, const struct postfix_list *list, struct span key, bool folded,
    struct postfix_found *found_out)
{
	*found_out = (struct postfix_found){0};
	for (const struct postfix_item *i = list->first; i != NULL; i = i->next)
		if (i->table != NULL && find_in(p, i->table, key, folded, found_out))
			return true;
	return false;
}

/* Tables have an address quoted where it must be; the plain form is asked after that. */
static bool
find_form(struct postfix *p, const struct postfix_list *list, struct span address, bool folded,
    struct postfix_found *found_out)
{
	uint8_t octets[POSTFIX_QUOTED_MAX];
	struct buf b = BUF_OVER(octets);

	postfix_put_quoted(&b, address);
	if (!b.full && postfix_find_key(p, list, buf_span(&b), folded, found_out))
		return true;
	return !span_eq(buf_span(&b), address) &&
	       postfix_find_key(p, list, address, folded, found_out);
}

/* ---- an address ---------------------------------------------------------------------------------------- */

size_t
postfix_split_local(const struct postfix *p, struct span local)
{
	return postfix_split(local, p->is.recipient_delimiter, p->is.owner_request_special,
	    p->is.double_bounce_sender);
}

static bool
find_bare(struct postfix *p, const struct postfix_list *list, struct span local, struct span base,
    bool folded, struct postfix_found *found_out)
{
	if (find_form(p, list, local, folded, found_out))
		return true;
	if (base.len == local.len || !find_form(p, list, base, folded, found_out))
		return false;
	found_out->extension = span_from(local, base.len);
	return true;
}

static bool
find_parents(struct postfix *p, const struct postfix_list *list, struct span domain,
    struct postfix_found *found_out)
{
	bool parent_style = postfix_parent_style(p, "transport_maps");

	for (struct span name = domain; name.len > 0;) {
		size_t dot;

		if (postfix_find_key(p, list, name, true, found_out))
			return true;
		dot = 1 + span_find(span_from(name, 1), '.');
		if (dot >= name.len)
			return false;
		name = span_from(name, parent_style ? dot + 1 : dot);
	}
	return false;
}

static bool
find_by_domain(struct postfix *p, const struct postfix_list *list, struct span domain, bool folded,
    struct postfix_found *found_out)
{
	uint8_t octets[POSTFIX_ADDRESS_MAX + 1];
	struct buf b = BUF_OVER(octets);

	buf_put_u8(&b, '@');
	buf_put_span(&b, domain);
	return postfix_find_key(p, list, buf_span(&b), folded, found_out);
}

bool
postfix_find(struct postfix *p, const struct postfix_list *list, struct span address,
    enum postfix_find how, struct postfix_found *found_out)
{
	struct span local = postfix_local(address), domain = postfix_domain(address);
	struct span base = span_head(local, postfix_split_local(p, local));
	bool folded = how != POSTFIX_FIND_UNFOLDED;
	struct postfix_address without;
	bool whole;

	*found_out = (struct postfix_found){0};
	if (list->first == NULL)
		return false;
	postfix_note(p, local, base, domain);
	p->whole = true;
	whole = find_form(p, list, address, folded, found_out);
	p->whole = false;
	if (whole)
		return true;
	if (base.len < local.len) {
		postfix_address_join(&without, base, domain);
		if (find_form(p, list, postfix_span(&without), folded, found_out)) {
			found_out->extension = span_from(local, base.len);
			return true;
		}
	}
	if (how == POSTFIX_FIND_TRANSPORT)
		return find_parents(p, list, domain, found_out);
	if ((span_eq_nocase(domain, p->is.myorigin) || postfix_is_local(p, domain)) &&
	    find_bare(p, list, local, base, folded, found_out))
		return true;
	return find_by_domain(p, list, domain, folded, found_out);
}

/* ---- lists of domains ------------------------------------------------------------------------------------ */

bool
postfix_parent_style(const struct postfix *p, const char *parameter)
{
	struct span rest = p->is.parent_domain_matches_subdomains, word;

	while (postfix_next_word(&rest, &word))
		if (span_eq(word, span_str(parameter)))
			return true;
	return false;
}

/* In a list of domains; what the operator says of a table is about addresses. */
static bool
find_domain(struct postfix *p, const struct postfix_table *t, struct span name, bool whole)
{
	struct postfix_found found;
	enum postfix_word word = p->word;
	bool match;

	p->whole = whole;
	match = find_in(p, t, name, true, &found);
	p->whole = false;
	p->word = word;
	return match;
}

static bool
has_word(const struct postfix_list *list, struct span domain)
{
	uint8_t octets[POSTFIX_ADDRESS_MAX];
	struct buf b = BUF_OVER(octets);

	buf_put_lower(&b, domain);
	return !b.full && keymap_get(&list->words, buf_span(&b)) != NULL;
}

bool
postfix_has(struct postfix *p, const struct postfix_list *list, struct span domain)
{
	bool before = p->whole;
	bool match = false;
	const struct postfix_item *i = list->first;

	if (list->only_words)
		return has_word(list, domain);
	for (; i != NULL && !match; i = i->next) {
		match = i->table != NULL ? find_domain(p, i->table, domain, true)
		                         : span_eq_nocase(i->word, domain);
		if (match)
			match = !i->negated;
		else
			continue;
		break;
	}
	p->whole = before;
	return match;
}

static bool
ends_in(struct span name, struct span tail)
{
	return name.len > tail.len && span_eq_nocase(span_from(name, name.len - tail.len), tail);
}

/* match_hostname() for a word */
static bool
word_matches(struct span word, struct span domain, bool parent_style)
{
	if (span_eq_nocase(word, domain))
		return true;
	if (parent_style)
		return ends_in(domain, word) && domain.p[domain.len - word.len - 1] == '.';
	return word.len > 0 && word.p[0] == '.' && ends_in(domain, word);
}

/* match_hostname() for a table: the name, then what is behind each dot of it. */
static bool
table_matches(
    struct postfix *p, const struct postfix_table *t, struct span domain, bool parent_style)
{
	for (struct span name = domain; name.len > 0;) {
		size_t dot;

		if (find_domain(p, t, name, name.p == domain.p))
			return true;
		dot = 1 + span_find(span_from(name, 1), '.');
		if (dot >= name.len)
			return false;
		name = span_from(name, parent_style ? dot + 1 : dot);
	}
	return false;
}

bool
postfix_has_parent(
    struct postfix *p, const struct postfix_list *list, struct span domain, bool parent_style)
{
	if (list->only_words) {
		bool has = has_word(list, domain);

		for (size_t i = 0; !has && i < domain.len; i++)
			has = domain.p[i] == '.' &&
			      has_word(list, span_from(domain, parent_style ? i + 1 : i));
		return has;
	}
	for (const struct postfix_item *i = list->first; i != NULL; i = i->next) {
		bool match = i->table != NULL ? table_matches(p, i->table, domain, parent_style)
		                              : word_matches(i->word, domain, parent_style);

		if (match)
			return !i->negated;
	}
	return false;
}

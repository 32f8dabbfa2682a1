#include "validators/spf_canon.h"

#include <stdio.h>

#include "validators/note.h"
#include "validators/spf_record.h"

enum { EXPANDED_MAX = 2048 };

void
spf_canon_name(int place, char name_out[16])
{
	snprintf(name_out, 16, "n%d.g", place);
}

int
spf_canon_place(const char *name)
{
	struct span s = span_str(name);
	uint64_t v;

	if (s.len < 4 || s.p[0] != 'n' || !span_eq(span_from(s, s.len - 2), SPAN(".g")) ||
	    !span_decimal(span_of(s.p + 1, s.len - 3), SPF_PLACES - 1, &v))
		return -1;
	return (int)v;
}

/* How the library's record says it, and what stands behind it. */
static const struct {
	const char *word;
	enum spf_place_kind kind;
} lookups[] = {
    [SPF_INCLUDE] = {"include:", SPF_PLACE_RECORD},
    [SPF_A] = {"a:", SPF_PLACE_A},
    [SPF_MX] = {"mx:", SPF_PLACE_MX},
    [SPF_PTR] = {"exists:", SPF_PLACE_PTR},
    [SPF_EXISTS] = {"exists:", SPF_PLACE_EXISTS},
    [SPF_REDIRECT] = {"redirect=", SPF_PLACE_RECORD},
};

struct canon {
	struct spf_run *run;
	struct span domain;
	struct buf *b;
	unsigned lookups;
	bool decided; /* nothing after this can be reached */
	bool has_all;
};

/* The name that a term asks for, as a place. */
static int
place_of(struct canon *c, const struct spf_term *t)
{
	struct spf_run *run = c->run;
	uint8_t room[EXPANDED_MAX];
	struct buf expanded = BUF_OVER(room);
	struct span name = c->domain;

	if (t->domain.len > 0) {
		run->facts.domain = c->domain;
		spf_macro_expand(t->domain, &run->facts, &expanded);
		name = expanded.full ? span_of(NULL, 0) : spf_name_trim(buf_span(&expanded));
	}
	return spf_run_place(run, lookups[t->kind].kind, name,
	    ip_is_v4(&run->question->client) ? t->cidr4 : t->cidr6);
}

static void
put_word(struct canon *c, const struct spf_term *t, const char *word)
{
	buf_put_u8(c->b, ' ');
	if (t->kind != SPF_REDIRECT)
		buf_put_u8(c->b, t->qualifier);
	buf_put_str(c->b, word);
}

static void
put_lookup(struct canon *c, const struct spf_term *t)
{
	int place = place_of(c, t);
	char name[16];

	if (place < 0)
		return;
	spf_canon_name(place, name);
	put_word(c, t, lookups[t->kind].word);
	buf_put_str(c->b, name);
	/* One past the limit is enough to be caught by it. */
	if (++c->lookups > SPF_TERMS_MAX)
		c->decided = true;
}

static void
put_all(struct canon *c, const struct spf_term *t)
{
	put_word(c, t, "all");
	c->decided = true;
}

/* These ask nobody, and are known before the terms in front of them are evaluated. */
static void
note_term(const struct canon *c, const struct spf_term *t, bool match)
{
	uint8_t room[128];
	struct buf b = BUF_OVER(room);

	if (!note_wanted())
		return;
	buf_put_u8(&b, t->qualifier);
	if (t->kind == SPF_ALL) {
		buf_put_str(&b, "all");
	} else {
		buf_put_str(&b, t->kind == SPF_IP4 ? "ip4:" : "ip6:");
		ip_put(&b, &t->network);
		buf_printf(&b, "/%u", t->kind == SPF_IP4 ? t->cidr4 : t->cidr6);
	}
	buf_put_str(&b, match ? ": match, unless a term before it does" : ": no match");
	note("spf term in", c->domain, buf_span(&b));
}

/* Row 224: whoever rents a machine there may send for that domain. */
static void
note_everybody(struct canon *c, const struct spf_term *t)
{
	c->run->everybody = c->run->everybody || t->qualifier == '+';
}

/* ip4 and ip6 ask nobody: a match is an `all` of its qualifier, and no match is nothing. */
static void
put_network(struct canon *c, const struct spf_term *t)
{
	const struct ip *client = &c->run->question->client;
	bool v4 = t->kind == SPF_IP4;
	bool match =
	    ip_is_v4(client) == v4 && spf_ip_matches(client, &t->network, v4 ? t->cidr4 : t->cidr6);

	note_term(c, t, match);
	if (match && (v4 ? t->cidr4 : t->cidr6) == 0)
		note_everybody(c, t);
	if (match)
		put_all(c, t);
}

static void
put_mechanism(struct canon *c, const struct spf_term *t)
{
	if (t->kind == SPF_ALL) {
		c->has_all = true;
		note_term(c, t, true);
		note_everybody(c, t);
		put_all(c, t);
	} else if (t->kind == SPF_IP4 || t->kind == SPF_IP6) {
		put_network(c, t);
	} else {
		put_lookup(c, t);
	}
}

static bool
is_modifier(const struct spf_term *t)
{
	return t->kind == SPF_REDIRECT || t->kind == SPF_EXP || t->kind == SPF_OTHER_MODIFIER;
}

/* RFC 7208 6.1: redirect counts when nothing matched and there is no `all`, wherever it stands. */
bool
spf_canon_write(struct spf_run *run, struct span record, struct span domain, struct buf *b)
{
	struct canon c = {.run = run, .domain = domain, .b = b};
	struct spf_term t, redirect = {.kind = SPF_ALL};
	struct span rest = spf_record_terms(record);
	const char *why;

	buf_put_str(b, "v=spf1");
	while (!c.decided && spf_record_next(&rest, &t, &why) == SPF_NEXT_TERM) {
		if (t.kind == SPF_REDIRECT)
			redirect = t;
		else if (!is_modifier(&t))
			put_mechanism(&c, &t);
	}
	if (!c.decided && redirect.kind == SPF_REDIRECT)
		put_lookup(&c, &redirect);
	return run->trouble == SPF_FINE && !b->full;
}

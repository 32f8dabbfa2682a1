#include "validators/spf_record.h"

#include "validators/spf_macro.h"

enum { CIDR4_MAX = 32, CIDR6_MAX = 128 };

static bool
is_alnum(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* ---- version --------------------------------------------------------------------------------- */

bool
spf_record_is_one(struct span text)
{
	const struct span version = SPAN("v=spf1");

	return span_eq_nocase(span_head(text, version.len), version) &&
	       (text.len == version.len || text.p[version.len] == ' ');
}

struct span
spf_record_terms(struct span record)
{
	return span_from(record, SPAN("v=spf1").len);
}

/* ---- prefix lengths -------------------------------------------------------------------------- */

/* 1*3DIGIT without a leading zero: RFC 7208 12, ip4-cidr-length, ip6-cidr-length. */
static bool
parse_bits(struct span text, unsigned most, unsigned *bits_out)
{
	uint64_t v;

	if (text.len == 0 || text.len > 3 || (text.len > 1 && text.p[0] == '0') ||
	    !span_decimal(text, most, &v))
		return false;
	*bits_out = (unsigned)v;
	return true;
}

/* Index of the "/" before the digits at the end of the text, or text.len when there is none. */
static size_t
trailing_slash(struct span text)
{
	size_t at = text.len;

	while (at > 0 && ascii_is_digit(text.p[at - 1]))
		at--;
	return at > 0 && text.p[at - 1] == '/' ? at - 1 : text.len;
}

/* Takes [ip4-cidr-length] ["/" ip6-cidr-length] off the end of the text. */
static bool
take_dual_cidr(struct span *text, struct spf_term *t)
{
	size_t at = trailing_slash(*text);

	if (at < text->len && at > 0 && text->p[at - 1] == '/') {
		if (!parse_bits(span_from(*text, at + 1), CIDR6_MAX, &t->cidr6))
			return false;
		*text = span_head(*text, at - 1);
		at = trailing_slash(*text);
	}
	if (at < text->len) {
		if (!parse_bits(span_from(*text, at + 1), CIDR4_MAX, &t->cidr4))
			return false;
		*text = span_head(*text, at);
	}
	return true;
}

/* ---- what follows the name of a mechanism ------------------------------------------------------ */

/* Each returns NULL, or why the term is bad. */

static const char *
no_argument(struct span rest, struct spf_term *t)
{
	(void)t;
	return rest.len == 0 ? NULL : "argument where none may be";
}

/* ":" domain-spec */
static const char *
domain_argument(struct span rest, struct spf_term *t)
{
	if (rest.len < 2 || rest.p[0] != ':')
		return "no domain";
	t->domain = span_from(rest, 1);
	return spf_domain_spec_ok(t->domain) ? NULL : "malformed domain";
}

static const char *
optional_domain(struct span rest, struct spf_term *t)
{
	return rest.len == 0 ? NULL : domain_argument(rest, t);
}

static const char *
optional_domain_cidr(struct span rest, struct spf_term *t)
{
	return take_dual_cidr(&rest, t) ? optional_domain(rest, t) : "malformed prefix length";
}

/* ":" network ["/" bits] */
static const char *
network(struct span rest, struct spf_term *t, bool v4)
{
	size_t slash;

	if (rest.len < 2 || rest.p[0] != ':')
		return "no address";
	rest = span_from(rest, 1);
	slash = span_find(rest, '/');
	if (slash < rest.len && !parse_bits(span_from(rest, slash + 1), v4 ? CIDR4_MAX : CIDR6_MAX,
				    v4 ? &t->cidr4 : &t->cidr6))
		return "malformed prefix length";
	rest = span_head(rest, slash);
	/* The notation says which it is: a mapped address is one of IPv6 here. */
	if ((span_find(rest, ':') == rest.len) != v4 || !ip_parse(rest, &t->network))
		return "malformed address";
	return NULL;
}

static const char *
network4(struct span rest, struct spf_term *t)
{
	return network(rest, t, true);
}

static const char *
network6(struct span rest, struct spf_term *t)
{
	return network(rest, t, false);
}

static const struct mechanism {
	struct span name;
	enum spf_term_kind kind;
	const char *(*argument)(struct span rest, struct spf_term *t);
} mechanisms[] = {
    {SPAN("all"), SPF_ALL, no_argument},
    {SPAN("include"), SPF_INCLUDE, domain_argument},
    {SPAN("a"), SPF_A, optional_domain_cidr},
    {SPAN("mx"), SPF_MX, optional_domain_cidr},
    {SPAN("ptr"), SPF_PTR, optional_domain},
    {SPAN("ip4"), SPF_IP4, network4},
    {SPAN("ip6"), SPF_IP6, network6},
    {SPAN("exists"), SPF_EXISTS, domain_argument},
};

static const char *
parse_mechanism(struct span word, struct spf_term *t)
{
	size_t len = 0;

	t->qualifier = '+';
	if (memchr("+-~?", word.p[0], 4) != NULL) {
		t->qualifier = word.p[0];
		word = span_from(word, 1);
	}
	while (len < word.len && is_alnum(word.p[len]))
		len++;
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
		if (!span_eq_nocase(span_head(word, len), mechanisms[i].name))
			continue;
		t->kind = mechanisms[i].kind;
		return mechanisms[i].argument(span_from(word, len), t);
	}
	return "unknown mechanism";
}

/* ---- modifiers ------------------------------------------------------------------------------- */

/* Length of name in name "=" value, 0 when the word is not of that form. RFC 7208 12 modifier. */
static size_t
modifier_name(struct span word)
{
	size_t len = 0;

	if (!ascii_is_alpha(word.p[0]))
		return 0;
	while (len < word.len && (is_alnum(word.p[len]) || word.p[len] == '-' ||
				     word.p[len] == '_' || word.p[len] == '.'))
		len++;
	return len < word.len && word.p[len] == '=' ? len : 0;
}

static const char *
parse_modifier(struct span word, size_t name_len, struct spf_term *t)
{
	struct span name = span_head(word, name_len);
	bool redirect = span_eq_nocase(name, SPAN("redirect"));

	t->domain = span_from(word, name_len + 1);
	if (redirect || span_eq_nocase(name, SPAN("exp"))) {
		t->kind = redirect ? SPF_REDIRECT : SPF_EXP;
		return spf_domain_spec_ok(t->domain) ? NULL : "malformed domain";
	}
	t->kind = SPF_OTHER_MODIFIER;
	return spf_macro_string_ok(t->domain) ? NULL : "malformed modifier";
}

/* ---- terms ----------------------------------------------------------------------------------- */

enum spf_next
spf_record_next(struct span *rest, struct spf_term *term_out, const char **why_out)
{
	struct span word;
	size_t name_len;

	while (rest->len > 0 && rest->p[0] == ' ')
		*rest = span_from(*rest, 1);
	if (rest->len == 0)
		return SPF_NEXT_END;
	word = span_head(*rest, span_find(*rest, ' '));
	*rest = span_from(*rest, word.len);
	*term_out = (struct spf_term){.cidr4 = CIDR4_MAX, .cidr6 = CIDR6_MAX};
	name_len = modifier_name(word);
	*why_out = name_len > 0 ? parse_modifier(word, name_len, term_out)
	                        : parse_mechanism(word, term_out);
	return *why_out == NULL ? SPF_NEXT_TERM : SPF_NEXT_BAD;
}

static bool
is_visible(struct span record)
{
	for (size_t i = 0; i < record.len; i++)
		if (record.p[i] < 0x20 || record.p[i] > 0x7e)
			return false;
	return true;
}

bool
spf_record_check(struct span record, const char **why_out)
{
	struct span rest = spf_record_terms(record);
	unsigned redirects = 0, exps = 0;
	enum spf_next next;
	struct spf_term t;

	*why_out = "octet outside ASCII";
	if (!is_visible(record))
		return false;
	while ((next = spf_record_next(&rest, &t, why_out)) == SPF_NEXT_TERM) {
		redirects += t.kind == SPF_REDIRECT;
		exps += t.kind == SPF_EXP;
	}
	if (next == SPF_NEXT_BAD)
		return false;
	*why_out = "modifier given twice";
	return redirects <= 1 && exps <= 1;
}

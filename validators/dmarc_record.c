#include "validators/dmarc_record.h"

/* Tags that mean something to a receiver who sends no reports; others are ignored. */
enum tag { TAG_P, TAG_SP, TAG_NP, TAG_ADKIM, TAG_ASPF, TAG_PSD, TAG_T, TAG_RUA, TAGS };

struct tags {
	bool said[TAGS], doubled[TAGS];
	struct span value[TAGS];
};

static struct span
strip(struct span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_from(s, 1);
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* dmarc-version = "v" *WSP "=" *WSP %s"DMARC1"; only the first tag counts as one. */
bool
dmarc_record_is_one(struct span text)
{
	struct span first = span_head(text, span_find(text, ';'));
	size_t equals = span_find(first, '=');
	struct span name = span_head(first, equals);

	if (name.len == 0 || ascii_lower(name.p[0]) != 'v' || strip(name).len != 1)
		return false;
	return span_eq(strip(span_from(first, equals + 1)), SPAN("DMARC1"));
}

static enum tag
tag_by_name(struct span name)
{
	static const struct span names[TAGS] = {
	    [TAG_P] = SPAN("p"),
	    [TAG_SP] = SPAN("sp"),
	    [TAG_NP] = SPAN("np"),
	    [TAG_ADKIM] = SPAN("adkim"),
	    [TAG_ASPF] = SPAN("aspf"),
	    [TAG_PSD] = SPAN("psd"),
	    [TAG_T] = SPAN("t"),
	    [TAG_RUA] = SPAN("rua"),
	};
	unsigned i = 0;

	while (i < TAGS && !span_eq_nocase(names[i], name))
		i++;
	return (enum tag)i;
}

static void
collect(struct span text, struct tags *tags)
{
	while (text.len > 0) {
		struct span spec = span_head(text, span_find(text, ';'));
		size_t equals = span_find(spec, '=');
		enum tag tag = tag_by_name(strip(span_head(spec, equals)));

		text = span_from(text, spec.len + 1);
		if (equals == spec.len || tag == TAGS)
			continue;
		tags->doubled[tag] = tags->said[tag];
		tags->said[tag] = true;
		tags->value[tag] = strip(span_from(spec, equals + 1));
	}
}

static bool
tag_is(const struct tags *tags, enum tag tag, const char *value)
{
	return tags->said[tag] && !tags->doubled[tag] &&
	       span_eq_nocase(tags->value[tag], span_str(value));
}

bool
dmarc_policy_by_name(struct span name, enum dmarc_policy *policy_out)
{
	static const struct span words[] = {
	    [DMARC_POLICY_NONE] = SPAN("none"),
	    [DMARC_POLICY_QUARANTINE] = SPAN("quarantine"),
	    [DMARC_POLICY_REJECT] = SPAN("reject"),
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!span_eq_nocase(words[i], name))
			continue;
		*policy_out = (enum dmarc_policy)i;
		return true;
	}
	return false;
}

/* Returns: whether it is there and is a policy; *policy_out is left alone otherwise. */
static bool
policy_of(const struct tags *tags, enum tag tag, enum dmarc_policy *policy_out)
{
	return tags->said[tag] && !tags->doubled[tag] &&
	       dmarc_policy_by_name(tags->value[tag], policy_out);
}

/* scheme of RFC 3986 3.1: ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) */
static bool
is_scheme(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alpha(s.p[i]) &&
		    (i == 0 || (!ascii_is_digit(s.p[i]) && s.p[i] != '+' && s.p[i] != '-' &&
				   s.p[i] != '.')))
			return false;
	return s.len > 0;
}

/* As strict as is needed to tell an address of reports from a typing error. */
static bool
is_uri(struct span uri)
{
	struct span scheme = span_head(uri, span_find(uri, ':'));
	struct span rest = span_from(uri, scheme.len + 1);

	if (!is_scheme(scheme) || rest.len == 0)
		return false;
	for (size_t i = 0; i < rest.len; i++)
		if (rest.p[i] <= ' ' || rest.p[i] > '~')
			return false;
	return !span_eq_nocase(scheme, SPAN("mailto")) ||
	       (span_find(rest, '@') > 0 && span_find(rest, '@') + 1 < rest.len);
}

/* RFC 9989 4.10.1: at least one valid reporting URI, of any scheme. */
static bool
wants_reports(const struct tags *tags)
{
	struct span rest = tags->value[TAG_RUA];

	while (tags->said[TAG_RUA] && !tags->doubled[TAG_RUA] && rest.len > 0) {
		struct span uri = span_head(rest, span_find(rest, ','));

		if (is_uri(strip(uri)))
			return true;
		rest = span_from(rest, uri.len + 1);
	}
	return false;
}

void
dmarc_record_parse(struct span text, struct dmarc_record *record_out)
{
	struct dmarc_record *r = record_out;
	struct tags tags = {0};
	bool wrong = false;

	*r = (struct dmarc_record){.usable = true};
	collect(text, &tags);
	r->strict_dkim = tag_is(&tags, TAG_ADKIM, "s");
	r->strict_spf = tag_is(&tags, TAG_ASPF, "s");
	r->test = tag_is(&tags, TAG_T, "y");
	r->psd = tag_is(&tags, TAG_PSD, "y")   ? DMARC_PSD_YES
	         : tag_is(&tags, TAG_PSD, "n") ? DMARC_PSD_NO
	                                       : DMARC_PSD_UNSAID;
	if (!policy_of(&tags, TAG_P, &r->p) && tags.said[TAG_P])
		wrong = true;
	r->sp = r->p;
	if (!policy_of(&tags, TAG_SP, &r->sp) && tags.said[TAG_SP])
		wrong = true;
	r->np = r->sp;
	r->np_said = policy_of(&tags, TAG_NP, &r->np);
	if (!r->np_said && tags.said[TAG_NP])
		wrong = true;
	if (wrong) {
		r->p = r->sp = r->np = DMARC_POLICY_NONE;
		r->usable = wants_reports(&tags);
	}
}

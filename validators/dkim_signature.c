#include "validators/dkim_signature.h"

enum { TAGS_MAX = 64, IDENTITY_MAX = 240, TIME_MAX_DIGITS = 12 };

struct tag {
	struct span name, value; /* without white space around */
};

struct tags {
	size_t count;
	struct tag items[TAGS_MAX];
};

/* ---- tag lists, RFC 6376 3.2 ------------------------------------------------------------------- */

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span
strip(struct span s)
{
	while (s.len > 0 && is_space(s.p[0]))
		s = span_from(s, 1);
	while (s.len > 0 && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

static bool
is_tag_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!ascii_is_alpha(c) && (i == 0 || (!ascii_is_digit(c) && c != '_')))
			return false;
	}
	return name.len > 0;
}

static bool
is_tag_value(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!is_space(value.p[i]) && (value.p[i] < '!' || value.p[i] > '~'))
			return false;
	return true;
}

static const struct tag *
tag_find(const struct tags *tags, const char *name)
{
	for (size_t i = 0; i < tags->count; i++)
		if (span_eq(tags->items[i].name, span_str(name)))
			return &tags->items[i];
	return NULL;
}

/* A list that breaks off is still good for finding out whose signature it claims to be. */
static bool
tags_parse(struct span list, struct tags *tags)
{
	tags->count = 0;
	while (strip(list).len > 0) {
		struct span spec = span_head(list, span_find(list, ';'));
		size_t equals = span_find(spec, '=');
		struct tag *t = &tags->items[tags->count];

		list = span_from(list, spec.len + 1);
		if (tags->count == TAGS_MAX || equals == spec.len)
			return false;
		t->name = strip(span_head(spec, equals));
		t->value = strip(span_from(spec, equals + 1));
		if (!is_tag_name(t->name) || !is_tag_value(t->value))
			return false;
		for (size_t i = 0; i < tags->count; i++)
			if (span_eq(tags->items[i].name, t->name))
				return false;
		tags->count++;
	}
	return true;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool
is_plain_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return dns_name_ok(name);
}

static bool
take_name(const struct tags *tags, const char *tag, uint8_t *name_out, uint8_t *len_out)
{
	const struct tag *t = tag_find(tags, tag);

	if (t == NULL || !is_plain_name(t->value))
		return false;
	for (size_t i = 0; i < t->value.len; i++)
		name_out[i] = ascii_lower(t->value.p[i]);
	*len_out = (uint8_t)t->value.len;
	return true;
}

/* ---- what each tag must be ----------------------------------------------------------------------- */

/* Each returns NULL, or why the signature cannot be verified. */

static const char *
check_version(const struct tags *tags)
{
	const struct tag *v = tag_find(tags, "v");

	return v != NULL && span_eq(v->value, SPAN("1")) ? NULL : "unknown version";
}

/* RFC 8301 3.1, RFC 8463 3 */
static const char *
check_algorithm(const struct tags *tags)
{
	const struct tag *a = tag_find(tags, "a");

	if (a != NULL && span_eq(a->value, SPAN("rsa-sha1")))
		return "rsa-sha1 proves nothing";
	if (a == NULL ||
	    (!span_eq(a->value, SPAN("rsa-sha256")) && !span_eq(a->value, SPAN("ed25519-sha256"))))
		return "unknown algorithm";
	return NULL;
}

static enum dkim_algorithm
algorithm_of(const struct tags *tags)
{
	static const struct {
		struct span name;
		enum dkim_algorithm algorithm;
	} names[] = {
	    {SPAN("rsa-sha256"), DKIM_RSA_SHA256},
	    {SPAN("ed25519-sha256"), DKIM_ED25519_SHA256},
	    {SPAN("rsa-sha1"), DKIM_RSA_SHA1},
	};
	const struct tag *a = tag_find(tags, "a");

	for (size_t i = 0; a != NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq(a->value, names[i].name))
			return names[i].algorithm;
	return DKIM_OTHER;
}

static bool
is_base64(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '+' || c == '/' || c == '=';
}

/* RFC 6008 2: the first eight octets, without the folds. */
static void
take_tag(const struct tags *tags, struct dkim_signature *s)
{
	const struct tag *b = tag_find(tags, "b");

	for (size_t i = 0; b != NULL && i < b->value.len && s->tag_len < DKIM_TAG_MAX; i++)
		if (is_base64(b->value.p[i]))
			s->tag[s->tag_len++] = b->value.p[i];
}

/* The library decodes i= into memory of a fixed size, and "=" with what follows it blindly. */
static const char *
check_identity(const struct tags *tags)
{
	const struct tag *i = tag_find(tags, "i");

	if (i != NULL && (i->value.len > IDENTITY_MAX || span_find(i->value, '=') < i->value.len))
		return "identity not understood";
	return NULL;
}

static const char *
check_required(const struct tags *tags)
{
	static const char *const required[] = {"b", "bh", "h"};

	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		const struct tag *t = tag_find(tags, required[i]);

		if (t == NULL || t->value.len == 0)
			return "tag missing";
	}
	return NULL;
}

static bool
take_time(const struct tags *tags, const char *name, uint64_t *v_out)
{
	const struct tag *t = tag_find(tags, name);

	return t == NULL ||
	       (t->value.len <= TIME_MAX_DIGITS && span_decimal(t->value, UINT64_MAX, v_out));
}

static const char *
check_times(const struct tags *tags, uint64_t now)
{
	uint64_t made = 0, expires = UINT64_MAX;

	if (!take_time(tags, "t", &made) || !take_time(tags, "x", &expires))
		return "malformed time";
	if (expires < made)
		return "expires before it was made";
	return made > now + DKIM_CLOCK_SKEW ? "made in the future" : NULL;
}

static bool
is_expired(const struct tags *tags, uint64_t now)
{
	uint64_t expires = UINT64_MAX;

	take_time(tags, "x", &expires);
	return expires < UINT64_MAX - DKIM_CLOCK_SKEW && expires + DKIM_CLOCK_SKEW < now;
}

/* ---- h= -------------------------------------------------------------------------------------- */

enum dkim_watched
dkim_watched_by_name(struct span name)
{
	static const struct span names[DKIM_WATCHED] = {
	    [DKIM_WATCH_FROM] = SPAN("from"),
	    [DKIM_WATCH_TO] = SPAN("to"),
	    [DKIM_WATCH_CC] = SPAN("cc"),
	    [DKIM_WATCH_SUBJECT] = SPAN("subject"),
	    [DKIM_WATCH_DATE] = SPAN("date"),
	    [DKIM_WATCH_REPLY_TO] = SPAN("reply-to"),
	    [DKIM_WATCH_CONTENT_TYPE] = SPAN("content-type"),
	};
	unsigned i = 0;

	while (i < DKIM_WATCHED && !span_eq_nocase(names[i], name))
		i++;
	return (enum dkim_watched)i;
}

static const char *
check_signed_fields(const struct tags *tags, struct dkim_signature *s)
{
	struct span rest = tag_find(tags, "h")->value;
	unsigned n = 0;

	while (rest.len > 0) {
		struct span name = span_head(rest, span_find(rest, ':'));
		enum dkim_watched watched = dkim_watched_by_name(strip(name));

		rest = span_from(rest, name.len + 1);
		if (++n > DKIM_SIGNED_MAX)
			return "too many fields signed";
		if (strip(name).len == 0)
			return "malformed list of fields";
		if (watched < DKIM_WATCHED)
			s->signed_count[watched]++;
	}
	return s->signed_count[DKIM_WATCH_FROM] > 0 ? NULL : "From is not signed";
}

/* ---- l= -------------------------------------------------------------------------------------- */

static bool
is_number(struct span s)
{
	uint64_t v;

	return span_decimal(s, UINT64_MAX, &v);
}

/* ---- the whole --------------------------------------------------------------------------------- */

static void
decide(struct dkim_signature *s, enum auth_result result, const char *reason)
{
	if (s->decided != AUTH_UNCHECKED || reason == NULL)
		return;
	s->decided = result;
	s->reason = reason;
}

static void
check_tags(const struct tags *tags, uint64_t now, struct dkim_signature *s)
{
	const struct tag *length = tag_find(tags, "l");

	decide(s, AUTH_PERMERROR, check_version(tags));
	decide(s, AUTH_PERMERROR, check_required(tags));
	decide(s, AUTH_PERMERROR, check_algorithm(tags));
	decide(s, AUTH_PERMERROR, check_identity(tags));
	decide(s, AUTH_PERMERROR, check_times(tags, now));
	if (s->decided == AUTH_UNCHECKED)
		decide(s, AUTH_PERMERROR, check_signed_fields(tags, s));
	if (length != NULL && !is_number(length->value))
		decide(s, AUTH_PERMERROR, "malformed length");
	if (is_expired(tags, now))
		decide(s, AUTH_FAIL, "expired");
	/* Anybody can append to what it covers. */
	if (length != NULL)
		decide(s, AUTH_NEUTRAL, "policy, covers only a part of the body");
}

bool
dkim_signature_read(struct span value, uint64_t now, struct dkim_signature *s_out)
{
	struct tags tags;
	bool whole = tags_parse(value, &tags);
	struct dkim_signature *s = s_out;

	memset(s, 0, sizeof(*s));
	s->decided = AUTH_UNCHECKED;
	s->reason = "";
	if (!take_name(&tags, "d", s->domain, &s->domain_len) ||
	    !take_name(&tags, "s", s->selector, &s->selector_len))
		return false;
	s->algorithm = algorithm_of(&tags);
	take_tag(&tags, s);
	if (value.len > DKIM_SIGNATURE_MAX)
		decide(s, AUTH_PERMERROR, "too long");
	if (!whole)
		decide(s, AUTH_PERMERROR, "malformed");
	if (memchr(s->domain, '.', s->domain_len) == NULL)
		decide(s, AUTH_PERMERROR, "a top-level domain signs nothing");
	if (s->domain_len + s->selector_len + SPAN("._domainkey.").len > DNS_NAME_MAX)
		decide(s, AUTH_PERMERROR, "name too long");
	check_tags(&tags, now, s);
	return true;
}

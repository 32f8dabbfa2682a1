#include "queue-handoff/header.h"

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Octets of the first line, its LF included when it is there. */
static size_t
line_len(struct span rest)
{
	size_t lf = span_find(rest, '\n');

	return lf < rest.len ? lf + 1 : lf;
}

size_t
header_field_len(struct span rest)
{
	size_t len = line_len(rest);

	while (len < rest.len && is_blank(rest.p[len]))
		len += line_len(span_from(rest, len));
	return len;
}

/* RFC 5322 2.2: ftext is 33 to 126 without ":". Returns: octets of the name. */
static size_t
name_len(struct span field)
{
	size_t n = 0;

	while (n < field.len && field.p[n] > ' ' && field.p[n] < 127 && field.p[n] != ':')
		n++;
	return n;
}

/* Index behind the colon, or 0 when it is no field. Blanks and folds before the colon are the
 * obs-optional of RFC 5322 4.5.8, which readers take. */
static size_t
value_at(struct span field, size_t name)
{
	size_t i = name;

	while (i < field.len && (is_blank(field.p[i]) || field.p[i] == '\n' || field.p[i] == '\r'))
		i++;
	return name > 0 && i < field.len && field.p[i] == ':' ? i + 1 : 0;
}

/* ---- whose results they claim to be ------------------------------------------------------------ */

/* Index behind a comment that begins at `at`; comments nest (RFC 5322 3.2.2). */
static size_t
skip_comment(struct span s, size_t at)
{
	size_t depth = 0;
	size_t i = at;

	for (; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.len;
}

static bool
is_host_octet(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '.' || c == '-' || c == '_';
}

/* How much of our name has been read: it matches so far, and perhaps to its end. */
struct match {
	struct span id;
	size_t have;
	bool dotted; /* one final dot was taken */
};

static bool
match_whole(const struct match *m)
{
	return m->have == m->id.len && m->id.len > 0;
}

/* Returns: false when what was read can no longer become our name. */
static bool
match_octet(struct match *m, uint8_t c)
{
	if (m->have < m->id.len && ascii_lower(c) == ascii_lower(m->id.p[m->have])) {
		m->have++;
		return true;
	}
	if (match_whole(m) && c == '.' && !m->dotted) {
		m->dotted = true;
		return true;
	}
	return false;
}

/*
 * The authserv-id of RFC 8601 2.2. Octets that no host name has are boundaries and otherwise
 * skipped: it is ours when at any boundary just our name has been read.
 */
static bool
value_claims(struct span value, struct span authserv_id)
{
	struct match m = {.id = authserv_id};
	size_t i = 0;

	while (i < value.len) {
		uint8_t c = value.p[i];

		if (is_host_octet(c)) {
			if (!match_octet(&m, c))
				return false;
			i++;
			continue;
		}
		if (match_whole(&m))
			return true;
		if (c == ';')
			return false;
		i = c == '(' ? skip_comment(value, i) : i + 1;
	}
	return match_whole(&m);
}

bool
header_claims(struct span field, struct span authserv_id)
{
	size_t name = name_len(field);
	size_t value = value_at(field, name);

	return value > 0 &&
	       span_eq_nocase(span_head(field, name), SPAN("Authentication-Results")) &&
	       value_claims(span_from(field, value), authserv_id);
}

static bool
is_among(struct span name, const struct conf_strings *names)
{
	for (size_t i = 0; i < names->count; i++)
		if (span_eq_nocase(name, span_str(names->items[i])))
			return true;
	return false;
}

bool
header_is_removed(struct span field, const struct header_rules *rules)
{
	struct span name = span_head(field, name_len(field));

	if (value_at(field, name.len) == 0)
		return false;
	return span_eq_nocase(name, SPAN("Received-SPF")) ||
	       span_eq_nocase(name, SPAN("X-Gatehouse-Disposition")) ||
	       span_eq_nocase(name, SPAN("X-Gatehouse-Listed")) || is_among(name, &rules->names) ||
	       header_claims(field, rules->authserv_id);
}

/* ---- the block --------------------------------------------------------------------------------- */

static bool
is_empty_line(struct span rest)
{
	return rest.p[0] == '\n' || (rest.len > 1 && rest.p[0] == '\r' && rest.p[1] == '\n');
}

void
header_scan(
    struct span octets, bool whole, const struct header_rules *rules, struct header_scan *out)
{
	*out = (struct header_scan){0};
	while (out->block_len < octets.len) {
		struct span rest = span_from(octets, out->block_len);
		struct span field;

		if (is_empty_line(rest)) {
			out->complete = true;
			return;
		}
		field = span_head(rest, header_field_len(rest));
		/* It may go on in what has not been read yet. */
		if (field.len == rest.len && !whole)
			return;
		if (value_at(field, name_len(field)) == 0)
			out->malformed = true;
		if (header_is_removed(field, rules)) {
			out->claimed += header_claims(field, rules->authserv_id);
			out->removed++;
			out->removed_len += field.len;
		}
		out->block_len += field.len;
	}
	out->complete = whole;
}

size_t
header_strip(uint8_t *block, size_t block_len, const struct header_rules *rules)
{
	size_t from = 0, to = 0;

	while (from < block_len) {
		struct span rest = span_of(block + from, block_len - from);
		size_t len = header_field_len(rest);

		if (!header_is_removed(span_head(rest, len), rules)) {
			memmove(block + to, block + from, len);
			to += len;
		}
		from += len;
	}
	return to;
}

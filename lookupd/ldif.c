#include "lookupd/ldif.h"

#include <stdlib.h>

struct ldif {
	struct ldif_handler to;
	unsigned line;      /* that is being read */
	unsigned line_from; /* where the unfolded line began */
	size_t len;         /* octets of the unfolded line */
	bool whole;     /* the line feed of it was seen; the next octet tells whether it goes on */
	bool continued; /* a line that begins with a space is being read */
	bool overlong, in_entry, return_seen;
	uint8_t octets[LDIF_LINE_MAX];
};

struct ldif *
ldif_new(const struct ldif_handler *handler)
{
	struct ldif *l = calloc(1, sizeof(*l)); /* pages that are not used cost nothing */

	if (l == NULL)
		return NULL;
	l->to = *handler;
	l->line = l->line_from = 1;
	return l;
}

void
ldif_free(struct ldif **l)
{
	free(*l);
	*l = NULL;
}

/* ---- base64 ------------------------------------------------------------------------------------- */

static int
base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
ldif_base64(uint8_t *octets, size_t *len)
{
	size_t in = *len, out = 0;
	uint32_t bits = 0;
	unsigned count = 0, padding = 0;

	if (in % 4 != 0)
		return false;
	for (; in > 0 && octets[in - 1] == '=' && padding < 2; padding++)
		in--;
	for (size_t i = 0; i < in; i++) {
		int digit = base64_digit(octets[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		count += 6;
		if (count >= 8) {
			count -= 8;
			octets[out++] = (uint8_t)(bits >> count);
		}
	}
	/* What is left over of the last digit is zero. */
	if (count != 2 * padding || (bits & ((1u << count) - 1)) != 0)
		return false;
	*len = out;
	return true;
}

/* ---- lines ---------------------------------------------------------------------------------------- */

static void
fail(struct ldif *l, const char *error)
{
	l->to.on_error(l->to.context, error, l->line_from);
}

static void
end_entry(struct ldif *l)
{
	if (l->in_entry)
		l->to.on_end(l->to.context);
	l->in_entry = false;
}

/* Returns: false when the value is not what it says. */
static bool
take_value(struct ldif *l, size_t colon, struct span *value_out)
{
	size_t at = colon + 1;
	bool base64 = at < l->len && l->octets[at] == ':';

	if (base64)
		at++;
	else if (at < l->len && l->octets[at] == '<') {
		fail(l, "a value in another file is not read");
		return false;
	}
	while (at < l->len && l->octets[at] == ' ')
		at++;
	if (base64) {
		size_t len = l->len - at;

		if (!ldif_base64(l->octets + at, &len)) {
			fail(l, "not base64");
			return false;
		}
		l->len = at + len;
	}
	*value_out = span_of(l->octets + at, l->len - at);
	return true;
}

static void
take_attribute(struct ldif *l)
{
	struct span line = span_of(l->octets, l->len), name, options, value;
	size_t colon = span_find(line, ':'), semicolon;

	if (colon == line.len || colon == 0) {
		fail(l, "not a line of LDIF: no attribute and colon");
		return;
	}
	name = span_head(line, colon);
	semicolon = span_find(name, ';');
	options = span_from(name, semicolon);
	name = span_head(name, semicolon);
	if (!take_value(l, colon, &value))
		return;
	if (span_eq_nocase(name, SPAN("version")) && !l->in_entry) {
		if (!span_eq(value, SPAN("1")))
			fail(l, "another version of LDIF");
		return;
	}
	if (span_eq_nocase(name, SPAN("dn")))
		l->in_entry = true;
	else if (!l->in_entry) {
		/* Where a search goes on elsewhere. */
		if (!span_eq_nocase(name, SPAN("ref")))
			fail(l, "an entry begins with dn:");
		return;
	}
	if (span_eq_nocase(name, SPAN("changetype")) && !span_eq_nocase(value, SPAN("add")))
		fail(l, "a list of changes, not of entries");
	l->to.on_value(l->to.context, name, options, value, l->line_from);
}

/* An unfolded line is complete. */
static void
end_line(struct ldif *l)
{
	if (l->overlong)
		fail(l, "a line is longer than 1 MiB");
	else if (l->len == 0)
		end_entry(l);
	else if (l->octets[0] != '#')
		take_attribute(l);
	l->len = 0;
	l->overlong = l->whole = false;
	l->line_from = l->line;
}

static void
put(struct ldif *l, uint8_t c)
{
	if (l->len < sizeof(l->octets))
		l->octets[l->len++] = c;
	else
		l->overlong = true;
}

static void
take_octet(struct ldif *l, uint8_t c)
{
	if (l->whole) {
		l->whole = false;
		if (c == ' ' && l->len > 0) {
			l->return_seen = false;
			return;
		}
		end_line(l);
	}
	if (c == '\n') {
		l->return_seen = false;
		l->whole = true;
		l->line++;
		return;
	}
	/* A CR counts unless a line feed follows. */
	if (l->return_seen)
		put(l, '\r');
	l->return_seen = c == '\r';
	if (c != '\r')
		put(l, c);
}

void
ldif_take(struct ldif *l, struct span octets)
{
	for (size_t i = 0; i < octets.len; i++)
		take_octet(l, octets.p[i]);
}

void
ldif_finish(struct ldif *l)
{
	if (l->whole || l->len > 0 || l->overlong)
		end_line(l);
	end_entry(l);
}

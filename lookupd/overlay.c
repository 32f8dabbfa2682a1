#include "lookupd/overlay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/digest.h"

#include "lookupd/defaults.h"

#define FIRST_LINE "gatehouse-overlay 1 "
#define LAST_LINE "end "

enum { DIGEST_HEX = 2 * DIGEST_LEN };

static const char *const verbs[OVERLAY_VERBS] = {
    [OVERLAY_ADD] = "add",
    [OVERLAY_REMOVE] = "remove",
    [OVERLAY_DEFER] = "defer",
};

const char *
overlay_verb_name(enum overlay_verb verb)
{
	return verbs[verb];
}

struct overlay *
overlay_new(void)
{
	struct overlay *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	keymap_init(&o->map);
	o->tail = &o->first;
	return o;
}

void
overlay_free(struct overlay **o)
{
	if (*o == NULL)
		return;
	while ((*o)->first != NULL) {
		struct overlay_entry *next = (*o)->first->next;

		free((*o)->first);
		(*o)->first = next;
	}
	keymap_clear(&(*o)->map);
	free(*o);
	*o = NULL;
}

/* ---- entries ------------------------------------------------------------------------------------ */

/* An entry with a copy of the line behind it, and behind that the address. */
static struct overlay_entry *
make_entry(struct span line, const char **error_out)
{
	struct overlay_entry *e = calloc(1, sizeof(*e) + line.len + ADDRESS_MAX + 2);
	uint8_t *copy;
	struct buf address;

	*error_out = "out of memory";
	if (e == NULL)
		return NULL;
	copy = (uint8_t *)(e + 1);
	memcpy(copy, line.p, line.len);
	e->line = span_of(copy, line.len);
	if (list_parse(e->line, &e->said, error_out) != LIST_ENTRY ||
	    e->said.kind != LIST_ADDRESS) {
		if (*error_out == NULL)
			*error_out = "not one address";
		free(e);
		return NULL;
	}
	address = buf_over(copy + line.len, ADDRESS_MAX + 2);
	buf_put_span(&address, e->said.local);
	buf_put_u8(&address, '@');
	buf_put_span(&address, e->said.domain);
	e->item.key = buf_span(&address);
	return e;
}

/* What is said together with a verb. */
static const char *
check_said(enum overlay_verb verb, const struct list_entry *said)
{
	bool plain = said->verdict == LIST_ACCEPT && said->backend.len == 0 &&
	             said->class.len == 0 && said->size == 0 && !said->no_bounces &&
	             said->delivered_to.len == 0;

	if (verb == OVERLAY_REMOVE && !plain)
		return "who is removed has no attributes";
	if (verb == OVERLAY_REMOVE && span_eq(said->local, SPAN("postmaster")))
		return "mail for postmaster must be taken";
	if (verb == OVERLAY_DEFER && said->verdict != LIST_DEFER)
		return "who is put off has defer= and nothing else";
	return NULL;
}

const char *
overlay_say(struct overlay *o, enum overlay_verb verb, uint64_t time, struct span line)
{
	const char *error;
	struct overlay_entry *e = make_entry(line, &error), *known;

	if (e == NULL)
		return error;
	error = check_said(verb, &e->said);
	known = (void *)keymap_get(&o->map, e->item.key);
	if (error == NULL && known == NULL && o->count >= OVERLAY_ENTRIES_MAX)
		error = "10000 changes are there already: compile the database anew";
	if (error != NULL) {
		free(e);
		return error;
	}
	e->verb = verb;
	e->time = time;
	*o->tail = e;
	o->tail = &e->next;
	if (known == NULL)
		o->count++;
	else
		known->dropped = true;
	/* The newest of equal keys is found: keymap_add() replaces. */
	return keymap_add(&o->map, &e->item) < 0 ? "out of memory" : NULL;
}

/* ---- text ------------------------------------------------------------------------------------------ */

static struct span
take_until(struct span *rest, uint8_t end)
{
	size_t n = span_find(*rest, end);
	struct span taken = span_head(*rest, n);

	*rest = span_from(*rest, n + 1);
	return taken;
}

static const char *
parse_entry(struct overlay *o, struct span line)
{
	struct span word = take_until(&line, ' '), time = take_until(&line, ' ');
	uint64_t seconds;
	unsigned verb = 0;

	while (verb < OVERLAY_VERBS && !span_eq(word, span_str(verbs[verb])))
		verb++;
	if (verb == OVERLAY_VERBS || !span_decimal(time, UINT64_MAX, &seconds))
		return "a line is no change";
	return overlay_say(o, (enum overlay_verb)verb, seconds, line);
}

static void
hex_of(const uint8_t digest[DIGEST_LEN], char hex[DIGEST_HEX + 1])
{
	for (size_t i = 0; i < DIGEST_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/*
 * The last line holds for all before it: a file that is cut or changed is refused.
 * Out: *body_out, without it.
 */
static const char *
check_end(struct span text, struct span *body_out, uint64_t *count_out, uint32_t *mark_out)
{
	struct digest d;
	uint8_t digest[DIGEST_LEN];
	char hex[DIGEST_HEX + 1];
	struct span last, before;
	size_t at;

	if (text.len == 0 || text.p[text.len - 1] != '\n')
		return "it does not end in an end line";
	at = span_find_last(span_head(text, text.len - 1), '\n');
	if (at >= text.len - 1)
		return "it does not end in an end line";
	before = span_head(text, at + 1);
	last = span_head(span_from(text, at + 1), text.len - at - 2);
	if (!span_eq(span_head(last, 4), SPAN(LAST_LINE)))
		return "it does not end in an end line";
	last = span_from(last, 4);
	digest_init(&d);
	digest_update(&d, before);
	digest_final(&d, digest);
	hex_of(digest, hex);
	if (!span_decimal(take_until(&last, ' '), OVERLAY_ENTRIES_MAX, count_out) ||
	    !span_eq(last, span_str(hex)))
		return "damaged: its digest is not that of its content";
	*mark_out = (uint32_t)digest[0] << 16 | (uint32_t)digest[1] << 8 | digest[2];
	*body_out = before;
	return NULL;
}

static const char *
parse(struct overlay *o, struct span text)
{
	uint64_t count;
	struct span first;
	const char *error = check_end(text, &text, &count, &o->mark);

	if (error != NULL)
		return error;
	first = take_until(&text, '\n');
	if (!span_eq(span_head(first, sizeof(FIRST_LINE) - 1), SPAN(FIRST_LINE)) ||
	    !span_decimal(span_from(first, sizeof(FIRST_LINE) - 1), UINT64_MAX, &o->generation))
		return "not an overlay of this version";
	while (text.len > 0 && error == NULL)
		error = parse_entry(o, take_until(&text, '\n'));
	return error == NULL && o->count != count ? "its entries are not as many as it says"
	                                          : error;
}

struct overlay *
overlay_parse(struct span text, const char **error_out)
{
	struct overlay *o = overlay_new();

	*error_out = o == NULL ? "out of memory" : parse(o, text);
	if (*error_out != NULL)
		overlay_free(&o);
	return o;
}

struct overlay *
overlay_read(int fd, const char **error_out)
{
	uint8_t *octets = malloc(OVERLAY_OCTETS_MAX + 1);
	struct overlay *o = NULL;
	size_t len = 0;
	ssize_t n = octets != NULL ? 1 : -1;

	*error_out = "out of memory";
	while (n > 0 && len <= OVERLAY_OCTETS_MAX) {
		n = pread(fd, octets + len, OVERLAY_OCTETS_MAX + 1 - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
		else if (n < 0)
			*error_out = "cannot be read";
	}
	if (n == 0)
		o = overlay_parse(span_of(octets, len), error_out);
	else if (n > 0)
		*error_out = "larger than 4 MiB";
	free(octets);
	return o;
}

static void
put_entries(FILE *f, const struct overlay *o)
{
	fprintf(f, FIRST_LINE "%llu\n", (unsigned long long)o->generation);
	for (const struct overlay_entry *e = o->first; e != NULL; e = e->next)
		if (!e->dropped)
			fprintf(f, "%s %llu %.*s\n", verbs[e->verb], (unsigned long long)e->time,
			    (int)e->line.len, (const char *)e->line.p);
}

char *
overlay_format(const struct overlay *o, size_t *len_out)
{
	char *text = NULL, hex[DIGEST_HEX + 1];
	uint8_t digest[DIGEST_LEN];
	struct digest d;
	FILE *f = open_memstream(&text, len_out);

	if (f == NULL)
		return NULL;
	put_entries(f, o);
	if (fflush(f) == 0) {
		digest_init(&d);
		digest_update(&d, span_of(text, *len_out));
		digest_final(&d, digest);
		hex_of(digest, hex);
		fprintf(f, LAST_LINE "%zu %s\n", o->count, hex);
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- lookup ---------------------------------------------------------------------------------------- */

static const struct overlay_entry *
find(const struct overlay *o, struct span local, struct span domain)
{
	uint8_t octets[ADDRESS_MAX];
	struct buf key = BUF_OVER(octets);
	const struct overlay_entry *e;

	buf_put_lower(&key, local);
	buf_put_u8(&key, '@');
	buf_put_lower(&key, domain);
	e = key.full ? NULL : (const void *)keymap_get(&o->map, buf_span(&key));
	return e != NULL && !e->dropped ? e : NULL;
}

/* The local part as it is, then cut where the domain's extensions begin. */
static const struct overlay_entry *
find_in(const struct overlay *o, struct span local, struct span domain, struct span delimiters)
{
	const struct overlay_entry *e = find(o, local, domain);
	size_t i = 0;

	while (i < local.len && span_find(delimiters, local.p[i]) == delimiters.len)
		i++;
	return e == NULL && i > 0 && i < local.len ? find(o, span_head(local, i), domain) : e;
}

static void
apply(const struct overlay_entry *e, const struct database *db, const struct domain *d,
    struct lookup_result *r_out)
{
	*r_out = (struct lookup_result){
	    .match = MATCH_OVERLAY, .status = e->said.status, .text = e->said.text};
	if (e->verb == OVERLAY_REMOVE)
		r_out->verdict = RCPT_UNKNOWN_USER;
	else if (e->said.verdict == LIST_REJECT)
		r_out->verdict = RCPT_REFUSED;
	else if (e->said.verdict == LIST_DEFER)
		r_out->verdict = RCPT_DEFERRED;
	else if (d != NULL && !defaults_accept(db, d, MATCH_OVERLAY, r_out)) {
		r_out->verdict = RCPT_TROUBLE;
		r_out->trouble = "a route is missing";
	} else {
		r_out->verdict = RCPT_ACCEPTED;
		if (e->said.backend.len > 0)
			r_out->route = e->said.backend;
		if (e->said.class.len > 0)
			r_out->class = e->said.class;
		if (e->said.size != 0)
			r_out->size_limit = e->said.size;
		r_out->delivered_to = e->said.delivered_to;
		r_out->no_bounces = e->said.no_bounces;
	}
}

bool
overlay_lookup(const struct overlay *o, const struct database *db, const struct address *asked,
    struct lookup_result *r_out)
{
	struct span local = address_local(asked), domain = address_domain(asked);
	const struct overlay_entry *e;
	struct domain d = {0};
	bool known;

	if (o->count == 0 || domain.len == 0)
		return false;
	known = defaults_domain(db, domain, &d);
	e = find_in(o, local, domain, d.delimiters);
	if (e == NULL && known) {
		/* An alias domain has the recipients of the real one. */
		struct domain self;

		if (defaults_alias(db, domain, &self))
			e = find_in(o, local, self.real, d.delimiters);
	}
	if (e == NULL)
		return false;
	apply(e, db, known ? &d : NULL, r_out);
	return true;
}

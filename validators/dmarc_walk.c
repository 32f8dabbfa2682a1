#include "validators/dmarc_walk.h"

#include "validators/note.h"
#include "validators/suffix.h"

/* ---- one name -------------------------------------------------------------------------------- */

/* RFC 9989 4.10: what is not of this version does not count, and two records are none. */
static enum dmarc_found
select_record(const struct dns_reply *reply, struct dmarc_record *record_out)
{
	struct span rest = dns_records(reply);
	struct msg_dns_record record;
	unsigned n = 0;

	while (dns_next(&rest, &record)) {
		if (!dmarc_record_is_one(record.data))
			continue;
		note("dmarc record", span_of(NULL, 0), record.data);
		if (++n == 1)
			dmarc_record_parse(record.data, record_out);
	}
	if (n != 1)
		return DMARC_NO_RECORD;
	return record_out->usable ? DMARC_FOUND : DMARC_UNUSABLE;
}

static enum dmarc_found
ask(const struct dmarc_names *names, struct span name, struct dmarc_record *record_out)
{
	uint8_t room[DNS_NAME_MAX];
	struct buf question = BUF_OVER(room);
	struct dns_reply *reply = names->reply;

	buf_put_str(&question, "_dmarc.");
	buf_put_span(&question, name);
	if (question.full)
		return DMARC_NO_RECORD; /* nothing can be there */
	names->resolver->ask(names->resolver->arg, buf_span(&question), DNS_TYPE_TXT, reply);
	if (reply->status == DNS_TROUBLE)
		return DMARC_TROUBLE;
	if (reply->status == DNS_UNUSABLE) {
		*record_out = (struct dmarc_record){.usable = false};
		return DMARC_UNUSABLE;
	}
	return reply->status == DNS_OK ? select_record(reply, record_out) : DMARC_NO_RECORD;
}

const struct dmarc_name *
dmarc_name_ask(struct dmarc_names *names, struct span name)
{
	static const struct dmarc_name too_many = {.found = DMARC_TROUBLE};
	struct dmarc_name *n;

	for (size_t i = 0; i < names->count; i++)
		if (span_eq(from_domain_span(&names->items[i].name), name))
			return &names->items[i];
	if (names->count == DMARC_NAMES_MAX || name.len > DNS_NAME_MAX)
		return &too_many;
	n = &names->items[names->count++];
	n->name.len = (uint8_t)name.len;
	memcpy(n->name.name, name.p, name.len);
	n->found = ask(names, name, &n->record);
	return n;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static size_t
labels_of(struct span name)
{
	size_t n = 1;

	for (size_t i = 0; i < name.len; i++)
		n += name.p[i] == '.';
	return n;
}

/* Without its first label; empty after the last. */
static struct span
parent_of(struct span name)
{
	return span_from(name, span_find(name, '.') + 1);
}

static bool
has_record(const struct dmarc_name *n)
{
	return n->found == DMARC_FOUND || n->found == DMARC_UNUSABLE;
}

/*
 * What a registry has to say matters only where nobody below it has said anything: a top-level
 * domain whose servers do not answer defers no mail of domains that have a policy.
 */
static bool
is_trouble(const struct dmarc_walk *w)
{
	bool any = false;

	for (size_t i = 0; i < w->count; i++)
		any = any || has_record(w->steps[i]);
	for (size_t i = 0; i < w->count; i++)
		if (w->steps[i]->found == DMARC_TROUBLE &&
		    !(any && suffix_is_registry(from_domain_span(&w->steps[i]->name))))
			return true;
	return false;
}

static void
walk(struct dmarc_names *names, struct span name, struct dmarc_walk *w)
{
	while (name.len > 0 && w->count < DMARC_WALK_MAX) {
		const struct dmarc_name *n = dmarc_name_ask(names, name);

		w->steps[w->count++] = n;
		if (has_record(n) && n->record.psd != DMARC_PSD_UNSAID)
			return;
		name = parent_of(name);
		/* Long names are cut to seven labels after the first question. */
		while (w->count == 1 && labels_of(name) >= DMARC_WALK_MAX)
			name = parent_of(name);
	}
}

void
dmarc_walk(struct dmarc_names *names, struct span name, struct dmarc_walk *walk_out)
{
	*walk_out = (struct dmarc_walk){0};
	walk(names, name, walk_out);
	walk_out->trouble = is_trouble(walk_out);
}

const struct dmarc_name *
dmarc_walk_find(const struct dmarc_walk *walk, struct span name)
{
	for (size_t i = 0; i < walk->count; i++)
		if (has_record(walk->steps[i]) &&
		    span_eq(from_domain_span(&walk->steps[i]->name), name))
			return walk->steps[i];
	return NULL;
}

/* The end of `name` that has one label more than `above`, which is an end of it too. */
static struct span
one_below(struct span name, size_t above_len)
{
	size_t from = name.len - above_len - 1;

	while (from > 0 && name.p[from - 1] != '.')
		from--;
	return span_from(name, from);
}

struct span
dmarc_organization(const struct dmarc_walk *walk, struct span name)
{
	const struct dmarc_name *top = NULL;

	if (walk->trouble)
		return span_of(NULL, 0);
	for (size_t i = 0; i < walk->count; i++)
		if (has_record(walk->steps[i]))
			top = walk->steps[i];
	/* Names are ends of `name`, so their lengths say which. */
	if (top == NULL || top->name.len == name.len)
		return name;
	if (top->record.psd == DMARC_PSD_YES)
		return one_below(name, top->name.len);
	/*
	 * A registry or a hoster that publishes a record and does not say psd=y: its customers are
	 * not one organisation (row 246).
	 */
	if (top->record.psd == DMARC_PSD_UNSAID && suffix_is_public(from_domain_span(&top->name)))
		return one_below(name, top->name.len);
	return span_from(name, name.len - top->name.len);
}

#include "lookupd/guard.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/bug.h"

#include "lookupd/lookup.h"
#include "lookupd/parts.h"
#include "lookupd/walk.h"

bool
guard_allows(uint64_t before, uint64_t taken, unsigned share)
{
	return taken <= GUARD_FLOOR || taken <= before / 100 * share + before % 100 * share / 100;
}

/* ---- comparing two databases --------------------------------------------------------------------- */

struct counts {
	uint64_t before, taken;
};

/*
 * UNSAFE: the value is written where it lies. It is in memory that its owner may write, and the
 * length of the attribute stays.
 */
static void
set_numbers(struct span value, size_t head, uint8_t type, const uint64_t *numbers, size_t count)
{
	struct cursor c = cursor_over(span_from(value, head));
	struct attr a;

	while (c.left > 0 && attr_next(&c, &a) == RECORD_OK) {
		struct buf b = buf_over((void *)(uintptr_t)a.octets.p, a.octets.len);

		if (a.type != type || a.octets.len != 8 * count)
			continue;
		for (size_t i = 0; i < count; i++)
			buf_put_u64(&b, numbers[i]);
		BUG_ON(b.full);
	}
}

/*
 * A walk through the new database beside that through the old one. Sources change little and keep
 * their order: most recipients come in both at the same time, and a lookup anywhere in a large
 * file is spared.
 */
struct companion {
	struct walk *walk;
	struct walked here;
	bool more;
};

static void
companion_step(struct companion *c)
{
	c->more = c->more && walk_next(c->walk, &c->here) == WALK_FOUND;
}

static bool
companion_meets(const struct companion *c, const struct walked *other)
{
	return c->more && c->here.type == other->type &&
	       span_eq(address_span(&c->here.address), address_span(&other->address));
}

static bool
still_accepted(const struct database *after, struct companion *c, const struct walked *here)
{
	struct lookup_result r;

	/* It may be behind for what is new; twice as fast as the other it catches up. */
	for (unsigned i = 0; i < 2 && c->more && !companion_meets(c, here); i++) {
		if (i == 0) {
			lookup(after, &here->address, &r);
			if (r.verdict != RCPT_ACCEPTED)
				return false; /* gone: it stays where it is */
		}
		companion_step(c);
	}
	if (companion_meets(c, here)) {
		bool accepts = leaf_accepts(c->here.value);

		companion_step(c);
		return accepts;
	}
	lookup(after, &here->address, &r);
	return r.verdict == RCPT_ACCEPTED;
}

/* What both answer for each recipient that `before` accepts. */
static int
count_taken(const struct database *after, struct walk *w, struct counts *counts)
{
	struct companion c = {.walk = walk_new(after), .more = true};
	struct walked here;
	enum walk_status status;

	if (c.walk == NULL)
		return -1;
	companion_step(&c);
	while ((status = walk_next(w, &here)) == WALK_FOUND) {
		if (!leaf_accepts(here.value))
			continue;
		counts[here.domain].before++;
		if (!still_accepted(after, &c, &here))
			counts[here.domain].taken++;
	}
	walk_free(&c.walk);
	return status == WALK_END ? 0 : -1;
}

static struct span
domain_value(const struct database *db, struct span name)
{
	uint8_t octets[1 + ADDRESS_DOMAIN_MAX];
	struct buf key = BUF_OVER(octets);
	struct span value = {NULL, 0};

	buf_put_u8(&key, name.len > 0 && name.p[0] == '.' ? KEY_SUFFIX : KEY_DOMAIN);
	buf_put_span(&key, name);
	if (key.full || database_get(db, buf_span(&key), &value) != CDBFILE_FOUND)
		value = span_of(NULL, 0);
	return value;
}

/* Returns: how many domains are lost. */
static uint64_t
judge_domains(struct database *after, const struct walk *w, const struct counts *counts,
    unsigned share, const struct guard_hooks *hooks)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < walk_domains(w); i++) {
		struct span name = walk_domain(w, i), value = domain_value(after, name);
		uint64_t numbers[2] = {counts[i].before, counts[i].taken};

		if (value.p == NULL) {
			lost++;
			hooks->on_lost(hooks->ctx, name);
			continue;
		}
		set_numbers(value, 4, DOMAIN_BEFORE, numbers, 2);
		if (!guard_allows(counts[i].before, counts[i].taken, share))
			hooks->on_taken(hooks->ctx, name, counts[i].before, counts[i].taken);
	}
	return lost;
}

/* UNSAFE: writes where the value lies, as set_numbers. Returns: 0, or -1 for a damaged file. */
static int
judge_parts(const struct database *before, const struct database *after, unsigned share,
    const struct guard_hooks *hooks)
{
	struct database_at at = {0};
	struct span key, old, new;
	enum cdbfile_status status;

	while ((status = database_next(before, &at, &key, &old)) == CDBFILE_FOUND) {
		struct part_record was, is;
		struct buf b;

		if (key.len == 0 || key.p[0] != KEY_PART || !part_decode(old, &was) ||
		    database_get(after, key, &new) != CDBFILE_FOUND || !part_decode(new, &is))
			continue;
		is.taken = was.accepts > is.accepts ? was.accepts - is.accepts : 0;
		b = buf_over((void *)(uintptr_t) new.p, new.len);
		buf_put_u64(&b, is.accepts);
		buf_put_u64(&b, was.accepts);
		buf_put_u64(&b, is.taken);
		if (!guard_allows(was.accepts, is.taken, share))
			hooks->on_taken(hooks->ctx, span_from(key, 1), was.accepts, is.taken);
	}
	return status == CDBFILE_NONE ? 0 : -1;
}

int
guard_compare(const struct database *before, struct database *after, unsigned share,
    const struct guard_hooks *hooks)
{
	struct walk *w = walk_new(before);
	struct counts *counts = w != NULL ? calloc(walk_domains(w) + 1, sizeof(*counts)) : NULL;
	uint64_t old_files = before->header.files, files = after->header.files;
	uint64_t gone = old_files > files ? old_files - files : 0;
	uint64_t generation = before->header.generation + 1;
	struct span header;
	int status = -1;

	if (counts == NULL || count_taken(after, w, counts) < 0 ||
	    judge_parts(before, after, share, hooks) < 0)
		goto out;
	if (!guard_allows(old_files, gone, share))
		hooks->on_taken(hooks->ctx, span_of("", 0), old_files, gone);
	if (database_get(after, span_of("", 0), &header) != CDBFILE_FOUND)
		goto out;
	uint64_t numbers[4] = {before->header.generation,
	    judge_domains(after, w, counts, share, hooks), old_files, gone};
	set_numbers(header, 0, HEADER_BEFORE, numbers, 4);
	set_numbers(header, 0, HEADER_GENERATION, &generation, 1);
	status = 0;
out:
	free(counts);
	walk_free(&w);
	return status;
}

/* ---- what a file says of itself --------------------------------------------------------------------- */

void
guard_check_init(struct guard_check *g, unsigned share)
{
	*g = (struct guard_check){.share = share};
}

static void __attribute__((format(printf, 3, 4)))
wrong(struct guard_check *g, struct span name, const char *format, ...)
{
	va_list ap;
	int n;

	if (g->wrong)
		return;
	g->wrong = true;
	va_start(ap, format);
	n = vsnprintf(g->why, sizeof(g->why) / 2, format, ap);
	va_end(ap);
	if (name.len > 0 && n >= 0)
		snprintf(g->why + strlen(g->why), sizeof(g->why) / 2, ": %.*s", (int)name.len,
		    (const char *)name.p);
}

void
guard_check_header(struct guard_check *g, const struct header *h)
{
	struct span none = {NULL, 0};

	g->forced = h->forced;
	if (h->lost > 0)
		wrong(g, none, "%" PRIu64 " domains of the database before are lost", h->lost);
	if (!guard_allows(h->files_before, h->files_taken, g->share))
		wrong(g, none, "%" PRIu64 " of %" PRIu64 " files of users are gone", h->files_taken,
		    h->files_before);
}

void
guard_check_domain(struct guard_check *g, struct span name, const struct domain *d)
{
	if (!guard_allows(d->before, d->taken, g->share))
		wrong(g, name, "%" PRIu64 " of %" PRIu64 " recipients of a domain are lost",
		    d->taken, d->before);
}

void
guard_check_part(struct guard_check *g, struct span name, struct span value)
{
	struct part_record p;

	if (part_decode(value, &p) && !guard_allows(p.before, p.taken, g->share))
		wrong(g, name, "%" PRIu64 " of %" PRIu64 " recipients of a source are lost",
		    p.taken, p.before);
}

void
guard_check_pair(struct guard_check *g, struct span name, const struct domain *before,
    const struct domain *after)
{
	uint64_t now = after != NULL ? after->accepts : 0;

	if (after == NULL)
		wrong(g, name, "a domain of the database in service is lost");
	else if (before->accepts > now &&
		 !guard_allows(before->accepts, before->accepts - now, g->share))
		wrong(g, name, "%" PRIu64 " of %" PRIu64 " recipients of a domain are lost",
		    before->accepts - now, before->accepts);
}

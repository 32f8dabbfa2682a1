#include "lookupd/diff.h"

#include <inttypes.h>
#include <sysexits.h>

#include "lookupd/report.h"
#include "lookupd/walk.h"

static const char *const verdict_names[] = {
    [RCPT_ACCEPTED] = "accepted",
    [RCPT_UNKNOWN_USER] = "unknown-user",
    [RCPT_UNKNOWN_DOMAIN] = "unknown-domain",
    [RCPT_REFUSED] = "refused",
    [RCPT_DEFERRED] = "deferred",
    [RCPT_TROUBLE] = "trouble",
};

struct sums {
	uint64_t gained, lost, other;
};

static bool
same(const struct lookup_result *a, const struct lookup_result *b)
{
	return a->verdict == b->verdict && span_eq(a->status, b->status) &&
	       span_eq(a->text, b->text) && span_eq(a->route, b->route) &&
	       span_eq(a->class, b->class) && a->size_limit == b->size_limit &&
	       a->no_bounces == b->no_bounces;
}

static void
put_detail(FILE *to, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	fprintf(to, " %s=", name);
	report_octets(to, value);
}

static void
put_result(FILE *to, const struct lookup_result *r)
{
	fputs(verdict_names[r->verdict], to);
	put_detail(to, "route", r->route);
	put_detail(to, "class", r->class);
	if (r->size_limit != 0)
		fprintf(to, " size=%" PRIu64, r->size_limit);
	if (r->no_bounces)
		fputs(" bounces=no", to);
	put_detail(to, "status", r->status);
	put_detail(to, "text", r->text);
}

/* bob+*@example.com, @example.com: what the address of the walk stands for. */
static void
put_name(FILE *to, const struct walked *here)
{
	if (here->type == KEY_WILD || here->type == KEY_CATCH_ALL) {
		report_octets(to, here->named);
		fputs(here->type == KEY_WILD ? "*@" : "@", to);
		report_octets(to, address_domain(&here->address));
	} else
		report_octets(to, address_span(&here->address));
}

static void
put_change(FILE *to, const struct walked *here, const struct lookup_result *before,
    const struct lookup_result *after, struct sums *sums)
{
	if (after->verdict == RCPT_ACCEPTED && before->verdict != RCPT_ACCEPTED)
		sums->gained++;
	else if (before->verdict == RCPT_ACCEPTED && after->verdict != RCPT_ACCEPTED)
		sums->lost++;
	else
		sums->other++;
	put_name(to, here);
	fputs(": ", to);
	put_result(to, before);
	fputs(" -> ", to);
	put_result(to, after);
	fputc('\n', to);
}

static bool
has_domain(const struct database *db, struct span name)
{
	uint8_t octets[1 + ADDRESS_DOMAIN_MAX];
	struct buf key = BUF_OVER(octets);
	struct span value;

	buf_put_u8(&key, name.len > 0 && name.p[0] == '.' ? KEY_SUFFIX : KEY_DOMAIN);
	buf_put_span(&key, name);
	return !key.full && database_get(db, buf_span(&key), &value) == CDBFILE_FOUND;
}

static void
put_domains(FILE *to, const struct walk *w, const struct database *other, const char *what,
    struct sums *sums)
{
	for (size_t i = 0; i < walk_domains(w); i++) {
		if (has_domain(other, walk_domain(w, i)))
			continue;
		fputs("domain ", to);
		report_octets(to, walk_domain(w, i));
		fprintf(to, ": %s\n", what);
		sums->other++;
	}
}

/*
 * Everything that `named` names. In: second, whether the first pass has told what both name.
 * Returns: 0, or -1 when memory is out or the database is no good.
 */
static int
pass(const struct database *named, const struct database *old, const struct database *new,
    bool second, FILE *to, struct sums *sums)
{
	struct walk *w = walk_new(named);
	struct walked here;
	enum walk_status status;

	if (w == NULL)
		return -1;
	put_domains(to, w, second ? old : new, second ? "new" : "gone", sums);
	while ((status = walk_next(w, &here)) == WALK_FOUND) {
		struct lookup_result before, after;

		if (second && walk_names(old, &here))
			continue;
		lookup(old, &here.address, &before);
		lookup(new, &here.address, &after);
		if (!same(&before, &after))
			put_change(to, &here, &before, &after, sums);
	}
	walk_free(&w);
	return status == WALK_END ? 0 : -1;
}

int
diff(const struct database *old, const struct database *new, FILE *to)
{
	struct sums sums = {0};

	if (pass(old, old, new, false, to, &sums) < 0 || pass(new, old, new, true, to, &sums) < 0)
		return EX_TEMPFAIL;
	if (new->header.files != old->header.files)
		fprintf(to, "files of users: %" PRIu64 " -> %" PRIu64 "\n", old->header.files,
		    new->header.files);
	fprintf(to, "%" PRIu64 " accepted now, %" PRIu64 " no longer, %" PRIu64 " otherwise\n",
	    sums.gained, sums.lost, sums.other);
	return sums.gained + sums.lost + sums.other > 0 ? 1 : EX_OK;
}

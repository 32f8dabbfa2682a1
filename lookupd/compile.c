#include "lookupd/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "lookupd/backend_names.h"
#include "lookupd/build.h"
#include "lookupd/guard.h"
#include "lookupd/loader.h"
#include "lookupd/lookup.h"
#include "lookupd/overlay_edit.h"
#include "lookupd/publish.h"
#include "lookupd/resolve.h"
#include "lookupd/source.h"
#include "lookupd/walk.h"

static const struct span nothing = {NULL, 0};

/* ---- reading ------------------------------------------------------------------------------------ */

static int
check_usage(const struct compile_options *o, struct report *report)
{
	for (size_t i = 0; i < o->source_count; i++)
		source_known(o->sources[i], report);
	return report->errors > 0 ? EX_USAGE : EX_OK;
}

static void
check_aliases(struct collection *c, struct report *report)
{
	const struct collected_domain *d;

	while ((d = collection_resolve_alias(c)) != NULL)
		report_error(report, d->place.source, d->place.line,
		    "an alias domain leads to no domain of the sources", d->item.key);
}

/* Returns: EX_OK, EX_CONFIG or EX_TEMPFAIL; every source is read, so that all errors are told. */
static int
read_sources(const struct compile_options *o, struct collection *c, struct build_source *digests,
    struct report *report)
{
	bool trouble = false;

	for (size_t i = 0; i < o->source_count; i++) {
		digests[i].name = o->sources[i];
		if (source_read(o->sources[i], c, report, digests[i].digest) == SOURCE_TROUBLE)
			trouble = true;
	}
	check_aliases(c, report);
	c->rules.has_postmaster = o->postmaster != NULL;
	if (resolve(c, report) < 0) {
		report_error(report, NULL, 0, "out of memory", nothing);
		trouble = true;
	}
	if (report->errors == 0 && c->recipients == 0 && c->boxes == 0 && !o->force)
		report_error(report, NULL, 0,
		    "the sources name no recipient; nothing was written (--force: it is meant)",
		    nothing);
	if (report->errors == 0)
		return EX_OK;
	return trouble ? EX_TEMPFAIL : EX_CONFIG;
}

/* A postmaster that the back end bounces is backscatter too (RFC 5321 4.5.1 wants one). */
static void
warn_postmasters(const struct compile_options *o, const struct collection *c, struct report *report)
{
	if (o->postmaster != NULL)
		return;
	for (const struct collected_domain *d = c->first_domain; d != NULL; d = d->next)
		if (!d->postmaster && !d->catch_all && d->real.len == 0 && d->flags == 0)
			report_warning(report, NULL, 0,
			    "no postmaster@ in this domain, and no --postmaster is said to be "
			    "configured",
			    d->item.key);
}

/* Mail for a back end that is not configured is deferred for as long as that is so. */
static int
warn_backends(const struct compile_options *o, const struct collection *c, struct report *report)
{
	struct backend_names names;

	if (o->conf == NULL)
		return EX_OK;
	if (backend_names_read(&names, o->conf) < 0) {
		report_error(report, o->conf, 0, "cannot be read", span_str(strerror(errno)));
		return EX_CONFIG;
	}
	for (const struct collected_route *r = c->first_route; r != NULL; r = r->next)
		if (!backend_names_have(&names, r->item.key))
			report_warning(report, r->place.source, r->place.line,
			    "the configuration has no such section backend; mail for it is "
			    "deferred",
			    r->item.key);
	backend_names_clear(&names);
	return EX_OK;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static int
failed(struct report *report, const char *path, const char *what, int error)
{
	report_error(report, path, 0, what, span_str(strerror(error)));
	return error == ENOENT || error == EACCES || error == ENOTDIR || error == EISDIR ||
	               error == EROFS
	           ? EX_CONFIG
	           : EX_TEMPFAIL;
}

static void
check_configured(const struct database *db, const struct address *postmaster, struct report *report)
{
	struct lookup_result r;

	lookup(db, postmaster, &r);
	if (r.verdict == RCPT_UNKNOWN_DOMAIN)
		report_warning(report, NULL, 0,
		    "the domain of the configured postmaster is not in the sources; "
		    "its mail goes to the first back end",
		    address_span(postmaster));
	else if (r.verdict != RCPT_ACCEPTED)
		report_warning(report, NULL, 0,
		    "the sources do not accept the configured postmaster; mail for postmaster is "
		    "deferred",
		    address_span(postmaster));
}

/* Whether mail for postmaster of a domain is taken, as it will be in service. */
static bool
has_postmaster(const struct compile_options *o, const struct database *db, struct span domain)
{
	uint8_t octets[ADDRESS_MAX];
	struct buf b = BUF_OVER(octets);
	struct address asked;
	const struct address *recipient;
	struct lookup_result r;

	buf_put_str(&b, "postmaster@");
	buf_put_span(&b, domain);
	if (b.full || address_from_inside(buf_span(&b), &asked) != ADDRESS_OK)
		return true; /* nobody can ask */
	lookup_recipient(db, &asked, o->postmaster, &r, &recipient);
	return r.verdict == RCPT_ACCEPTED || r.verdict == RCPT_UNKNOWN_DOMAIN;
}

/* Row 265. Returns: an exit status. */
static int
check_postmasters(const struct compile_options *o, const struct database *db, struct report *report)
{
	struct walk *w = walk_new(db);
	int status = w != NULL ? EX_OK : EX_TEMPFAIL;

	for (size_t i = 0; w != NULL && i < walk_domains(w); i++)
		if (walk_domain(w, i).p[0] != '.' && !has_postmaster(o, db, walk_domain(w, i))) {
			report_error(report, o->output, 0,
			    "mail for postmaster of this domain is not taken; nothing was written",
			    walk_domain(w, i));
			status = EX_CONFIG;
		}
	walk_free(&w);
	return status;
}

/* The file is published only if lookupd will take it: this is the same code. */
static int
check_result(
    const struct compile_options *o, int fd, struct database **db_out, struct report *report)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	const char *error = "no descriptor";
	bool unreadable = true;
	struct database *db = copy >= 0 ? loader_load(copy, &error, &unreadable) : NULL;

	if (db == NULL) {
		report_error(report, o->output, 0, "the result is no good and was not put in place",
		    span_str(error));
		return unreadable ? EX_TEMPFAIL : EX_CONFIG;
	}
	if (o->postmaster != NULL)
		check_configured(db, o->postmaster, report);
	*db_out = db;
	return o->require_postmaster ? check_postmasters(o, db, report) : EX_OK;
}

/* ---- the database that is replaced --------------------------------------------------------------- */

enum { LOSSES_TOLD = 20 };

struct losses {
	struct report *report;
	const struct compile_options *options;
	unsigned long count;
};

static void
tell_loss(struct losses *l, const char *what, struct span detail)
{
	if (++l->count > LOSSES_TOLD)
		return;
	if (l->options->force)
		report_warning(l->report, l->options->output, 0, what, detail);
	else
		report_error(l->report, l->options->output, 0, what, detail);
}

static void
on_lost(void *ctx, struct span domain)
{
	tell_loss(ctx, "a domain is lost", domain);
}

static void
on_taken(void *ctx, struct span domain, uint64_t before, uint64_t taken)
{
	uint8_t octets[128 + ADDRESS_DOMAIN_MAX];
	struct buf detail = BUF_OVER(octets);

	buf_put_decimal(&detail, taken);
	buf_put_str(&detail, " of ");
	buf_put_decimal(&detail, before);
	buf_put_str(&detail, " in ");
	buf_put_span(&detail,
	    domain.len > 0 ? span_head(domain, ADDRESS_DOMAIN_MAX) : SPAN("the files of users"));
	tell_loss(ctx, "too many recipients are no longer accepted", buf_span(&detail));
}

/* Returns: NULL when there is none, or none that is any good. */
static struct database *
load_before(const struct compile_options *o, struct report *report)
{
	int fd = open(o->output, O_RDONLY | O_CLOEXEC);
	const char *error;
	bool unreadable;
	struct database *old;

	if (fd < 0)
		return NULL;
	old = loader_load(fd, &error, &unreadable);
	if (old == NULL)
		report_warning(
		    report, o->output, 0, "the file that is replaced is no good", span_str(error));
	return old;
}

/* Writes into the new file what is gone. Returns: an exit status. */
static int
check_losses(const struct compile_options *o, int fd, bool sharded, const struct database *old,
    struct report *report)
{
	struct losses losses = {.report = report, .options = o};
	struct guard_hooks hooks = {&losses, on_lost, on_taken};
	struct database *result = build_map(fd, sharded);
	int status;

	if (result == NULL)
		return failed(report, o->output, "cannot be mapped", errno);
	status = guard_compare(old, result, o->share, &hooks);
	database_free(&result);
	if (status < 0)
		return failed(report, o->output, "cannot be compared", ENOMEM);
	if (losses.count == 0 || o->force)
		return EX_OK;
	report_error(report, o->output, 0,
	    "the sources lack what it has; nothing was written (--force: it is meant)", nothing);
	return EX_CONFIG;
}

/* ---- the new one ----------------------------------------------------------------------------------- */

static int
write_file(struct publish *p, const struct compile_options *o, struct collection *c,
    const struct build_facts *facts, struct database **result_out, struct report *report)
{
	struct database *old;
	bool sharded;
	int status = EX_OK;

	if (build_write(p->fd, c, facts, &sharded) < 0)
		return failed(report, o->output, "cannot be written", errno);
	collection_clear(c); /* its memory is wanted for what follows */
	old = load_before(o, report);
	if (old != NULL)
		status = check_losses(o, p->fd, sharded, old, report);
	p->keep = old != NULL;
	database_free(&old);
	if (status == EX_OK && build_end_mark(p->fd, sharded) < 0)
		status = failed(report, o->output, "cannot be written", errno);
	return status == EX_OK ? check_result(o, p->fd, result_out, report) : status;
}

static int
write_output(const struct compile_options *o, struct collection *c,
    const struct build_source *digests, struct report *report)
{
	uint64_t recipients = c->recipients, domains = c->domains.used, boxes = c->boxes;
	struct build_facts facts = {
	    .generation = o->now,
	    .built = o->now,
	    .sources = digests,
	    .source_count = o->source_count,
	    .forced = o->force,
	    .beside = o->output,
	    .shard_max = o->shard_max,
	};
	struct database *result = NULL;
	struct publish p;
	int status;

	if (publish_begin(&p, o->output) < 0)
		return failed(report, o->output, "cannot make a file beside it", errno);
	status = write_file(&p, o, c, &facts, &result, report);
	if (status == EX_OK && publish_commit(&p) < 0)
		status = failed(report, o->output, "cannot be put in place", errno);
	publish_abort(&p);
	if (status == EX_OK) {
		fprintf(report->to, "%llu recipients", (unsigned long long)recipients);
		if (boxes > 0)
			fprintf(report->to, " and %llu files of users", (unsigned long long)boxes);
		fprintf(report->to, " in %llu domains, generation %llu\n",
		    (unsigned long long)domains, (unsigned long long)result->header.generation);
		if (overlay_fold(o->output, result, report) < 0)
			status = EX_TEMPFAIL;
	}
	database_free(&result);
	return status;
}

int
compile(const struct compile_options *o, FILE *messages)
{
	struct report report = {.to = messages};
	struct build_source *digests = calloc(o->source_count, sizeof(*digests));
	struct collection c;
	int status;

	collection_init(&c);
	if (digests == NULL) {
		status = failed(&report, NULL, "out of memory", ENOMEM);
		goto out;
	}
	status = check_usage(o, &report);
	if (status == EX_OK)
		status = read_sources(o, &c, digests, &report);
	for (size_t i = 0; o->on_file != NULL && i < c.records.source_count; i++)
		o->on_file(o->ctx, c.records.sources[i]);
	if (status == EX_OK) {
		warn_postmasters(o, &c, &report);
		status = warn_backends(o, &c, &report);
	}
	if (status == EX_OK)
		status = write_output(o, &c, digests, &report);
	else
		fprintf(messages, "%lu errors, %lu warnings; nothing was written\n", report.errors,
		    report.warnings);
out:
	collection_clear(&c);
	free(digests);
	return status;
}

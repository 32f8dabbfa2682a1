#include "lookupd/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "lookupd/build.h"
#include "lookupd/loader.h"
#include "lookupd/lookup.h"
#include "lookupd/publish.h"
#include "lookupd/resolve.h"
#include "lookupd/source.h"

enum { SHRINK_LEAST = 100 }; /* recipients; smaller databases may do what they like */

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
	if (resolve(c, report) < 0) {
		report_error(report, NULL, 0, "out of memory", nothing);
		trouble = true;
	}
	if (report->errors == 0 && c->recipients == 0 && c->boxes == 0)
		report_error(
		    report, NULL, 0, "the sources name no recipient; nothing was written", nothing);
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

/*
 * One more than that of the file that is replaced; the time when there is none to go by.
 * Out: *recipients_out, how many it has.
 */
static uint64_t
next_generation(const struct compile_options *o, struct report *report, uint64_t *recipients_out)
{
	int fd = open(o->output, O_RDONLY | O_CLOEXEC);
	struct database *old;
	const char *error;
	bool unreadable;
	uint64_t generation = o->now;

	*recipients_out = 0;
	if (fd < 0)
		return generation;
	old = loader_load(fd, &error, &unreadable);
	if (old == NULL) {
		report_warning(
		    report, o->output, 0, "the file that is replaced is no good", span_str(error));
		return generation;
	}
	generation = old->header.generation + 1;
	*recipients_out = old->header.recipients;
	database_free(&old);
	return generation;
}

/*
 * Half of the users gone is far more often an export that broke off than it is meant, and every
 * one of them would be refused for good.
 */
static bool
shrinks(const struct compile_options *o, const struct collection *c, uint64_t before,
    struct report *report)
{
	char detail[80];

	if (o->shrink || before < SHRINK_LEAST || c->recipients >= before / 2)
		return false;
	snprintf(detail, sizeof(detail), "%llu instead of %llu", (unsigned long long)c->recipients,
	    (unsigned long long)before);
	report_error(report, o->output, 0,
	    "less than half of the recipients that it has; nothing was written (--shrink allows "
	    "it)",
	    span_str(detail));
	return true;
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

/* The file is published only if lookupd will take it: this is the same code. */
static int
check_result(const struct compile_options *o, int fd, struct report *report)
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
	database_free(&db);
	return EX_OK;
}

static int
write_output(const struct compile_options *o, const struct collection *c,
    const struct build_source *digests, struct report *report)
{
	uint64_t before;
	struct build_facts facts = {
	    .generation = next_generation(o, report, &before),
	    .built = o->now,
	    .sources = digests,
	    .source_count = o->source_count,
	};
	struct publish p;
	int status;

	if (shrinks(o, c, before, report))
		return EX_CONFIG;
	if (publish_begin(&p, o->output) < 0)
		return failed(report, o->output, "cannot make a file beside it", errno);
	if (build_write(p.fd, c, &facts) < 0) {
		status = failed(report, o->output, "cannot be written", errno);
		goto out;
	}
	status = check_result(o, p.fd, report);
	if (status == EX_OK && publish_commit(&p) < 0)
		status = failed(report, o->output, "cannot be put in place", errno);
out:
	publish_abort(&p);
	if (status == EX_OK)
		fprintf(report->to, "%llu recipients in %zu domains, generation %llu\n",
		    (unsigned long long)c->recipients, c->domains.used,
		    (unsigned long long)facts.generation);
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
	if (status == EX_OK) {
		warn_postmasters(o, &c, &report);
		status = write_output(o, &c, digests, &report);
	} else
		fprintf(messages, "%lu errors, %lu warnings; nothing was written\n", report.errors,
		    report.warnings);
out:
	collection_clear(&c);
	free(digests);
	return status;
}

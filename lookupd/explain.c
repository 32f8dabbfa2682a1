#include "lookupd/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "lookupd/build.h"
#include "lookupd/inspect.h"
#include "lookupd/loader.h"
#include "lookupd/overlay_edit.h"
#include "lookupd/resolve.h"
#include "lookupd/source.h"

enum {
	SOURCES_MAX = 1000,
	DEPTH_MAX = 10, /* forwards of forwards that are told */
};

struct explainer {
	struct lookup_trace trace; /* first: on_record gets it */
	const struct explain_options *options;
	struct report report;
	FILE *to;
	struct collection c;
	struct database *db;
	struct overlay *overlay;
	char *names[SOURCES_MAX]; /* of sources that the database names; of malloc */
	size_t name_count;
	unsigned depth;
	struct span last; /* key of the last record that was found */
};

/* ---- places --------------------------------------------------------------------------------------- */

static bool
domain_from(const struct collection *c, struct span name, struct provenance *from_out)
{
	const struct rule_domain *by_rule = rules_find_domain(&c->rules, name);
	const struct collected_domain *by_list = (const void *)keymap_get(&c->domains, name);

	if (by_rule != NULL)
		*from_out = by_rule->from;
	else if (by_list != NULL)
		*from_out = (struct provenance){.place = by_list->place};
	return by_rule != NULL || by_list != NULL;
}

/* Returns: whether the sources say where a record comes from. */
static bool
record_from(const struct collection *c, struct span key, struct provenance *from_out)
{
	const struct rule *rule;

	*from_out = (struct provenance){0};
	if (key_is_domain(key))
		return domain_from(c, span_from(key, 1), from_out);
	rule = rules_find(&c->rules, key);
	if (rule != NULL) {
		*from_out = rule->from;
		return true;
	}
	return records_get(&c->records, key, NULL, &from_out->place);
}

static void
indent(const struct explainer *x)
{
	fprintf(x->to, "%*s", (int)(2 * (x->depth + 1)), "");
}

static void
put_place(FILE *to, const struct place *place)
{
	report_octets(to, span_str(place->source));
	if (place->line > 0)
		fprintf(to, ":%" PRIu32, place->line);
}

static void
on_record(struct lookup_trace *trace, struct span key, struct span value)
{
	struct explainer *x = (void *)trace;
	struct provenance from;

	indent(x);
	inspect_put_record(key, value, x->to);
	if (record_from(&x->c, key, &from) && from.place.source != NULL) {
		fputs(" -- ", x->to);
		put_place(x->to, &from.place);
		if (from.reason != NULL)
			fprintf(x->to, " (%s)", from.reason);
	}
	fputc('\n', x->to);
	x->last = key;
}

/* ---- forwards --------------------------------------------------------------------------------------- */

static void
explain_forwards(struct explainer *x)
{
	const struct rule *rule = x->last.len > 0 ? rules_find(&x->c.rules, x->last) : NULL;
	struct lookup_result r;

	if (rule == NULL || ++x->depth > DEPTH_MAX)
		return;
	for (const struct rule_forward *f = rule->forwards; f != NULL; f = f->next) {
		indent(x);
		fputs("forward to ", x->to);
		report_octets(x->to, f->address);
		fputs(" -- ", x->to);
		put_place(x->to, &f->place);
		fputc('\n', x->to);
		x->last = span_of(NULL, 0);
		x->trace.boxes = rule->of != NULL ? rule->of->number : 0;
		lookup_octets(x->db, f->address, LOOKUP_FROM_INSIDE, &x->trace, &r);
		explain_forwards(x);
	}
	x->depth--;
}

static int
explain_one(struct explainer *x, const char *text)
{
	const struct address *postmaster = x->options->postmaster;
	int status = inspect_query(x->db, x->overlay, postmaster, &text, 1, x->to);
	struct address a;
	struct lookup_result r;

	x->depth = 0;
	x->trace.boxes = 0;
	x->last = span_of(NULL, 0);
	if (address_parse_forward(span_str(text), &a) != ADDRESS_OK)
		return status;
	if (x->overlay != NULL && overlay_lookup(x->overlay, x->db, &a, &r))
		fputs("  decided by the overlay; without it:\n", x->to);
	lookup_octets(x->db, address_span(&a), LOOKUP_FROM_OUTSIDE, &x->trace, &r);
	explain_forwards(x);
	if (x->last.len == 0 && r.verdict != RCPT_ACCEPTED)
		fputs("  no record\n", x->to);
	return status;
}

/* ---- sources ---------------------------------------------------------------------------------------- */

/* Returns: 0, or -1 when the sources are no good; reported. */
static int
read_source(struct explainer *x, const char *name, const uint8_t *expected)
{
	uint8_t digest[DIGEST_LEN];

	if (!source_known(name, &x->report) ||
	    source_read(name, &x->c, &x->report, digest) != SOURCE_READ)
		return -1;
	if (expected != NULL && !digest_equal(digest, expected, DIGEST_LEN))
		report_warning(&x->report, name, 0,
		    "has changed since the database was made; lines may be wrong",
		    span_of(NULL, 0));
	return 0;
}

/* Those that the database names. What cannot be read is told, and has no lines then. */
static void
read_named(struct explainer *x)
{
	struct cursor c = cursor_over(x->db->header.attributes);
	struct attr a;

	while (c.left > 0 && attr_next(&c, &a) == RECORD_OK && x->name_count < SOURCES_MAX) {
		char *name;

		if (a.type != HEADER_SOURCE || a.octets.len < DIGEST_LEN)
			continue;
		name = strndup((const char *)a.octets.p + DIGEST_LEN, a.octets.len - DIGEST_LEN);
		if (name == NULL)
			return;
		x->names[x->name_count++] = name; /* the collection points at it */
		(void)read_source(x, name, a.octets.p);
	}
	(void)resolve(&x->c, &x->report);
}

/* A database of the sources, which nobody else sees. */
static int
build(struct explainer *x)
{
	static const struct build_facts facts = {.generation = 1, .forced = true};
	int fd = memfd_create("recipients", MFD_CLOEXEC);
	const char *error = "cannot be built";
	bool unreadable, sharded;

	if (fd < 0)
		return -1;
	if (build_write(fd, &x->c, &facts, &sharded) == 0 && build_end_mark(fd, sharded) == 0)
		x->db = loader_load(fd, &error, &unreadable);
	else
		close(fd);
	if (x->db == NULL)
		report_error(&x->report, NULL, 0, "the result is no good", span_str(error));
	return x->db != NULL ? 0 : -1;
}

static int
prepare_sources(struct explainer *x)
{
	for (size_t i = 0; i < x->options->source_count; i++)
		if (read_source(x, x->options->sources[i], NULL) < 0)
			return EX_CONFIG;
	while (collection_resolve_alias(&x->c) != NULL)
		;
	if (resolve(&x->c, &x->report) < 0)
		return EX_TEMPFAIL;
	return build(x) < 0 ? EX_CONFIG : EX_OK;
}

static int
prepare_database(struct explainer *x)
{
	const char *path = x->options->database, *error = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool unreadable;

	if (fd >= 0)
		x->db = loader_load(fd, &error, &unreadable);
	else
		error = strerror(errno);
	if (x->db != NULL)
		x->overlay = overlay_beside(path, &error);
	if (error != NULL) {
		report_error(&x->report, path, 0, "cannot be used", span_str(error));
		return EX_TEMPFAIL;
	}
	read_named(x);
	return EX_OK;
}

int
explain(const struct explain_options *options, FILE *to, FILE *messages)
{
	struct explainer *x = calloc(1, sizeof(*x));
	int status, worst = EX_OK;

	if (x == NULL)
		return EX_TEMPFAIL;
	x->trace.on_record = on_record;
	x->options = options;
	x->report.to = messages;
	x->to = to;
	collection_init(&x->c);
	status = options->source_count > 0 ? prepare_sources(x) : prepare_database(x);
	for (size_t i = 0; status == EX_OK && i < options->address_count; i++) {
		int one = explain_one(x, options->addresses[i]);

		worst = one > worst ? one : worst;
	}
	collection_clear(&x->c);
	overlay_free(&x->overlay);
	database_free(&x->db);
	for (size_t i = 0; i < x->name_count; i++)
		free(x->names[i]);
	free(x);
	return status == EX_OK ? worst : status;
}

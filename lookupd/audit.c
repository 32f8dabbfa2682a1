#include "lookupd/audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>

#include "lookupd/backend_probe.h"
#include "lookupd/report.h"
#include "lookupd/walk.h"

/* One address and what is thought of it. */
struct question {
	struct address address;
	bool accepted; /* by the database */
};

struct auditor {
	const struct audit_options *options;
	const struct database *db;
	const struct overlay *overlay;
	FILE *to;
	struct question *questions;
	size_t count, cap;
	struct probe probes[AUDIT_CONNECTIONS_MAX];
	const struct question *waiting[AUDIT_CONNECTIONS_MAX]; /* for its answer */
	uint64_t members, others, false_accepts, false_refusals, deferred, agree;
};

/* ---- sampling ------------------------------------------------------------------------------------- */

static uint64_t
random_below(uint64_t bound)
{
	uint64_t r = 0;

	while (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		;
	return r % bound;
}

/* What the gateway would say; doubt is neither. */
static enum rcpt_verdict
verdict_of(const struct auditor *a, const struct address *address)
{
	struct lookup_result r;

	if (a->overlay == NULL || !overlay_lookup(a->overlay, a->db, address, &r))
		lookup(a->db, address, &r);
	return r.verdict;
}

/* Every accepted address has the same chance, in one pass (reservoir). */
static int
sample_members(struct auditor *a, struct walk *w)
{
	struct walked here;
	enum walk_status status;
	uint64_t seen = 0;

	while ((status = walk_next(w, &here)) == WALK_FOUND) {
		uint64_t at = seen;

		if (!leaf_accepts(here.value) || verdict_of(a, &here.address) != RCPT_ACCEPTED)
			continue;
		if (seen++ >= a->options->sample)
			at = random_below(seen);
		if (at < a->options->sample)
			a->questions[at] = (struct question){here.address, true};
	}
	a->members = a->count = seen < a->options->sample ? (size_t)seen : a->options->sample;
	return status == WALK_END ? 0 : -1;
}

/* Names that hardly anybody has, in the domains of the database. */
static bool
make_other(const struct walk *w, struct address *address_out)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	char text[32 + ADDRESS_DOMAIN_MAX];
	struct span domain = walk_domain(w, (size_t)random_below(walk_domains(w)));
	size_t len = 6 + (size_t)random_below(10);

	if (domain.len > ADDRESS_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		text[i] = letters[random_below(sizeof(letters) - 1)];
	text[len++] = '@';
	memcpy(text + len, domain.p, domain.len);
	return address_from_inside(span_of(text, len + domain.len), address_out) == ADDRESS_OK;
}

static void
sample_others(struct auditor *a, const struct walk *w)
{
	/* A database of catch-alls has no others; it is not searched for ever. */
	for (uint64_t tries = 0; tries < 4 * a->options->sample && a->others < a->options->sample &&
				 walk_domains(w) > 0;
	     tries++) {
		struct question *q = &a->questions[a->count];
		enum rcpt_verdict v;

		if (!make_other(w, &q->address))
			continue;
		v = verdict_of(a, &q->address);
		if (v != RCPT_UNKNOWN_USER && v != RCPT_REFUSED)
			continue;
		q->accepted = false;
		a->others++;
		a->count++;
	}
}

static int
sample(struct auditor *a)
{
	struct walk *w = walk_new(a->db);
	int status;

	a->questions = calloc(2 * a->options->sample + 1, sizeof(*a->questions));
	if (w == NULL || a->questions == NULL) {
		walk_free(&w);
		return -1;
	}
	status = sample_members(a, w);
	sample_others(a, w);
	walk_free(&w);
	return status;
}

/* ---- asking ------------------------------------------------------------------------------------------ */

static void
judge(struct auditor *a, const struct question *q, unsigned code, const char *reply)
{
	const char *what = NULL;

	if (code >= 400 && code < 500) {
		a->deferred++;
		what = "deferred";
	} else if (q->accepted && code >= 500) {
		a->false_accepts++;
		what = "false accept";
	} else if (!q->accepted && code < 300) {
		a->false_refusals++;
		what = "false refusal";
	} else {
		a->agree++;
		return;
	}
	fprintf(a->to, "%s: ", what);
	report_octets(a->to, address_span(&q->address));
	fprintf(a->to, ": the back end says %s\n", reply);
}

static const char *
collect(struct auditor *a, size_t i)
{
	const struct question *q = a->waiting[i];
	const char *error;
	unsigned code;

	if (q == NULL)
		return NULL;
	a->waiting[i] = NULL;
	error = probe_answer(&a->probes[i], &code);
	if (error == NULL && code == 421) {
		/* It has had enough of this connection: once more on another. */
		probe_close(&a->probes[i]);
		error = probe_ask(&a->probes[i], &q->address);
		if (error == NULL)
			error = probe_answer(&a->probes[i], &code);
	}
	if (error == NULL)
		judge(a, q, code, a->probes[i].reply);
	return error;
}

static void
pause_for(uint64_t rate)
{
	struct timespec t = {.tv_nsec = (long)(1000000000 / rate)};

	if (rate == 1)
		t = (struct timespec){.tv_sec = 1};
	nanosleep(&t, NULL);
}

/* The connections take turns; on each, one question waits for its answer. */
static const char *
ask_all(struct auditor *a)
{
	const char *error = NULL;
	size_t connections = a->options->connections;

	for (size_t i = 0; i < connections && error == NULL; i++)
		error = probe_open(&a->probes[i], a->options->server, a->options->lmtp,
		    a->options->from != NULL ? a->options->from : "");
	for (size_t n = 0; n < a->count && error == NULL; n++) {
		size_t i = n % connections;

		error = collect(a, i);
		if (error == NULL) {
			error = probe_ask(&a->probes[i], &a->questions[n].address);
			a->waiting[i] = &a->questions[n];
			pause_for(a->options->rate);
		}
	}
	for (size_t i = 0; i < connections && error == NULL; i++)
		error = collect(a, i);
	return error;
}

int
audit(const struct database *db, const struct overlay *overlay, const struct audit_options *options,
    FILE *to)
{
	struct auditor *a = calloc(1, sizeof(*a));
	const char *error;
	int status = EX_TEMPFAIL;

	if (a == NULL)
		return EX_TEMPFAIL;
	*a = (struct auditor){.options = options, .db = db, .overlay = overlay, .to = to};
	for (size_t i = 0; i < AUDIT_CONNECTIONS_MAX; i++)
		a->probes[i].fd = -1;
	error = sample(a) < 0 ? "out of memory, or the database is damaged" : ask_all(a);
	if (error != NULL)
		fprintf(to, "%s: %s\n", options->server, error);
	else
		status = a->false_accepts + a->false_refusals > 0 ? 1 : EX_OK;
	for (size_t i = 0; i < AUDIT_CONNECTIONS_MAX; i++)
		probe_close(&a->probes[i]);
	fprintf(to,
	    "%" PRIu64 " members and %" PRIu64 " others asked: %" PRIu64 " agree, %" PRIu64
	    " false accepts, %" PRIu64 " false refusals, %" PRIu64 " deferred\n",
	    a->members, a->others, a->agree, a->false_accepts, a->false_refusals, a->deferred);
	free(a->questions);
	free(a);
	return status;
}

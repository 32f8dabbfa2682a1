/* What lookupd answers: the overlay, the database, its age, the grant. */
#include "lib/bug.h"
#include "lib/clock.h"
#include "lib/log.h"

#include "lookupd/counters.h"
#include "lookupd/fault.h"
#include "lookupd/observe.h"
#include "lookupd/serve_parts.h"

enum {
	ALARM_PAUSE_MS = 1000,
	AGE_ALARM_PAUSE_MS = 60 * 1000,
};

/* ---- what is besides the database ---- */

/* Row 270: an alarm, but not one for each RCPT of a day. */
static void
alarm_unevaluable(struct serve *s, const struct address *asked, const char *why)
{
	uint64_t now = loop_now(s->loop);
	struct log_line l;

	LOOKUPD_COUNT(unevaluable)++;
	if (now < s->alarm_at_ms)
		return;
	s->alarm_at_ms = now + ALARM_PAUSE_MS;
	log_begin(&l, EVENT_record_unevaluable);
	log_span(&l, "recipient", address_span(asked));
	log_str(&l, "reason", why);
	log_u64(&l, "generation", s->db->header.generation);
	log_end(&l);
}

static void
log_throttled(struct worker *w)
{
	struct log_line l;

	if (w->throttled)
		return;
	w->throttled = true;
	log_begin(&l, EVENT_lookups_throttled);
	log_u64(&l, "worker", w->index);
	log_u64(&l, "rate", w->serve->conf->limits.unknown_rate);
	log_end(&l);
}

/*
 * Row 274: a worker in wrong hands must not read out the list of users by guessing. While its
 * bucket is empty nothing is looked up for it: an answer to good guesses only would be one too.
 */
static bool
throttled(struct worker *w)
{
	if (bucket_has(&w->misses, loop_now(w->serve->loop))) {
		w->throttled = false;
		return false;
	}
	LOOKUPD_COUNT(throttled)++;
	log_throttled(w);
	return true;
}

static void
fill_grant(const struct worker *w, struct msg_rcpt_answer *answer)
{
	struct grant_terms terms = {
	    .instance = w->instance,
	    .transaction = answer->transaction,
	    .recipient = answer->recipient,
	    .route = answer->route,
	    .class = answer->class,
	    .exempt = answer->exempt,
	    .size_limit = answer->size_limit,
	    .generation = answer->generation,
	};

	/* Not the calendar's time, which an administrator or NTP may set meanwhile. */
	answer->expiry = loop_now(w->serve->loop) / 1000 + SERVE_GRANT_S;
	terms.expiry = answer->expiry;
	grant_make(w->serve->key, &terms, answer->grant);
}

/* Seconds since the database was made; 0 for one from the future. */
static uint64_t
database_age(const struct serve *s)
{
	uint64_t now = clock_unix();

	return now > s->db->header.built ? now - s->db->header.built : 0;
}

/* A database that nobody has made anew for so long does not know who is unknown. */
static bool
over_age(struct serve *s)
{
	uint64_t most = s->conf->top.recipients_max_age, age = database_age(s);
	struct log_line l;

	if (most == 0 || age <= most)
		return false;
	LOOKUPD_COUNT(over_age)++;
	if (loop_now(s->loop) >= s->age_alarm_at_ms) {
		s->age_alarm_at_ms = loop_now(s->loop) + AGE_ALARM_PAUSE_MS;
		log_begin(&l, EVENT_database_over_age);
		log_u64(&l, "age", age);
		log_u64(&l, "most", most);
		log_u64(&l, "generation", s->db->header.generation);
		log_end(&l);
	}
	return true;
}

static bool
is_exempt(const struct serve *s, const struct address *asked, struct span class)
{
	const struct conf_strings *classes = &s->conf->top.unfiltered;

	if (span_eq_nocase(address_local(asked), SPAN("postmaster")))
		return true;
	for (size_t i = 0; i < classes->count; i++)
		if (span_eq(class, span_str(classes->items[i])))
			return true;
	return false;
}

/* ---- asking the database ---- */

static void
keep(struct buf *b, struct span *s)
{
	size_t at = b->len;

	buf_put_span(b, *s);
	BUG_ON(b->full);
	*s = span_of(b->p + at, s->len);
}

/* May be left at any octet that is read (fault.h): it changes nothing but the finding. */
static void
find(void *arg)
{
	struct finding *f = arg;
	const struct serve *s = f->s;
	struct buf b = BUF_OVER(f->octets);

	f->recipient = f->asked;
	if (s->overlay == NULL || !overlay_lookup(s->overlay, s->db, f->asked, &f->r))
		lookup_recipient(s->db, f->asked, s->has_postmaster ? &s->postmaster : NULL, &f->r,
		    &f->recipient);
	if (f->r.verdict == RCPT_UNKNOWN_USER)
		(void)observe(&s->conf->top.observe, s->db, f->asked, &f->r);
	if (!s->db->mapped)
		return;
	keep(&b, &f->r.status);
	keep(&b, &f->r.text);
	keep(&b, &f->r.route);
	keep(&b, &f->r.class);
	keep(&b, &f->r.delivered_to);
}

void
serve_find(struct serve *s, struct finding *f)
{
	if (!s->db->mapped) {
		find(f);
		return;
	}
	if (database_unchanged(s->db) && fault_guarded(find, f) && database_unchanged(s->db))
		return;
	LOOKUPD_COUNT(faults)++;
	f->recipient = f->asked;
	f->r = (struct lookup_result){
	    .verdict = RCPT_TROUBLE, .trouble = "the database was changed in place"};
}

/* What becomes of a recipient whom the database does not know. */
static void
judge_unknown(struct serve *s, struct lookup_result *r)
{
	if (s->overlay_bad)
		*r = (struct lookup_result){
		    .verdict = RCPT_TROUBLE, .trouble = "the overlay is no good"};
	else if (over_age(s))
		*r = (struct lookup_result){
		    .verdict = RCPT_TROUBLE, .trouble = "the database is too old"};
}

uint64_t
serve_generation(const struct serve *s)
{
	uint64_t overlay = s->overlay != NULL && s->overlay->count > 0 ? s->overlay->mark : 0;

	return s->db->header.generation ^ overlay << 40;
}

/* What a recipient that was accepted comes with. */
static void
fill_accepted(struct worker *w, const struct finding *f, struct msg_rcpt_answer *answer)
{
	const struct lookup_result *r = &f->r;

	answer->recipient = address_span(f->recipient);
	answer->route = r->route;
	answer->class = r->class;
	answer->size_limit = r->size_limit;
	answer->delivered_to = r->delivered_to;
	answer->no_bounces = r->no_bounces;
	answer->observed = r->match == MATCH_OBSERVED;
	LOOKUPD_COUNT(observed) += answer->observed;
	answer->exempt = is_exempt(w->serve, f->asked, r->class);
	fill_grant(w, answer);
}

void
serve_decide(struct worker *w, struct finding *f, struct msg_rcpt_answer *answer)
{
	struct serve *s = w->serve;
	struct lookup_result *r = &f->r;

	answer->verdict = RCPT_TROUBLE;
	if (s->db == NULL || s->key == NULL || throttled(w))
		return;
	serve_find(s, f);
	if (r->unevaluable)
		alarm_unevaluable(s, f->asked, r->trouble);
	if (r->verdict != RCPT_ACCEPTED || r->match == MATCH_OBSERVED)
		bucket_take(&w->misses);
	if (r->verdict == RCPT_UNKNOWN_USER)
		judge_unknown(s, r);
	answer->verdict = (uint8_t)r->verdict;
	answer->status = r->status;
	answer->text = r->text;
	answer->generation = serve_generation(s);
	if (r->verdict == RCPT_ACCEPTED)
		fill_accepted(w, f, answer);
}

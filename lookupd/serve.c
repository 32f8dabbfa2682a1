#include "lookupd/serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/bug.h"
#include "lib/clock.h"
#include "lib/log.h"

#include "lookupd/counters.h"
#include "lookupd/fault.h"
#include "lookupd/observe.h"

enum {
	ALARM_PAUSE_MS = 1000,
	AGE_ALARM_PAUSE_MS = 60 * 1000,
};

/* ---- questions ---------------------------------------------------------------------------------- */

static void
count_verdict(enum rcpt_verdict verdict)
{
	static const enum lookupd_counter counter_of[] = {
	    [RCPT_ACCEPTED] = LOOKUPD_COUNT_accepted,
	    [RCPT_UNKNOWN_USER] = LOOKUPD_COUNT_unknown_user,
	    [RCPT_UNKNOWN_DOMAIN] = LOOKUPD_COUNT_unknown_domain,
	    [RCPT_REFUSED] = LOOKUPD_COUNT_refused,
	    [RCPT_DEFERRED] = LOOKUPD_COUNT_deferred,
	    [RCPT_TROUBLE] = LOOKUPD_COUNT_trouble,
	};

	lookupd_counters[counter_of[verdict]].value++;
}

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

/* What is asked, and what was found; octets keep what was found in a mapped file. */
struct finding {
	const struct serve *s;
	const struct address *asked, *recipient;
	struct lookup_result r;
	uint8_t octets[LAYOUT_STATUS_MAX + LAYOUT_TEXT_MAX + 2 * LAYOUT_NAME_MAX +
		       LAYOUT_DELIVERED_TO_MAX];
};

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

/*
 * Rows 266, F39: a mapped file that is not what it was when it was checked may say "unknown" of
 * anybody, or may have ended.
 */
static void
find_guarded(struct serve *s, struct finding *f)
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

/*
 * What answers are made from, in one number: another database or another overlay is another one,
 * so that what was granted before is asked for again (row 269).
 */
static uint64_t
serve_generation(const struct serve *s)
{
	uint64_t overlay = s->overlay != NULL && s->overlay->count > 0 ? s->overlay->mark : 0;

	return s->db->header.generation ^ overlay << 40;
}

/* What the database says, into the answer. In: f->asked, for as long as the answer is used. */
static void
decide(struct worker *w, struct finding *f, struct msg_rcpt_answer *answer)
{
	struct serve *s = w->serve;
	struct lookup_result *r = &f->r;

	find_guarded(s, f);
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
	if (r->verdict != RCPT_ACCEPTED)
		return;
	answer->recipient = address_span(f->recipient);
	answer->route = r->route;
	answer->class = r->class;
	answer->size_limit = r->size_limit;
	answer->delivered_to = r->delivered_to;
	answer->no_bounces = r->no_bounces;
	answer->observed = r->match == MATCH_OBSERVED;
	LOOKUPD_COUNT(observed) += answer->observed;
	answer->exempt = is_exempt(s, f->asked, r->class);
	fill_grant(w, answer);
}

static void worker_free(struct worker *w);

static void
on_rcpt_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct worker *w = ctx;
	struct address asked;
	struct finding f = {.s = w->serve, .asked = &asked};
	struct msg_rcpt_answer answer = {
	    .session = m->rcpt_ask.session,
	    .transaction = m->rcpt_ask.transaction,
	    .verdict = RCPT_TROUBLE,
	};

	(void)fd;
	LOOKUPD_COUNT(questions)++;
	/* Row 271: smtpd has parsed it; what is none here is no question. */
	if (address_from_inside(m->rcpt_ask.address, &asked) != ADDRESS_OK)
		LOOKUPD_COUNT(malformed)++;
	else if (w->serve->db != NULL && w->serve->key != NULL && !throttled(w))
		decide(w, &f, &answer);
	count_verdict((enum rcpt_verdict)answer.verdict);
	/* Answers are matched by their order: one that cannot be sent ends the link. */
	if (!link_send(link, MSG_rcpt_answer, &answer, -1))
		worker_free(w);
}

/* ---- workers ------------------------------------------------------------------------------------ */

/*
 * Row 269: what the worker was granted by another database it asks for again. When it cannot be
 * sent, nor can an answer, which ends the link.
 */
static void
tell_generation(const struct worker *w)
{
	struct msg_generation m;

	if (w->serve->db == NULL)
		return;
	m.generation = serve_generation(w->serve);
	link_send(w->link, MSG_generation, &m, -1);
}

static void
worker_free(struct worker *w)
{
	struct serve *s = w->serve;

	link_free(&w->link);
	s->workers[w->index] = NULL;
	s->worker_count--;
	free(w);
	if (s->draining && s->worker_count == 0)
		s->on_idle(s->arg);
}

static void
on_lost(void *ctx, struct link *link)
{
	(void)link;
	worker_free(ctx);
}

static const struct link_handler handlers[] = {
    {MSG_rcpt_ask, on_rcpt_ask},
};

static const struct link_role role = {
    .self = PROGRAM_LOOKUPD,
    .peer = PROGRAM_SMTPD,
    .handlers = handlers,
    .handler_count = sizeof(handlers) / sizeof(handlers[0]),
    .on_lost = on_lost,
};

int
serve_peer(struct serve *s, unsigned index, uint32_t instance, int fd)
{
	struct worker *w = calloc(1, sizeof(*w));

	BUG_ON(index >= SERVE_WORKERS);
	if (w == NULL) {
		close(fd);
		return -1;
	}
	w->link = link_new(s->loop, fd, &role, w);
	if (w->link == NULL) {
		free(w);
		return -1;
	}
	w->serve = s;
	w->index = index;
	w->instance = instance;
	bucket_init(&w->misses, s->conf->limits.unknown_rate,
	    s->conf->limits.unknown_rate * SERVE_BURST_S, loop_now(s->loop));
	s->worker_count++;
	if (s->workers[index] != NULL)
		worker_free(s->workers[index]);
	s->workers[index] = w;
	tell_generation(w);
	return 0;
}

/* ---- databases ----------------------------------------------------------------------------------- */

static void
log_taken(const struct serve *s)
{
	const struct header *h = &s->db->header;
	struct log_line l;

	log_begin(&l, EVENT_database_taken);
	log_str(&l, "path", s->loading_name);
	log_u64(&l, "generation", h->generation);
	log_u64(&l, "recipients", h->recipients);
	log_u64(&l, "domains", h->domains);
	log_u64(&l, "built", h->built);
	log_end(&l);
}

/* What lookup_recipient() will make of a question for postmaster, said when it can be mended. */
static void
check_postmaster(struct serve *s)
{
	struct finding f = {.s = s};
	struct log_line l;

	if (!s->has_postmaster)
		return;
	f.asked = &s->postmaster;
	find_guarded(s, &f);
	if (f.r.verdict == RCPT_ACCEPTED)
		return;
	log_begin(&l, EVENT_postmaster_unknown);
	log_span(&l, "address", address_span(&s->postmaster));
	log_str(&l, "effect", f.r.verdict == RCPT_UNKNOWN_DOMAIN ? "first backend" : "deferred");
	log_end(&l);
}

static void
load_ended(struct serve *s)
{
	loader_free(&s->loading);
	free(s->loading_name);
	s->loading_name = NULL;
	s->loading_previous = false;
}

static void
tell_all(const struct serve *s)
{
	for (size_t i = 0; i < SERVE_WORKERS; i++)
		if (s->workers[i] != NULL)
			tell_generation(s->workers[i]);
}

/* ---- overlay ---- */

/*
 * What was folded into a database is no longer in the overlay: such a one waits for the database.
 * Where there is no overlay yet it is better than none.
 */
static void
take_coming_overlay(struct serve *s)
{
	if (s->coming == NULL || s->db == NULL)
		return;
	if (s->overlay != NULL && s->coming->generation > s->db->header.generation)
		return;
	overlay_free(&s->overlay);
	s->overlay = s->coming;
	s->coming = NULL;
	s->overlay_bad = false;
}

void
serve_overlay(struct serve *s, struct span name, int fd)
{
	const char *error;
	struct overlay *o = overlay_read(fd, &error);
	char detail[80];
	struct log_line l;

	close(fd);
	if (o == NULL) {
		s->overlay_bad = s->overlay == NULL && s->coming == NULL;
		log_begin(&l, EVENT_overlay_refused);
		log_span(&l, "path", name);
		log_str(&l, "reason", error);
		log_end(&l);
		s->on_overlay(s->arg, false, error);
		return;
	}
	snprintf(detail, sizeof(detail), "%zu entries, generation %llu", o->count,
	    (unsigned long long)o->generation);
	overlay_free(&s->coming);
	s->coming = o;
	take_coming_overlay(s);
	if (s->coming == NULL)
		tell_all(s);
	s->on_overlay(s->arg, true, detail);
}

/* ---- the one in service ---- */

/* Loud: mail is judged by what was true before. */
static void
log_previous(const struct serve *s)
{
	struct log_line l;

	log_begin(&l, EVENT_database_previous);
	log_str(&l, "path", s->loading_name);
	log_u64(&l, "generation", s->db->header.generation);
	log_u64(&l, "built", s->db->header.built);
	log_end(&l);
}

static void
take_into_service(struct serve *s)
{
	struct database *old = s->db;
	bool previous;
	char detail[80];
	struct buf b = buf_over(detail, sizeof(detail) - 1);

	s->db = loader_take(s->loading);
	database_free(&old);
	s->alarm_at_ms = s->age_alarm_at_ms = 0;
	LOOKUPD_COUNT(previous_in_service) = s->loading_previous;
	take_coming_overlay(s);
	tell_all(s);
	LOOKUPD_COUNT(databases_taken)++;
	log_taken(s);
	check_postmaster(s);
	buf_printf(&b, "generation %llu, %llu recipients",
	    (unsigned long long)s->db->header.generation,
	    (unsigned long long)s->db->header.recipients);
	detail[b.len] = '\0';
	if (s->loading_previous)
		log_previous(s);
	previous = s->loading_previous;
	load_ended(s);
	if (!previous) /* the verdict on the one in place has been given */
		s->on_verdict(s->arg, true, detail);
}

static void load_previous(struct serve *s);

static void
keep_old(struct serve *s, const char *reason)
{
	bool previous = s->loading_previous;
	struct log_line l;
	char error[200];

	snprintf(error, sizeof(error), "%s", reason); /* which may be the loader's */
	LOOKUPD_COUNT(databases_refused)++;
	log_begin(&l, EVENT_database_refused);
	log_str(&l, "path", s->loading_name);
	log_str(&l, "reason", error);
	log_u64(&l, "serving", s->db != NULL ? s->db->header.generation : 0);
	log_end(&l);
	load_ended(s);
	if (previous)
		return;
	s->on_verdict(s->arg, false, error);
	load_previous(s);
}

struct step {
	struct loader *loader;
	enum loader_status status;
};

static void
run_step(void *arg)
{
	struct step *step = arg;

	step->status = loader_step(step->loader);
}

static enum loader_status
load_step(struct serve *s)
{
	struct step step = {s->loading, LOADER_BAD};
	enum loader_status status;

	if (!fault_guarded(run_step, &step))
		loader_fault(s->loading);
	status = step.status;

	if (status == LOADER_DONE)
		take_into_service(s);
	else if (status == LOADER_BAD)
		keep_old(s, loader_error(s->loading));
	return status;
}

static void
on_load_timer(void *arg)
{
	struct serve *s = arg;

	if (load_step(s) == LOADER_MORE &&
	    timer_set(s->loop, &s->load_timer, 0, on_load_timer, s) < 0)
		keep_old(s, "out of memory");
}

/* When what is in place is no good and there is nothing else. */
static void
load_previous(struct serve *s)
{
	int fd = s->previous_fd;

	if (s->db != NULL || fd < 0)
		return;
	s->previous_fd = -1;
	s->loading = loader_new(fd);
	s->loading_name = s->previous_name;
	s->previous_name = NULL;
	s->loading_previous = true;
	if (s->loading == NULL) {
		keep_old(s, "out of memory");
		return;
	}
	loader_limits(
	    s->loading, s->conf->limits.recipients_memory, s->conf->limits.recipients_file);
	if (!s->at_once)
		on_load_timer(s);
}

void
serve_previous(struct serve *s, struct span name, int fd)
{
	if (s->previous_fd >= 0)
		close(s->previous_fd);
	free(s->previous_name);
	s->previous_fd = fd;
	s->previous_name = strndup((const char *)name.p, name.len);
}

void
serve_file(struct serve *s, struct span name, int fd, bool at_once)
{
	timer_stop(&s->load_timer);
	load_ended(s); /* one that is overtaken before it was taken */
	s->at_once = at_once;
	s->loading_name = strndup((const char *)name.p, name.len);
	s->loading = loader_new(fd);
	if (s->loading == NULL || s->loading_name == NULL) {
		keep_old(s, "out of memory");
		return;
	}
	loader_limits(
	    s->loading, s->conf->limits.recipients_memory, s->conf->limits.recipients_file);
	loader_guard(s->loading, (unsigned)s->conf->top.recipients_loss, s->db);
	while (at_once && s->loading != NULL)
		(void)load_step(s);
	if (s->loading != NULL)
		on_load_timer(s);
}

/* ---- life --------------------------------------------------------------------------------------- */

int
serve_init(struct serve *s, struct loop *loop, const struct conf *conf)
{
	const char *postmaster = conf->top.postmaster;

	s->loop = loop;
	s->conf = conf;
	s->previous_fd = -1;
	if (fault_init() < 0)
		return -1;
	s->has_postmaster = postmaster != NULL;
	if (postmaster == NULL)
		return 0;
	if (address_parse_forward(span_str(postmaster), &s->postmaster) != ADDRESS_OK ||
	    address_domain(&s->postmaster).len == 0)
		return -1;
	return 0;
}

int
serve_set_key(struct serve *s, const uint8_t key[GRANT_KEY_LEN])
{
	s->key = grant_key_new(key);
	return s->key != NULL ? 0 : -1;
}

void
serve_drain(struct serve *s)
{
	s->draining = true;
	if (s->worker_count == 0)
		s->on_idle(s->arg);
}

void
serve_gauges(const struct serve *s)
{
	if (s->db == NULL)
		return;
	LOOKUPD_COUNT(generation) = s->db->header.generation;
	LOOKUPD_COUNT(recipients) = s->db->header.recipients;
	LOOKUPD_COUNT(domains) = s->db->header.domains;
	LOOKUPD_COUNT(database_octets) = s->db->len;
	LOOKUPD_COUNT(database_built) = s->db->header.built;
	LOOKUPD_COUNT(overlay_entries) = s->overlay != NULL ? s->overlay->count : 0;
}

void
serve_clear(struct serve *s)
{
	s->draining = false;
	for (size_t i = 0; i < SERVE_WORKERS; i++)
		if (s->workers[i] != NULL)
			worker_free(s->workers[i]);
	timer_stop(&s->load_timer);
	load_ended(s);
	if (s->previous_fd >= 0)
		close(s->previous_fd);
	s->previous_fd = -1;
	free(s->previous_name);
	s->previous_name = NULL;
	overlay_free(&s->overlay);
	overlay_free(&s->coming);
	database_free(&s->db);
	grant_key_free(&s->key);
}

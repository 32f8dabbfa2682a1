/* What lookupd answers from: databases and overlays come, are judged, and are taken or refused. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"

#include "lookupd/counters.h"
#include "lookupd/fault.h"
#include "lookupd/serve_parts.h"

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
	serve_find(s, &f);
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

/* Promise P5: where there is none, who is not in the database may be in this one. */
void
serve_overlay_refused(struct serve *s, struct span name, const char *reason)
{
	struct log_line l;

	s->overlay_bad = s->overlay == NULL && s->coming == NULL;
	log_begin(&l, EVENT_overlay_refused);
	log_span(&l, "path", name);
	log_str(&l, "reason", reason);
	log_end(&l);
}

void
serve_overlay(struct serve *s, struct span name, int fd)
{
	const char *error;
	struct overlay *o = overlay_read(fd, &error);
	char detail[80];

	close(fd);
	if (o == NULL) {
		serve_overlay_refused(s, name, error);
		s->on_overlay(s->arg, false, error);
		return;
	}
	snprintf(detail, sizeof(detail), "%zu entries, generation %llu", o->count,
	    (unsigned long long)o->generation);
	overlay_free(&s->coming);
	s->coming = o;
	take_coming_overlay(s);
	if (s->coming == NULL)
		serve_tell_all(s);
	s->on_overlay(s->arg, true, detail);
}

void
serve_overlay_gone(struct serve *s, struct span name)
{
	struct log_line l;

	if (s->overlay == NULL && s->coming == NULL && !s->overlay_bad)
		return;
	log_begin(&l, EVENT_overlay_gone);
	log_span(&l, "path", name);
	log_u64(&l, "entries", s->overlay != NULL ? s->overlay->count : 0);
	log_end(&l);
	overlay_free(&s->coming);
	overlay_free(&s->overlay);
	s->overlay_bad = false;
	serve_tell_all(s);
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
	serve_tell_all(s);
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

void
serve_files_clear(struct serve *s)
{
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
}

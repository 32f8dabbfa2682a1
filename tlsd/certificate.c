#include "tlsd/certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#include "tlsd/counters.h"
#include "tlsd/small_file.h"

/* ---- sets ----------------------------------------------------------------------------------------- */

static void
source_clear(struct certificate_source *source)
{
	free(source->name);
	free(source->pem);
	*source = (struct certificate_source){.name = NULL};
}

static void
set_clear(struct certificate_set *set)
{
	tls_context_release(&set->context);
	while (set->count > 0)
		source_clear(&set->source[--set->count]);
}

/* Leaves one out. The context was made with it, and goes. */
static void
set_drop(struct certificate_set *set, size_t index)
{
	tls_context_release(&set->context);
	source_clear(&set->source[index]);
	set->count--;
	for (size_t i = index; i < set->count; i++)
		set->source[i] = set->source[i + 1];
	set->source[set->count] = (struct certificate_source){.name = NULL};
}

/* Returns: whether libtls takes them. Out: why_out, TLS_WHY_MAX. */
static bool
set_make(struct certificate_set *set, size_t first, size_t count, struct tls_context **context_out,
    char *why_out)
{
	struct span pems[TLS_CERTIFICATES_MAX];

	for (size_t i = 0; i < count; i++)
		pems[i] = span_of(set->source[first + i].pem, set->source[first + i].len);
	*context_out = tls_context_new(pems, count, why_out);
	return *context_out != NULL;
}

/* ---- the end of a candidate ---------------------------------------------------------------------- */

static void
refuse(struct certificate_store *st, const char *name, const char *why)
{
	struct log_line line;

	TLSD_COUNT(certificates_refused)++;
	log_begin(&line, EVENT_certificate_refused);
	log_str(&line, "file", name);
	log_str(&line, "reason", why);
	log_end(&line);
	st->verdict(st->arg, false, why);
}

/* Those that were never looked at, because one before them was refused, and there is a set in service. */
static void
refuse_rest(struct certificate_store *st)
{
	while (st->candidate.count > 0) {
		refuse(
		    st, st->candidate.source[0].name, "another certificate of its set was refused");
		set_drop(&st->candidate, 0);
	}
	timer_stop(&st->retry);
}

static void
log_certificate(const struct certificate_set *set, size_t index, enum log_event event)
{
	const struct key_facts *key = tls_context_key(set->context, index);
	char expires[TLS_EXPIRES_MAX];
	struct log_line line;

	tls_context_expires_text(set->context, index, expires);
	log_begin(&line, event);
	log_str(&line, "file", set->source[index].name);
	log_str(&line, "kind", key->kind == KEY_RSA ? "rsa" : "ecdsa");
	log_u64(&line, "bits", key->bits);
	log_str(&line, "expires", expires);
	log_end(&line);
}

/* An expired certificate is better than none: senders encrypt all the same (RFC 7435). */
static void
report_taken(struct certificate_store *st, size_t index)
{
	struct certificate_set *set = &st->current;
	char expires[TLS_EXPIRES_MAX], detail[TLS_EXPIRES_MAX + 16];
	int64_t at = tls_context_expires(set->context, index);

	free(set->source[index].pem);
	set->source[index].pem = NULL;
	if (at > 0 && (TLSD_COUNT(certificate_expires) == 0 ||
			  (uint64_t)at < TLSD_COUNT(certificate_expires)))
		TLSD_COUNT(certificate_expires) = (uint64_t)at;
	log_certificate(set, index, EVENT_certificate_loaded);
	if (at < (int64_t)clock_unix())
		log_certificate(set, index, EVENT_certificate_expired);
	tls_context_expires_text(set->context, index, expires);
	snprintf(detail, sizeof(detail), "expires %s", expires);
	st->verdict(st->arg, true, detail);
}

static void
take(struct certificate_store *st)
{
	timer_stop(&st->retry);
	set_clear(&st->current);
	st->current = st->candidate;
	st->candidate = (struct certificate_set){.count = 0};
	TLSD_COUNT(certificate_expires) = 0;
	for (size_t i = 0; i < st->current.count; i++)
		report_taken(st, i);
}

/* ---- the proof ------------------------------------------------------------------------------------ */

static void ask(struct certificate_store *st);

static void
on_retry(void *arg)
{
	ask(arg);
}

/* Whose keys are to be shown; without a context: nobody's. */
static const struct certificate_set *
to_prove(const struct certificate_store *st)
{
	return st->candidate.context != NULL ? &st->candidate : &st->current;
}

/* Without a link nothing is asked; a new one begins again. Without an answer: the timer. */
static void
ask(struct certificate_store *st)
{
	const struct tls_context *context = to_prove(st)->context;
	enum sign_scheme scheme;

	timer_set(st->loop, &st->retry, CERTIFICATE_WAIT_MS, on_retry, st);
	st->data_len = tls_context_challenge(context, st->proven, st->data, &scheme);
	if (st->data_len > 0)
		signer_prove(st->signer, &tls_context_key(context, st->proven)->id, scheme,
		    span_of(st->data, st->data_len));
}

/* The key of what is in service is not with the tls-keys that has just come. */
static void
on_missing(struct certificate_store *st)
{
	if (!st->missing)
		log_event1(EVENT_certificate_waits, "file", st->current.source[st->proven].name);
	st->missing = true;
	timer_set(st->loop, &st->retry, CERTIFICATE_WAIT_MS, on_retry, st);
}

/* ---- candidates ----------------------------------------------------------------------------------- */

/* Makes a context of what is left of the candidate, and has its keys shown. */
static void
begin_proof(struct certificate_store *st)
{
	struct certificate_set *set = &st->candidate;
	char why[TLS_WHY_MAX];

	st->proven = 0;
	st->tries = 0;
	st->data_len = 0;
	if (set->count == 0)
		return;
	if (set_make(set, 0, set->count, &set->context, why)) {
		ask(st);
		return;
	}
	/* Each alone was good: it is not one of them, and there is nothing to leave out. */
	while (set->count > 0) {
		refuse(st, set->source[0].name, why);
		set_drop(set, 0);
	}
}

/* What is wrong with one that can be known without its key. */
static void
check_candidate(struct certificate_store *st)
{
	struct certificate_set *set = &st->candidate;
	struct tls_context *alone;
	char why[TLS_WHY_MAX];

	for (size_t i = 0; i < set->count;) {
		if (set_make(set, i, 1, &alone, why)) {
			tls_context_release(&alone);
			i++;
			continue;
		}
		refuse(st, set->source[i].name, why);
		set_drop(set, i);
		if (st->current.context != NULL) {
			refuse_rest(st);
			return;
		}
	}
	begin_proof(st);
}

static void
on_refused(struct certificate_store *st)
{
	struct certificate_source *source = &st->candidate.source[st->proven];

	if (++st->tries < CERTIFICATE_TRIES) {
		timer_set(st->loop, &st->retry, CERTIFICATE_RETRY_MS, on_retry, st);
		return;
	}
	if (st->tries == CERTIFICATE_TRIES)
		refuse(st, source->name, "tls-keys does not have its key");
	if (st->current.context != NULL) {
		set_drop(&st->candidate, st->proven);
		refuse_rest(st);
	} else if (st->candidate.count > 1) {
		set_drop(&st->candidate, st->proven);
		begin_proof(st);
	} else {
		if (st->tries == CERTIFICATE_TRIES)
			log_event1(EVENT_certificate_waits, "file", source->name);
		timer_set(st->loop, &st->retry, CERTIFICATE_WAIT_MS, on_retry, st);
	}
}

static void
on_shown(struct certificate_store *st)
{
	st->tries = 0;
	if (++st->proven < to_prove(st)->count) {
		ask(st);
		return;
	}
	timer_stop(&st->retry);
	st->missing = false;
	if (st->candidate.context != NULL)
		take(st);
}

static void
on_proof(void *arg, struct span signature)
{
	struct certificate_store *st = arg;
	const struct certificate_set *set = to_prove(st);
	struct span data = span_of(st->data, st->data_len);

	st->data_len = 0;
	if (set->context == NULL || data.len == 0)
		return; /* the answer about a candidate that is gone */
	if (tls_context_verify(set->context, st->proven, data, signature))
		on_shown(st);
	else if (st->candidate.context != NULL)
		on_refused(st);
	else
		on_missing(st);
}

/* A new tls-keys: has it the keys? The question also tells the signer when it works. */
static void
on_link(void *arg)
{
	struct certificate_store *st = arg;

	st->proven = 0;
	if (to_prove(st)->context != NULL)
		ask(st);
}

/* ---- files ------------------------------------------------------------------------------------------ */

/* Returns: NULL, or why the file cannot be one of a set. */
static const char *
source_read(struct certificate_source *source, struct span name, int fd)
{
	static uint8_t room[CERTIFICATE_FILE_MAX];
	const char *why = NULL;
	long len = small_file_read(fd, room, sizeof(room), &why);

	name = span_head(name, CERTIFICATE_NAME_MAX);
	source->name = strndup((const char *)name.p, name.len);
	if (len < 0)
		return why;
	source->len = (size_t)len;
	source->pem = malloc(source->len);
	if (source->name == NULL || source->pem == NULL)
		return "no memory";
	memcpy(source->pem, room, source->len);
	return NULL;
}

void
certificate_file(struct certificate_store *st, const struct msg_file *file, int fd)
{
	struct certificate_set *set = &st->candidate;
	struct certificate_source source = {.name = NULL};
	const char *why;

	if (file->index == 0) {
		set_clear(set);
		timer_stop(&st->retry);
		st->data_len = 0;
		st->awaited = file->count;
	}
	why = source_read(&source, file->name, fd);
	close(fd);
	if (why == NULL && (set->count == TLS_CERTIFICATES_MAX || set->context != NULL))
		why = "is not one of a set";
	if (why == NULL) {
		set->source[set->count++] = source;
	} else {
		refuse(st, source.name != NULL ? source.name : "", why);
		source_clear(&source);
	}
	if (st->awaited > 0 && --st->awaited == 0)
		check_candidate(st);
}

void
certificate_init(struct certificate_store *st, struct loop *loop, struct signer *signer)
{
	*st = (struct certificate_store){.loop = loop, .signer = signer};
	signer->on_proof = on_proof;
	signer->on_link = on_link;
	signer->arg = st;
}

void
certificate_clear(struct certificate_store *st)
{
	timer_stop(&st->retry);
	set_clear(&st->candidate);
	set_clear(&st->current);
}

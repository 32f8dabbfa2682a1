#include "tlsd/certificate.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#include "tlsd/counters.h"
#include "tlsd/small_file.h"

/* ---- the end of a candidate ---------------------------------------------------------------------- */

static void
refuse(struct certificate_store *st, const char *why)
{
	struct log_line line;

	TLSD_COUNT(certificates_refused)++;
	log_begin(&line, EVENT_certificate_refused);
	log_str(&line, "file", st->name);
	log_str(&line, "reason", why);
	log_end(&line);
	st->verdict(st->arg, false, why);
}

static void
log_certificate(const struct certificate_store *st, enum log_event event, const char *expires)
{
	const struct key_facts *key = tls_context_key(st->current, 0);
	struct log_line line;

	log_begin(&line, event);
	log_str(&line, "file", st->name);
	log_str(&line, "kind", key->kind == KEY_RSA ? "rsa" : "ecdsa");
	log_u64(&line, "bits", key->bits);
	log_str(&line, "expires", expires);
	log_end(&line);
}

/* An expired certificate is better than none: senders encrypt all the same (RFC 7435). */
static void
take(struct certificate_store *st)
{
	char expires[TLS_EXPIRES_MAX], detail[TLS_EXPIRES_MAX + 16];
	int64_t at = tls_context_expires(st->candidate);

	timer_stop(&st->retry);
	tls_context_release(&st->current);
	st->current = st->candidate;
	st->candidate = NULL;
	TLSD_COUNT(certificate_expires) = at > 0 ? (uint64_t)at : 0;
	tls_context_expires_text(st->current, expires);
	log_certificate(st, EVENT_certificate_loaded, expires);
	if (at < (int64_t)clock_unix())
		log_certificate(st, EVENT_certificate_expired, expires);
	snprintf(detail, sizeof(detail), "expires %s", expires);
	st->verdict(st->arg, true, detail);
}

/* ---- the proof ------------------------------------------------------------------------------------ */

static void ask(struct certificate_store *st);

static void
on_retry(void *arg)
{
	ask(arg);
}

/* Whose keys are to be shown; NULL: nobody's. */
static const struct tls_context *
to_prove(const struct certificate_store *st)
{
	return st->candidate != NULL ? st->candidate : st->current;
}

/* Without a link nothing is asked; a new one begins again. Without an answer: the timer. */
static void
ask(struct certificate_store *st)
{
	const struct tls_context *context = to_prove(st);
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
		log_event1(EVENT_certificate_waits, "file", st->name);
	st->missing = true;
	timer_set(st->loop, &st->retry, CERTIFICATE_WAIT_MS, on_retry, st);
}

static void
on_refused(struct certificate_store *st)
{
	if (++st->tries < CERTIFICATE_TRIES) {
		timer_set(st->loop, &st->retry, CERTIFICATE_RETRY_MS, on_retry, st);
		return;
	}
	if (st->tries == CERTIFICATE_TRIES)
		refuse(st, "tls-keys does not have its key");
	if (st->current != NULL) {
		tls_context_release(&st->candidate);
		timer_stop(&st->retry);
	} else {
		if (st->tries == CERTIFICATE_TRIES)
			log_event1(EVENT_certificate_waits, "file", st->name);
		timer_set(st->loop, &st->retry, CERTIFICATE_WAIT_MS, on_retry, st);
	}
}

static void
on_shown(struct certificate_store *st)
{
	if (++st->proven < tls_context_count(to_prove(st))) {
		ask(st);
		return;
	}
	timer_stop(&st->retry);
	st->missing = false;
	if (st->candidate != NULL)
		take(st);
}

static void
on_proof(void *arg, struct span signature)
{
	struct certificate_store *st = arg;
	const struct tls_context *context = to_prove(st);
	struct span data = span_of(st->data, st->data_len);

	st->data_len = 0;
	if (context == NULL || data.len == 0)
		return; /* the answer about a candidate that is gone */
	if (tls_context_verify(context, st->proven, data, signature))
		on_shown(st);
	else if (st->candidate != NULL)
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
	if (to_prove(st) != NULL)
		ask(st);
}

/* ---- files ------------------------------------------------------------------------------------------ */

void
certificate_file(struct certificate_store *st, struct span name, int fd)
{
	static uint8_t room[CERTIFICATE_FILE_MAX];
	struct tls_context *context = NULL;
	char why[TLS_WHY_MAX];
	const char *unreadable;
	struct span pem;
	long len = small_file_read(fd, room, sizeof(room), &unreadable);

	close(fd);
	name = span_head(name, CERTIFICATE_NAME_MAX);
	memcpy(st->name, name.p, name.len);
	st->name[name.len] = '\0';
	tls_context_release(&st->candidate);
	timer_stop(&st->retry);
	st->data_len = 0;
	if (len < 0) {
		refuse(st, unreadable);
		return;
	}
	pem = span_of(room, (size_t)len);
	context = tls_context_new(&pem, 1, why);
	if (context == NULL) {
		refuse(st, why);
		return;
	}
	st->candidate = context;
	st->proven = 0;
	st->tries = 0;
	ask(st);
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
	tls_context_release(&st->candidate);
	tls_context_release(&st->current);
}

#include "smtpd/journal.h"

#include "lib/log.h"

#include "smtpd/worker.h"

enum { HANDLE_SLOT_BITS = 24 };

/* Sessions are known by their number; the slot is nobody's business. */
static void
log_session(struct log_line *l, const struct session *s)
{
	log_u64(l, "session", s->handle >> HANDLE_SLOT_BITS);
	log_ip(l, "client", &s->client);
}

/* reply="550 5.1.1" */
static void
log_reply(struct log_line *l, enum reply_id id)
{
	uint8_t text[32];
	struct buf b = BUF_OVER(text);
	const struct reply *r = reply_get(id);

	buf_put_decimal(&b, r->code);
	if (r->enhanced[0] != '\0') {
		buf_put_u8(&b, ' ');
		buf_put_str(&b, r->enhanced);
	}
	log_span(l, "reply", buf_span(&b));
	log_str(l, "why", r->name);
}

void
journal_stress(const struct worker *w)
{
	struct log_line l;

	log_begin(&l, w->stress ? EVENT_stress : EVENT_stress_over);
	log_u64(&l, "sessions", worker_sessions_open(w));
	log_end(&l);
}

void
journal_connect(const struct session *s, const struct ip *balancer)
{
	struct log_line l;

	log_begin(&l, EVENT_connect);
	log_session(&l, s);
	log_u64(&l, "port", s->port);
	if (balancer != NULL)
		log_ip(&l, "balancer", balancer);
	log_end(&l);
}

void
journal_end(const struct session *s)
{
	struct log_line l;

	log_begin(&l, EVENT_disconnect);
	log_session(&l, s);
	log_str(&l, "reason", s->reason);
	log_u64(&l, "commands", s->commands);
	log_u64(&l, "errors", s->errors);
	log_u64(&l, "messages", s->messages);
	log_u64(&l, "unknown", s->unknown);
	log_u64(&l, "ms", s->worker->now_ms - s->started_ms);
	log_end(&l);
}

static void
log_client_name(struct log_line *l, const struct transaction *t)
{
	if (t->client_name.len > 0)
		log_span(l, "name", t->client_name);
}

void
journal_recipient(const struct session *s, struct span asked, enum reply_id reply)
{
	struct log_line l;

	log_begin(&l, EVENT_recipient);
	log_session(&l, s);
	log_span(&l, "id", id_span(&s->transaction->id));
	log_span(&l, "from", address_span(&s->transaction->from));
	log_span(&l, "to", asked);
	log_client_name(&l, s->transaction);
	log_reply(&l, reply);
	log_end(&l);
}

void
journal_observed(const struct session *s, struct span asked)
{
	struct log_line l;

	log_begin(&l, EVENT_recipient_observed);
	log_session(&l, s);
	log_span(&l, "id", id_span(&s->transaction->id));
	log_span(&l, "from", address_span(&s->transaction->from));
	log_span(&l, "to", asked);
	log_client_name(&l, s->transaction);
	log_reply(&l, REPLY_unknown_user);
	log_end(&l);
}

static const char *
verdict_of(const struct transaction *t)
{
	if (t->verdict == REPLY_NONE)
		return "abandoned";
	if (t->verdict == REPLY_accepted)
		return "accepted";
	return reply_get(t->verdict)->code >= 500 ? "refused" : "deferred";
}

static void
log_envelope(struct log_line *l, const struct session *s, const struct transaction *t)
{
	log_span(l, "helo", span_of(s->helo, s->helo_len));
	log_client_name(l, t);
	log_span(l, "from", address_span(&t->from));
	if (t->first != NULL)
		log_span(l, "to", span_of(t->first->address, t->first->len));
	log_u64(l, "recipients", t->recipients);
	if (s->tls != NULL) {
		log_span(l, "tls", span_of(s->tls->version, s->tls->version_len));
		log_span(l, "cipher", span_of(s->tls->cipher, s->tls->cipher_len));
		if (s->tls->server_name_len > 0)
			log_span(l, "sni", span_of(s->tls->server_name, s->tls->server_name_len));
	}
}

/* How long: MAIL to DATA, DATA to the end of data, from there to the reply. */
static void
log_timings(struct log_line *l, const struct session *s, const struct transaction *t)
{
	uint64_t now = s->worker->now_ms;

	if (t->data_ms == 0)
		return;
	log_u64(l, "envelope_ms", t->data_ms - t->mail_ms);
	log_u64(l, "data_ms", (t->end_ms > 0 ? t->end_ms : now) - t->data_ms);
	if (t->end_ms > 0)
		log_u64(l, "reply_ms", now - t->end_ms);
}

void
journal_transaction(const struct session *s)
{
	const struct transaction *t = s->transaction;
	struct log_line l;

	log_begin(&l, EVENT_transaction);
	log_span(&l, "id", id_span(&t->id));
	log_session(&l, s);
	log_str(&l, "verdict", verdict_of(t));
	if (t->verdict != REPLY_NONE)
		log_reply(&l, t->verdict);
	log_u64(&l, "size", t->stored);
	log_str(&l, "spf", auth_result_name(t->spf));
	log_timings(&l, s, t);
	log_envelope(&l, s, t);
	log_end(&l);
}

void
journal_client_gone(const struct session *s, const char *when)
{
	struct log_line l;

	log_begin(&l, EVENT_client_gone);
	log_span(&l, "id", id_span(&s->transaction->id));
	log_session(&l, s);
	log_str(&l, "commit", when);
	log_end(&l);
}

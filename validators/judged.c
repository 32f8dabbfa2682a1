#include "validators/judged.h"

#include "lib/log.h"

#include "validators/counters.h"

/* ---- refusing -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum count counter;
} refusals[] = {
    [REFUSAL_INTERNAL] = {"internal", COUNT_refused_internal},
    [REFUSAL_BUSY] = {"busy", COUNT_refused_busy},
    [REFUSAL_DNS] = {"dns", COUNT_refused_dns},
    [REFUSAL_SPF_FAIL] = {"spf-reject", COUNT_refused_spf},
    [REFUSAL_SPF_DEFER] = {"spf-defer", COUNT_refused_spf},
    [REFUSAL_LISTED] = {"listed", COUNT_refused_client},
    [REFUSAL_LISTED_DEFER] = {"listed-defer", COUNT_refused_client},
    [REFUSAL_NO_REVERSE] = {"no-reverse", COUNT_refused_client},
    [REFUSAL_NO_REVERSE_DEFER] = {"no-reverse-defer", COUNT_refused_client},
};

void
judged_refuse(struct worker *worker, uint64_t session, uint64_t number, enum refusal reason,
    const char *detail)
{
	struct msg_refused refused = {.session = session,
	    .transaction = number,
	    .reason = (uint8_t)reason,
	    .detail = span_head(span_str(detail), 100)};

	count(refusals[reason].counter);
	link_send(worker->link, MSG_refused, &refused, -1);
}

/* ---- handing on ------------------------------------------------------------------------------ */

static struct span
client_name(const struct transaction *t)
{
	const struct client_facts *facts = clients_facts(&t->client_known);

	return facts != NULL ? span_of(facts->name, facts->name_len) : span_of(NULL, 0);
}

/* In: fd, owned from now on; t, NULL when nothing was checked. */
static bool
hand_on(struct worker *worker, const struct msg_submit *m, uint32_t budget_ms, int fd,
    const struct transaction *t, enum auth_result spf)
{
	struct msg_deliver out = {
	    .worker = (uint8_t)worker->index,
	    .instance = worker->instance,
	    .session = m->session,
	    .transaction = m->transaction,
	    .id = m->id,
	    .received = m->received,
	    .budget_ms = budget_ms,
	    .helo = m->helo,
	    .esmtp = m->esmtp,
	    .eight_bit = m->eight_bit,
	    .declared_size = m->declared_size,
	    .smtputf8 = m->smtputf8,
	    .tls_version = m->tls_version,
	    .tls_cipher = m->tls_cipher,
	    .tls_server_name = m->tls_server_name,
	    .reverse_path = m->reverse_path,
	    .route = m->route,
	    .class = m->class,
	    .recipients = m->recipients,
	    .spf = (uint8_t)spf,
	    .size = m->size,
	    .content = m->content,
	};

	memcpy(out.client, m->client, sizeof(out.client));
	if (t != NULL)
		out.client_name = client_name(t);
	if (t != NULL && spf != AUTH_UNCHECKED)
		out.spf_domain = span_of(t->spf.domain, t->spf.domain_len);
	if (t != NULL && t->held->dkim.state == CHECK_DONE) {
		out.dkim = 1;
		out.signatures.count = t->held->dkim.count;
		out.signatures.encoded = span_of(t->held->dkim.encoded, t->held->dkim.len);
	}
	return link_send(worker->dispatcher->handoff, MSG_deliver, &out, fd);
}

void
judged_hand_on(struct worker *worker, const struct msg_submit *m, uint32_t budget_ms, int fd,
    const struct transaction *t, enum auth_result spf)
{
	if (hand_on(worker, m, budget_ms, fd, t, spf))
		count(COUNT_passed_on);
	else
		judged_refuse(worker, m->session, m->transaction, REFUSAL_INTERNAL, "");
}

/* ---- the log --------------------------------------------------------------------------------- */

static void
log_lists(struct log_line *line, const struct transaction *t)
{
	const struct client_facts *facts = clients_facts(&t->client_known);
	const struct conf *conf = t->worker->dispatcher->conf;
	uint8_t room[400];
	struct buf b = BUF_OVER(room);

	for (size_t i = 0; facts != NULL && i < conf->dnslist_count; i++) {
		if ((facts->listed & 1u << i) == 0)
			continue;
		if (b.len > 0)
			buf_put_u8(&b, ' ');
		buf_put_str(&b, conf->dnslist[i].title);
	}
	if (b.len > 0)
		log_span(line, "lists", buf_span(&b));
}

void
judged_log(const struct transaction *t, const struct msg_submit *m, bool refused,
    enum refusal reason, const char *observed)
{
	const struct dkim_check *dkim = &t->held->dkim;
	struct log_line line;

	log_begin(&line, EVENT_judged);
	log_span(&line, "id", m->id);
	log_ip(&line, "client", &t->client);
	if (t->spf.state == CHECK_DONE) {
		log_str(&line, "spf", auth_result_name(t->spf.result));
		log_span(&line, "spf_domain", span_of(t->spf.domain, t->spf.domain_len));
		log_span(&line, "spf_reason", span_of(t->spf.reason, t->spf.reason_len));
	}
	if (client_name(t).len > 0)
		log_span(&line, "client_name", client_name(t));
	log_lists(&line, t);
	if (observed != NULL)
		log_str(&line, "observed", observed);
	if (dkim->state == CHECK_DONE)
		log_span(&line, "dkim",
		    dkim->count > 0 ? span_of(dkim->note, dkim->note_len) : SPAN("none"));
	log_str(&line, "verdict", refused ? refusals[reason].name : "hand-on");
	log_end(&line);
}

void
judged_log_content(const struct transaction *t)
{
	struct dispatcher *d = t->worker->dispatcher;
	union msg m;

	transaction_submitted(t->held, &m);
	fingerprint(&d->fingerprints, m.submit.id, t->held->fd, m.submit.size, m.submit.content);
}

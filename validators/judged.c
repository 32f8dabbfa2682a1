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
    [REFUSAL_SPF_ERROR] = {"spf-permerror", COUNT_refused_spf},
    [REFUSAL_HELO] = {"helo-fail", COUNT_refused_spf},
    [REFUSAL_FROM_MALFORMED] = {"from-malformed", COUNT_refused_from},
    [REFUSAL_FROM_SEVERAL] = {"from-several", COUNT_refused_from},
    [REFUSAL_DKIM_NONE] = {"dkim-none", COUNT_refused_dkim},
    [REFUSAL_DKIM_UNALIGNED] = {"dkim-unaligned", COUNT_refused_dkim},
    [REFUSAL_DMARC] = {"dmarc-reject", COUNT_refused_dmarc},
    [REFUSAL_DEFERRED] = {"defer", COUNT_refused_rule},
    [REFUSAL_LISTED] = {"listed", COUNT_refused_client},
    [REFUSAL_LISTED_DEFER] = {"listed-defer", COUNT_refused_client},
    [REFUSAL_NO_REVERSE] = {"no-reverse", COUNT_refused_client},
    [REFUSAL_SENDER_UNKNOWN] = {"sender-unknown", COUNT_refused_sender},
    [REFUSAL_SENDER_NULL_MX] = {"sender-null-mx", COUNT_refused_sender},
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

/* Titles of the lists that the client is on, separated by spaces. */
static struct span
list_titles(const struct transaction *t, struct buf *b)
{
	const struct client_facts *facts = clients_facts(&t->client_known);
	const struct conf *conf = t->worker->dispatcher->conf;

	for (size_t i = 0; facts != NULL && i < conf->dnslist_count; i++) {
		struct span title = span_str(conf->dnslist[i].title);

		if ((facts->listed & 1u << i) == 0 || b->len + 1 + title.len > b->cap)
			continue;
		if (b->len > 0)
			buf_put_u8(b, ' ');
		buf_put_span(b, title);
	}
	return buf_span(b);
}

/* What the rules let the back end see. In: titles, room that stays as long as *out. */
static void
put_results(struct msg_deliver *out, const struct transaction *t, const struct verdict *verdict,
    struct buf *titles)
{
	const struct content_state *content = &t->held->content;
	const struct policy_verdict *v = &verdict->policy;
	const struct dkim_check *dkim = &content->dkim;

	out->client_name = client_name(t);
	out->iprev = (uint8_t)verdict->client.iprev;
	out->spf = (uint8_t)v->spf;
	out->spf_helo = (uint8_t)v->helo;
	out->dmarc = (uint8_t)v->dmarc;
	out->disposition = v->quarantine;
	if (verdict->client.mark)
		out->listed = list_titles(t, titles);
	memcpy(out->spf_client, t->spf_client.octets, sizeof(out->spf_client));
	if (v->spf != AUTH_UNCHECKED)
		out->spf_domain = span_of(t->spf.domain, t->spf.domain_len);
	if (v->dkim) {
		out->dkim = 1;
		out->signatures.count = dkim->count;
		out->signatures.encoded = span_of(dkim->encoded, dkim->len);
	}
	if (content->author_count > 0 && v->dmarc != AUTH_UNCHECKED) {
		const struct author_check *a = &content->authors[v->author];

		out->author = from_domain_span(&a->domain);
		out->dmarc_policy = (uint8_t)a->verdict.requested;
		out->dmarc_domain = from_domain_span(&a->policy_domain);
	}
}

/* In: fd, owned from now on; t and v, NULL when nothing was checked. */
static bool
hand_on(struct worker *worker, const struct msg_submit *m, uint32_t budget_ms, int fd,
    const struct transaction *t, const struct verdict *v)
{
	uint8_t room[255];
	struct buf titles = BUF_OVER(room);
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
	    .size = m->size,
	    .content = m->content,
	};

	memcpy(out.client, m->client, sizeof(out.client));
	if (t != NULL)
		put_results(&out, t, v, &titles);
	return link_send(worker->dispatcher->handoff, MSG_deliver, &out, fd);
}

void
judged_hand_on(struct worker *worker, const struct msg_submit *m, uint32_t budget_ms, int fd,
    const struct transaction *t, const struct verdict *v)
{
	if (hand_on(worker, m, budget_ms, fd, t, v))
		count(COUNT_passed_on);
	else
		judged_refuse(worker, m->session, m->transaction, REFUSAL_INTERNAL, "");
}

/* ---- the log --------------------------------------------------------------------------------- */

static void
log_lists(struct log_line *line, const struct transaction *t)
{
	uint8_t room[400];
	struct buf b = BUF_OVER(room);

	if (list_titles(t, &b).len > 0)
		log_span(line, "lists", buf_span(&b));
}

static void
log_authors(struct log_line *line, const struct content_state *content, enum auth_result spf)
{
	static const char *const policies[] = {"none", "quarantine", "reject"};

	for (size_t i = 0; i < content->author_count; i++) {
		const struct author_check *a = &content->authors[i];

		log_span(line, "author", from_domain_span(&a->domain));
		log_str(line, "dmarc", auth_result_name(policy_dmarc(&a->verdict, spf)));
		if (a->policy_domain.len == 0)
			continue;
		log_span(line, "policy_domain", from_domain_span(&a->policy_domain));
		log_str(line, "policy", policies[a->verdict.requested]);
	}
}

static void
log_content(struct log_line *line, const struct transaction *t)
{
	const struct content_state *content = &t->held->content;
	const struct dkim_check *dkim = &content->dkim;

	if (content->state != CHECK_DONE)
		return;
	if ((content->checks & WANT_DKIM) != 0)
		log_span(line, "dkim",
		    dkim->count > 0 ? span_of(dkim->note, dkim->note_len) : SPAN("none"));
	log_authors(line, content,
	    t->spf.state == CHECK_DONE ? (enum auth_result)t->spf.result : AUTH_UNCHECKED);
}

static void
log_envelope(struct log_line *line, const struct transaction *t)
{
	if (t->held != NULL && t->held->content.relayed)
		log_ip(line, "relayed_for", &t->spf_client);
	if (t->spf.state == CHECK_DONE) {
		log_str(line, "spf", auth_result_name(t->spf.result));
		log_span(line, "spf_domain", span_of(t->spf.domain, t->spf.domain_len));
		log_span(line, "spf_reason", span_of(t->spf.reason, t->spf.reason_len));
		if (t->spf.helo != AUTH_UNCHECKED)
			log_str(line, "spf_helo", auth_result_name(t->spf.helo));
	}
	if (client_name(t).len > 0)
		log_span(line, "client_name", client_name(t));
	log_lists(line, t);
}

/* What rules that only observe would have done, one key for each. */
static void
log_observed(struct log_line *line, const struct verdict *v)
{
	if (v->client.observed != NULL)
		log_str(line, "observed", v->client.observed);
	for (unsigned c = 0; c < CLAUSES; c++)
		if ((v->policy.observed & 1u << c) != 0)
			log_str(line, "observed", policy_clause_name((enum policy_clause)c));
}

void
judged_step(const struct transaction *t, const struct verdict *v)
{
	struct log_line line;

	log_begin(&line, EVENT_step);
	log_str(&line, "text", v->refuse ? "recipients are refused" : "recipients are not refused");
	if (v->refuse)
		log_str(&line, "verdict", refusals[v->reason].name);
	if (v->refuse && v->policy.refuse && v->reason == v->policy.reason)
		log_str(&line, "rule", policy_clause_name(v->policy.clause));
	log_envelope(&line, t);
	log_observed(&line, v);
	log_end(&line);
}

void
judged_log(const struct transaction *t, const struct msg_submit *m, const struct verdict *v)
{
	struct log_line line;

	log_begin(&line, EVENT_judged);
	log_span(&line, "id", m->id);
	log_ip(&line, "client", &t->client);
	log_envelope(&line, t);
	log_content(&line, t);
	log_observed(&line, v);
	if (v->policy.quarantine || v->client.mark)
		log_str(&line, "disposition", "quarantine");
	log_str(&line, "verdict", v->refuse ? refusals[v->reason].name : "hand-on");
	if (v->refuse && v->policy.refuse && v->reason == v->policy.reason)
		log_str(&line, "rule", policy_clause_name(v->policy.clause));
	log_end(&line);
}

void
judged_note_replays(const struct transaction *t, const struct msg_submit *m)
{
	struct dispatcher *d = t->worker->dispatcher;
	const struct dkim_check *dkim = &t->held->content.dkim;
	struct span rest = span_of(dkim->encoded, dkim->len);
	struct msg_dkim_result s;

	while (
	    t->held->content.state == CHECK_DONE && msg_list_next(&rest, RECORD_dkim_result, &s)) {
		uint64_t n = s.result == AUTH_PASS ? replays_note(&d->replays, &s,
							 m->recipients.count, loop_now(d->loop))
		                                   : 0;
		struct log_line line;

		if (n == 0)
			continue;
		count(COUNT_signatures_repeated);
		log_begin(&line, EVENT_signature_repeated);
		log_span(&line, "id", m->id);
		log_span(&line, "domain", s.domain);
		log_span(&line, "selector", s.selector);
		log_u64(&line, "recipients", n);
		log_end(&line);
	}
}

void
judged_log_content(const struct transaction *t)
{
	struct dispatcher *d = t->worker->dispatcher;
	union msg m;

	transaction_submitted(t->held, &m);
	fingerprint(&d->fingerprints, m.submit.id, t->held->fd, m.submit.size, m.submit.content);
}

#include "validators/checks.h"

#include <fcntl.h>

#include "validators/counters.h"
#include "validators/dispatcher.h"
#include "validators/facts.h"

/* ---- what a process is told --------------------------------------------------------------------- */

static void
foretell(struct job *job, bool policy)
{
	const struct transaction *t = job->owner;
	struct dispatcher *d = t->worker->dispatcher;

	if (d->foresight_ms > 0)
		foresight_tell(&d->questions, &job->asker, job->process->link, t->helo,
		    t->reverse_path, policy);
}

static bool
begin_envelope(struct job *job)
{
	const struct transaction *t = job->owner;
	struct msg_job_envelope out = {
	    .helo = t->helo,
	    .reverse_path = t->reverse_path,
	    .checks = facts_envelope_checks(t),
	    .stay = job->process_stays,
	};

	memcpy(out.client, t->client.octets, sizeof(out.client));
	foretell(job, false);
	return link_send(job->process->link, MSG_job_envelope, &out, -1);
}

static bool
begin_message(struct job *job)
{
	const struct transaction *t = job->owner;
	const struct held_message *held = t->held;
	struct msg_job_message out = {.helo = t->helo, .reverse_path = t->reverse_path};
	union msg m;
	int fd = -1;

	transaction_submitted(held, &m);
	memcpy(out.client, t->client.octets, sizeof(out.client));
	out.checks = (uint8_t)held->content.checks;
	out.received = m.submit.received;
	out.size = m.submit.size;
	out.content = m.submit.content;
	out.stay = job->process_stays;
	if (held->fd >= 0 && (fd = fcntl(held->fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return false;
	if ((out.checks & WANT_DMARC) != 0)
		foretell(job, true);
	return link_send(job->process->link, MSG_job_message, &out, fd);
}

bool
check_begin(struct job *job)
{
	return job->kind == JOB_ENVELOPE ? begin_envelope(job) : begin_message(job);
}

/* ---- what it answers ----------------------------------------------------------------------------- */

/* Letters, digits, "-", "_" and dots: nothing that could be taken for syntax further on. */
static bool
name_is_plain(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}

static bool
take_spf(
    struct spf_check *spf, uint8_t result, struct span domain, struct span reason, bool no_mail)
{
	if (!name_is_plain(domain) || result == AUTH_UNCHECKED)
		return false;
	spf->result = result;
	spf->no_mail = no_mail;
	spf->domain_len = (uint8_t)domain.len;
	memcpy(spf->domain, domain.p, domain.len);
	spf->reason_len = (uint8_t)reason.len;
	memcpy(spf->reason, reason.p, reason.len);
	return true;
}

static bool
envelope_answered(struct transaction *t, const struct msg_job_envelope_answer *m)
{
	t->spf.helo = m->helo;
	t->spf.sender = m->sender;
	if (m->everybody)
		count(COUNT_spf_everybody);
	return take_spf(&t->spf, m->spf, m->spf_domain, m->reason, m->no_mail);
}

static void
note_signature(struct dkim_check *dkim, const struct msg_dkim_verdict *v)
{
	struct buf note = buf_over(dkim->note, sizeof(dkim->note));

	note.len = dkim->note_len;
	if (note.len > 0)
		buf_put_str(&note, " ");
	buf_put_span(&note, v->domain);
	buf_put_str(&note, "/");
	buf_put_span(&note, v->selector);
	buf_put_str(&note, "=");
	buf_put_str(&note, auth_result_name(v->result));
	if (v->reason.len > 0) {
		buf_put_str(&note, ":");
		buf_put_span(&note, v->reason);
	}
	dkim->note_len = note.len;
}

static bool
take_signatures(struct dkim_check *dkim, const struct msg_list *signatures)
{
	struct buf b = BUF_OVER(dkim->encoded);
	struct span rest = signatures->encoded;
	struct msg_dkim_verdict v;

	while (msg_list_next(&rest, RECORD_dkim_verdict, &v)) {
		struct msg_dkim_result out = {v.domain, v.selector, v.result, v.algorithm, v.tag};

		if (!name_is_plain(v.domain) || !name_is_plain(v.selector) ||
		    !msg_list_put(&b, RECORD_dkim_result, &out))
			return false;
		note_signature(dkim, &v);
		dkim->count++;
		if (v.result == AUTH_PASS)
			dkim->passed++;
		dkim->key_trouble = dkim->key_trouble || v.result == AUTH_TEMPERROR;
	}
	dkim->len = b.len;
	return true;
}

static void
put_domain(struct from_domain *to, struct span name)
{
	to->len = (uint8_t)name.len;
	memcpy(to->name, name.p, name.len);
}

static bool
take_authors(struct content_state *content, const struct msg_job_message_answer *m)
{
	struct span rest = m->authors.encoded;
	struct msg_author_verdict v;

	content->from = (enum from_status)m->from;
	content->sealed = m->sealed;
	while (msg_list_next(&rest, RECORD_author_verdict, &v)) {
		struct author_check *a = &content->authors[content->author_count++];

		if (!name_is_plain(v.domain) || !name_is_plain(v.policy_domain))
			return false;
		put_domain(&a->domain, v.domain);
		put_domain(&a->policy_domain, v.policy_domain);
		a->verdict.found = (enum dmarc_found)v.found;
		a->verdict.requested = (enum dmarc_policy)v.requested;
		a->verdict.spf = (enum dmarc_match)v.spf;
		a->verdict.dkim = (enum auth_result)v.dkim;
	}
	return true;
}

static bool
message_answered(struct transaction *t, const struct msg_job_message_answer *m)
{
	struct content_state *content = &t->held->content;

	if (!take_signatures(&content->dkim, &m->signatures) || !take_authors(content, m))
		return false;
	if (!m->relayed)
		return true;
	/* Only where it was asked for. */
	if ((content->checks & WANT_SPF) == 0)
		return false;
	content->relayed = true;
	memcpy(t->spf_client.octets, m->client, sizeof(m->client));
	t->spf.state = CHECK_DONE;
	return take_spf(&t->spf, m->spf, m->spf_domain, m->reason, m->no_mail);
}

bool
check_answered(struct job *job, enum msg_type type, const union msg *m)
{
	if (type == MSG_job_envelope_answer)
		return envelope_answered(job->owner, &m->job_envelope_answer);
	return message_answered(job->owner, &m->job_message_answer);
}

/* ---- the end of a check -------------------------------------------------------------------------- */

void
check_envelope_ended(struct transaction *t, bool good)
{
	static const enum count counts[] = {
	    [AUTH_NONE] = COUNT_spf_none,
	    [AUTH_PASS] = COUNT_spf_pass,
	    [AUTH_FAIL] = COUNT_spf_fail,
	    [AUTH_SOFTFAIL] = COUNT_spf_softfail,
	    [AUTH_NEUTRAL] = COUNT_spf_neutral,
	    [AUTH_TEMPERROR] = COUNT_spf_temperror,
	    [AUTH_PERMERROR] = COUNT_spf_permerror,
	};
	t->spf.state = good ? CHECK_DONE : CHECK_FAILED;
	if (good)
		count(counts[t->spf.result]);
}

void
check_message_ended(struct content_state *content, bool good)
{
	const struct dkim_check *dkim = &content->dkim;

	content->state = good ? CHECK_DONE : CHECK_FAILED;
	if (good && (content->checks & WANT_DKIM) != 0)
		count(dkim->count == 0    ? COUNT_dkim_none
		      : dkim->passed == 0 ? COUNT_dkim_other
					  : COUNT_dkim_pass);
}

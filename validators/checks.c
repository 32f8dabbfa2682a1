#include "validators/checks.h"

#include <fcntl.h>

#include "validators/counters.h"
#include "validators/dispatcher.h"

/* ---- what a process is told --------------------------------------------------------------------- */

static bool
begin_envelope(struct job *job)
{
	const struct transaction *t = job->owner;
	struct msg_job_envelope out = {
	    .helo = t->helo, .reverse_path = t->reverse_path, .stay = job->process_stays};

	memcpy(out.client, t->client.octets, sizeof(out.client));
	return link_send(job->process->link, MSG_job_envelope, &out, -1);
}

static bool
begin_message(struct job *job)
{
	const struct held_message *held = job->owner->held;
	struct msg_job_message out;
	union msg m;
	int fd = -1;

	transaction_submitted(held, &m);
	out.received = m.submit.received;
	out.size = m.submit.size;
	out.content = m.submit.content;
	out.stay = job->process_stays;
	if (held->fd >= 0 && (fd = fcntl(held->fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return false;
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
envelope_answered(struct transaction *t, const struct msg_job_envelope_answer *m)
{
	if (!name_is_plain(m->spf_domain) || m->spf == AUTH_UNCHECKED)
		return false;
	t->spf.result = m->spf;
	t->spf.domain_len = (uint8_t)m->spf_domain.len;
	memcpy(t->spf.domain, m->spf_domain.p, m->spf_domain.len);
	t->spf.reason_len = (uint8_t)m->reason.len;
	memcpy(t->spf.reason, m->reason.p, m->reason.len);
	return true;
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
message_answered(struct dkim_check *dkim, const struct msg_job_message_answer *m)
{
	struct buf b = BUF_OVER(dkim->encoded);
	struct span rest = m->signatures.encoded;
	struct msg_dkim_verdict v;

	while (msg_list_next(&rest, RECORD_dkim_verdict, &v)) {
		struct msg_dkim_result out = {v.domain, v.selector, v.result};

		if (!name_is_plain(v.domain) || !name_is_plain(v.selector) ||
		    !msg_list_put(&b, RECORD_dkim_result, &out))
			return false;
		note_signature(dkim, &v);
		dkim->count++;
		if (v.result == AUTH_PASS)
			dkim->passed++;
	}
	dkim->len = b.len;
	return true;
}

bool
check_answered(struct job *job, enum msg_type type, const union msg *m)
{
	if (type == MSG_job_envelope_answer)
		return envelope_answered(job->owner, &m->job_envelope_answer);
	return message_answered(&job->owner->held->dkim, &m->job_message_answer);
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
check_message_ended(struct dkim_check *dkim, bool good)
{
	dkim->state = good ? CHECK_DONE : CHECK_FAILED;
	if (good)
		count(dkim->count == 0    ? COUNT_dkim_none
		      : dkim->passed == 0 ? COUNT_dkim_other
					  : COUNT_dkim_pass);
}

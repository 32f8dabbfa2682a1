#include "queue-handoff/report.h"

#include "lib/log.h"

#include "queue-handoff/counters.h"

static const struct {
	const char *name;
	enum handoff_counter counter;
} outcomes[] = {
    [HANDOFF_TAKEN] = {"taken", COUNT_taken},
    [HANDOFF_NO_CONNECTION] = {"no-connection", COUNT_no_connection},
    [HANDOFF_BROKEN] = {"broken", COUNT_broken},
    [HANDOFF_PROTOCOL] = {"protocol", COUNT_protocol},
    [HANDOFF_DEFERRED] = {"deferred", COUNT_deferred},
    [HANDOFF_REFUSED] = {"refused", COUNT_refused},
    [HANDOFF_DOUBTED] = {"doubted", COUNT_doubted},
    [HANDOFF_GRANT] = {"grant", COUNT_bad_grant},
    [HANDOFF_INTERNAL] = {"internal", COUNT_internal},
    [HANDOFF_BUSY] = {"busy", COUNT_busy},
    [HANDOFF_GIVEN_UP] = {"given-up", COUNT_given_up},
};

static const char *const steps[JOB_STATES] = {
    [JOB_CONNECTING] = "connect",
    [JOB_SENDING] = "send",
    [JOB_ASKING] = "ask",
    [JOB_COMMITTING] = "commit",
    [JOB_ANSWERING] = "answer",
    [JOB_LATE] = "late",
};

const char *
outcome_name(enum handoff_outcome outcome)
{
	return outcomes[outcome].name;
}

static void
line_begin(struct log_line *l, const struct job *j, enum log_event event)
{
	log_begin(l, event);
	log_span(l, "id", span_of(j->id, j->id_len));
	if (j->server != NULL)
		log_str(l, "server", j->server->name);
}

static void
line_end(struct log_line *l, const struct job *j, const char *outcome)
{
	uint64_t now = loop_now(j->h->loop);
	struct span text = qmqp_reply_text(&j->reply);

	log_str(l, "outcome", outcome);
	log_u64(l, "ms", now - j->began);
	if (j->committed != 0)
		log_u64(l, "answer_ms", now - j->committed);
	log_u64(l, "octets", job_package_len(j));
	if (text.len > 0)
		log_span(l, "text", text);
	log_end(l);
}

void
report_end(const struct job *j, enum handoff_outcome outcome)
{
	struct log_line l;

	count(outcomes[outcome].counter);
	if (outcome == HANDOFF_TAKEN)
		handoff_counters[COUNT_octets].value += job_package_len(j);
	line_begin(&l, j, EVENT_handoff);
	line_end(&l, j, outcomes[outcome].name);
}

void
report_abandoned(const struct job *j)
{
	struct log_line l;

	count(COUNT_abandoned);
	line_begin(&l, j, EVENT_handoff);
	line_end(&l, j, "abandoned");
}

void
report_late(const struct job *j, enum handoff_outcome outcome)
{
	struct log_line l;

	if (outcome == HANDOFF_TAKEN || outcome == HANDOFF_DEFERRED || outcome == HANDOFF_REFUSED)
		count(COUNT_late_answers);
	line_begin(&l, j, EVENT_handoff_late);
	line_end(&l, j, outcomes[outcome].name);
}

void
report_doubt(const struct job *j, const char *about, struct span text)
{
	struct log_line l;

	line_begin(&l, j, EVENT_handoff_doubted);
	log_str(&l, "about", about);
	log_span(&l, "text", text);
	log_end(&l);
}

void
report_alarm(const struct job *j, const char *what, struct span text)
{
	struct log_line l;

	line_begin(&l, j, EVENT_backend_alarm);
	log_str(&l, "what", what);
	log_span(&l, "text", text);
	log_end(&l);
}

void
report_server_failed(const struct job *j, enum handoff_outcome outcome, int error)
{
	struct log_line l;

	log_begin(&l, EVENT_backend_failed);
	log_str(&l, "backend", j->group->title);
	log_str(&l, "server", j->server->name);
	log_str(&l, "step", steps[j->state]);
	if (error != 0)
		log_errno(&l, error);
	else
		log_str(&l, "error", outcomes[outcome].name);
	log_end(&l);
}

void
report_server_back(const struct job *j)
{
	struct log_line l;

	log_begin(&l, EVENT_backend_back);
	log_str(&l, "backend", j->group->title);
	log_str(&l, "server", j->server->name);
	log_end(&l);
}

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
    [HANDOFF_MIXED] = {"mixed", COUNT_mixed},
    [HANDOFF_TAKEN_BEFORE] = {"taken-before", COUNT_taken_before},
};

static const char *const steps[JOB_STATES] = {
    [JOB_WAITING] = "wait",
    [JOB_CONNECTING] = "connect",
    [JOB_TALKING] = "talk",
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
	struct span text = span_of(j->text, j->text_len);

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
	if (text.len > 0)
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

void
report_window(uint64_t ms)
{
	static const struct {
		uint64_t most_ms;
		enum handoff_counter counter;
	} buckets[] = {
	    {10, COUNT_commit_window_le_10ms},
	    {100, COUNT_commit_window_le_100ms},
	    {1000, COUNT_commit_window_le_1s},
	    {10000, COUNT_commit_window_le_10s},
	    {60000, COUNT_commit_window_le_60s},
	    {UINT64_MAX, COUNT_commit_window_le_inf},
	};

	for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++)
		if (ms <= buckets[i].most_ms)
			count(buckets[i].counter);
}

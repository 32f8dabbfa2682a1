#include "queue-handoff/counters.h"
#include "queue-handoff/job.h"
#include "queue-handoff/recent.h"

static struct repeat_content
content_of(const struct job *j)
{
	return (struct repeat_content){
	    .memory = span_of(j->memory + j->content_at, j->split - j->content_at),
	    .fd = j->content_fd,
	    .file_from = j->file_from,
	    .file_len = j->file_len,
	};
}

/* Those that the back end took the message for: its repeat brings them no second copy. */
static void
record_taken(struct job *j, uint64_t now)
{
	struct repeat_content content = content_of(j);
	struct span rest = j->envelope, sender, recipient;
	uint8_t digest[DIGEST_LEN];

	if (!repeats_digest(j->h->repeats, &content, digest) || !envelope_next(&rest, &sender))
		return;
	count(COUNT_remembered);
	for (unsigned i = 0; envelope_next(&rest, &recipient); i++)
		if (j->verdicts[i] == VERDICT_TAKEN)
			repeats_record(j->h->repeats, sender, recipient, digest, now);
}

/*
 * Those that were refused, and before anything could be queued also those that were deferred: the
 * repeat goes on without them, each with its own answer.
 */
static void
recall_others(struct job *j)
{
	const struct handoff_port *port = j->h->port;
	struct span rest = j->envelope, sender, recipient;

	if (!envelope_next(&rest, &sender))
		return;
	for (unsigned i = 0; envelope_next(&rest, &recipient); i++) {
		bool refused = j->verdicts[i] == VERDICT_REFUSED;
		bool deferred =
		    j->verdicts[i] == VERDICT_DEFERRED || j->verdicts[i] == VERDICT_DOUBTED;

		if (!refused && (!deferred || j->committed != 0))
			continue;
		count(COUNT_recalls);
		port->recall(port->ctx, sender, recipient, j->declared_size, refused);
	}
}

/* Until its client is known to have heard, all that a record needs is kept. */
static void
keep(struct job *j, uint64_t now)
{
	struct repeat_content content = content_of(j);

	j->h->memory -= j->memory_cap;
	recent_keep(j->h->recent, &j->owner, j->memory, j->memory_cap, j->envelope, &content, now);
	j->memory = NULL;
	j->memory_cap = 0;
	j->content_fd = -1;
}

static bool
any_taken(const struct job *j)
{
	for (unsigned i = 0; i < j->recipients; i++)
		if (j->verdicts[i] == VERDICT_TAKEN)
			return true;
	return false;
}

void
job_remember(struct job *j, enum handoff_outcome outcome, bool unheard)
{
	uint64_t now = loop_now(j->h->loop);

	if (outcome == HANDOFF_MIXED && !unheard)
		recall_others(j);
	if (j->h->repeats == NULL || !any_taken(j))
		return;
	if (outcome != HANDOFF_TAKEN || unheard)
		record_taken(j, now);
	else if (j->h->recent != NULL)
		keep(j, now);
}

#include "queue-handoff/job.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/bug.h"

#include "queue-handoff/complaints.h"
#include "queue-handoff/report.h"

enum { MEMORY_KEPT = 40 * 1024 }; /* a free job keeps a package buffer up to this size */

static struct job **
bucket(struct handoff *h, const struct handoff_owner *owner)
{
	return &h->buckets[(owner->transaction * 31 + owner->worker) % JOB_BUCKETS];
}

static bool
owner_eq(const struct handoff_owner *a, const struct handoff_owner *b)
{
	return a->worker == b->worker && a->session == b->session &&
	       a->transaction == b->transaction;
}

struct job *
job_find(struct handoff *h, const struct handoff_owner *owner)
{
	for (struct job *j = *bucket(h, owner); j != NULL; j = j->next)
		if (owner_eq(&j->owner, owner))
			return j;
	return NULL;
}

uint64_t
job_package_len(const struct job *j)
{
	return j->memory_len + j->file_len;
}

/* Memory of a package. Returns: whether the job has at least `need` octets. */
static bool
memory_reserve(struct job *j, size_t need)
{
	struct handoff *h = j->h;
	uint8_t *memory;

	if (need <= j->memory_cap)
		return true;
	if (need - j->memory_cap > HANDOFF_MEMORY - h->memory)
		return false;
	memory = malloc(need);
	if (memory == NULL)
		return false;
	free(j->memory);
	h->memory += need - j->memory_cap;
	j->memory = memory;
	j->memory_cap = need;
	return true;
}

static void
memory_trim(struct job *j)
{
	if (j->memory_cap <= MEMORY_KEPT)
		return;
	j->h->memory -= j->memory_cap;
	free(j->memory);
	j->memory = NULL;
	j->memory_cap = 0;
}

/* The package, and behind it what else the job needs. Returns: false when there is no room. */
static bool
memory_fill(struct job *j, const struct handoff_request *r)
{
	const struct protocol *p = r->group->protocol;
	size_t package = p->memory(&r->parts);
	size_t envelope = envelope_size(&r->parts);
	size_t recipients = r->parts.recipients.count;
	struct buf b;

	if (!memory_reserve(j, package + envelope + recipients + (p->talk->greets ? JOB_OUT : 0)))
		return false;
	b = buf_over(j->memory, j->memory_cap);
	j->split = p->compose(&r->parts, &b);
	j->memory_len = b.len;
	j->content_at = j->split - r->parts.content.len;
	envelope_put(&b, &r->parts);
	j->envelope = span_of(j->memory + j->memory_len, envelope);
	j->recipients = (unsigned)recipients;
	j->verdicts = j->memory + b.len;
	j->out = p->talk->greets ? j->verdicts + recipients : NULL;
	return true;
}

struct job *
job_take(struct handoff *h, const struct handoff_request *r)
{
	struct job *j = h->free;
	struct span id = span_head(r->id, JOB_ID_MAX);

	if (j == NULL || !memory_fill(j, r))
		return NULL;
	h->free = j->next;
	j->protocol = r->group->protocol;
	j->eight_bit = r->parts.eight_bit;
	j->smtputf8 = r->parts.smtputf8;
	j->declared_size = r->declared_size;
	j->spared = r->spared;
	j->owner = r->owner;
	memcpy(j->id, id.p, id.len);
	j->id_len = id.len;
	j->content_fd = r->content_fd;
	j->file_from = r->file_from;
	j->file_len = r->parts.file_len;
	j->group = r->group;
	j->server = NULL;
	j->tried = 0;
	j->fd = -1;
	j->again = false;
	j->watched = 0;
	j->question = QUESTION_UNASKED;
	j->committed = 0;
	job_answers_clear(j);
	j->next = *bucket(h, &j->owner);
	*bucket(h, &j->owner) = j;
	h->running++;
	return j;
}

void
job_release(struct job *j)
{
	struct handoff *h = j->h;
	struct job **at = bucket(h, &j->owner);

	job_disconnect(j, false);
	job_unwait(j);
	timer_stop(&j->timer);
	if (j->content_fd >= 0)
		close(j->content_fd);
	j->content_fd = -1;
	j->state = JOB_FREE;
	memory_trim(j);
	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	j->next = h->free;
	h->free = j;
	h->running--;
}

void
job_answers_clear(struct job *j)
{
	memset(j->verdicts, VERDICT_NONE, j->recipients);
	j->text_len = 0;
	j->text_is_bad = false;
}

enum handoff_outcome
job_outcome(const struct job *j)
{
	enum handoff_outcome outcome = verdicts_outcome(j->verdicts, j->recipients);

	return outcome == HANDOFF_REFUSED && j->spared ? HANDOFF_MIXED : outcome;
}

/* One text is kept for the log: a bad one, if there is any. */
static void
keep_text(struct job *j, const struct answer *answer)
{
	struct span text = span_head(answer->text, JOB_TEXT_MAX);
	bool bad = answer->kind != ANSWER_TAKEN;

	if (j->text_is_bad || (j->text_len > 0 && !bad))
		return;
	if (text.len > 0)
		memcpy(j->text, text.p, text.len);
	j->text_len = text.len;
	j->text_is_bad = bad;
}

/* Whether a refusal is believed; see complaints.h. */
static enum verdict
refusal_verdict(struct job *j, const struct answer *answer)
{
	bool trusted = server_is_trusted(j->server, loop_now(j->h->loop));
	const char *about = refusal_doubt(answer, j->group, trusted);

	if (about == NULL)
		return VERDICT_REFUSED;
	report_doubt(j, about, answer->text);
	return VERDICT_DOUBTED;
}

void
job_answer(struct job *j, unsigned first, unsigned end, const struct answer *answer)
{
	enum verdict v = VERDICT_TAKEN;

	BUG_ON(first > end || end > j->recipients);
	keep_text(j, answer);
	if (answer->kind == ANSWER_DEFERRED)
		v = VERDICT_DEFERRED;
	else if (answer->kind == ANSWER_REFUSED)
		v = refusal_verdict(j, answer);
	memset(j->verdicts + first, (int)v, end - first);
}

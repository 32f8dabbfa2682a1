#include "queue-handoff/job.h"

#include <stdlib.h>
#include <unistd.h>

enum { MEMORY_KEPT = 24 * 1024 }; /* a free job keeps a package buffer up to this size */

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

struct job *
job_take(struct handoff *h, const struct handoff_request *r)
{
	struct job *j = h->free;
	struct span id = span_head(r->id, JOB_ID_MAX);
	struct buf b;

	if (j == NULL || !memory_reserve(j, qmqp_memory(&r->parts)))
		return NULL;
	h->free = j->next;
	b = buf_over(j->memory, j->memory_cap);
	j->split = qmqp_compose(&r->parts, &b);
	j->memory_len = b.len;
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
	j->watched = 0;
	j->committed = 0;
	qmqp_reply_init(&j->reply);
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

	watch_stop(&j->watch);
	timer_stop(&j->timer);
	if (j->fd >= 0)
		close(j->fd);
	if (j->content_fd >= 0)
		close(j->content_fd);
	j->fd = j->content_fd = -1;
	j->state = JOB_FREE;
	memory_trim(j);
	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	j->next = h->free;
	h->free = j;
	h->running--;
}

#include "validators/job_queue.h"

#include <stdlib.h>
#include <string.h>

#include "validators/jobs.h"

/* ---- networks -------------------------------------------------------------------------------- */

static struct ip
key_of(const struct ip *client)
{
	enum { V4_KEPT = IP_LEN - 1, V6_KEPT = 6 };
	size_t kept = ip_is_v4(client) ? V4_KEPT : V6_KEPT;
	struct ip key = {{0}};

	memcpy(key.octets, client->octets, kept);
	return key;
}

static size_t
bucket_of(const struct ip *key)
{
	uint64_t h = 0;

	for (size_t i = 0; i < IP_LEN; i++)
		h = (h ^ key->octets[i]) * UINT64_C(0x100000001b3);
	return (size_t)(h >> 20) % QUEUE_BUCKETS;
}

static struct job_network *
find(const struct job_queue *q, const struct ip *key, bool unlimited)
{
	struct job_network *n = q->buckets[bucket_of(key)];

	while (n != NULL && (n->unlimited != unlimited || memcmp(&n->key, key, sizeof(*key)) != 0))
		n = n->next;
	return n;
}

struct job_network *
queue_network(struct job_queue *q, const struct ip *client, bool unlimited)
{
	struct ip key = key_of(client);
	struct job_network *n = find(q, &key, unlimited);

	if (q->waiting >= QUEUE_MAX || (n != NULL && !unlimited && n->waiting >= QUEUE_NETWORK_MAX))
		return NULL;
	if (n != NULL)
		return n;
	n = calloc(1, sizeof(*n));
	if (n == NULL)
		return NULL;
	n->key = key;
	n->unlimited = unlimited;
	n->next = q->buckets[bucket_of(&key)];
	q->buckets[bucket_of(&key)] = n;
	return n;
}

static void
free_unused(struct job_queue *q, struct job_network *n)
{
	struct job_network **at = &q->buckets[bucket_of(&n->key)];

	if (n->waiting > 0 || n->running > 0)
		return;
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	free(n);
}

/* ---- the ring -------------------------------------------------------------------------------- */

static void
enter_ring(struct job_queue *q, struct job_network *n)
{
	n->ready = true;
	if (q->turn == NULL) {
		q->turn = n->before = n->after = n;
		return;
	}
	n->after = q->turn;
	n->before = q->turn->before;
	n->before->after = n->after->before = n;
}

static void
leave_ring(struct job_queue *q, struct job_network *n)
{
	n->ready = false;
	if (q->turn == n)
		q->turn = n->after != n ? n->after : NULL;
	n->before->after = n->after;
	n->after->before = n->before;
}

static void
review(struct job_queue *q, struct job_network *n)
{
	bool ready = n->waiting > 0 && (n->unlimited || n->running < QUEUE_RUNNING_MAX);

	if (ready && !n->ready)
		enter_ring(q, n);
	else if (!ready && n->ready)
		leave_ring(q, n);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

void
queue_add(struct job_queue *q, struct job *job)
{
	struct job_network *n = job->network;

	job->prev = n->last;
	job->next = NULL;
	if (n->last != NULL)
		n->last->next = job;
	else
		n->first = job;
	n->last = job;
	n->waiting++;
	q->waiting++;
	review(q, n);
}

static void
unlink_job(struct job_queue *q, struct job *job)
{
	struct job_network *n = job->network;

	if (job->prev != NULL)
		job->prev->next = job->next;
	else
		n->first = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	else
		n->last = job->prev;
	n->waiting--;
	q->waiting--;
}

void
queue_remove(struct job_queue *q, struct job *job)
{
	struct job_network *n = job->network;

	unlink_job(q, job);
	job->network = NULL;
	review(q, n);
	free_unused(q, n);
}

struct job *
queue_take(struct job_queue *q)
{
	struct job_network *n = q->turn;
	struct job *job;

	if (n == NULL)
		return NULL;
	q->turn = n->after;
	job = n->first;
	unlink_job(q, job);
	n->running++;
	review(q, n);
	return job;
}

/* Its leader, which runs or waits, still counts too: the network is there, and no more of it start. */
void
queue_skip(struct job *job)
{
	job->network->running++;
}

void
queue_ended(struct job_queue *q, struct job *job)
{
	struct job_network *n = job->network;

	job->network = NULL;
	n->running--;
	review(q, n);
	free_unused(q, n);
}

/* ---- the line ---------------------------------------------------------------------------------- */

void
line_add(struct job_line *line, struct job *job)
{
	job->lined = true;
	job->prev = line->last;
	job->next = NULL;
	if (job->prev != NULL)
		job->prev->next = job;
	else
		line->first = job;
	line->last = job;
}

void
line_remove(struct job_line *line, struct job *job)
{
	if (!job->lined)
		return;
	job->lined = false;
	if (job->prev != NULL)
		job->prev->next = job->next;
	else
		line->first = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	else
		line->last = job->prev;
}

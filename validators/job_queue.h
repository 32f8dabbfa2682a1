/*
 * Jobs that wait for their turn: those of one client network in their order, the networks in turn,
 * so that a busy network delays nobody but itself. And a line for those that have had their turn.
 */
#ifndef VALIDATORS_JOB_QUEUE_H
#define VALIDATORS_JOB_QUEUE_H

#include "lib/ip.h"

struct job;

enum {
	QUEUE_MAX = 2048,        /* jobs that wait, of all networks */
	QUEUE_NETWORK_MAX = 512, /* of one, unless it is unlimited */
	QUEUE_RUNNING_MAX = 25,  /* of one that run, waiting for the DNS or not; likewise */
	QUEUE_BUCKETS = 1024,
};

/* One client network with jobs that wait or run. */
struct job_network {
	struct job_network *next;           /* of the bucket */
	struct job_network *before, *after; /* in the ring of those that may start a job */
	struct ip key;
	bool unlimited, ready; /* in the ring */
	size_t running, waiting;
	struct job *first, *last;
};

struct job_queue {
	size_t waiting;
	struct job_network *turn; /* whose turn it is; NULL: nobody's */
	struct job_network *buckets[QUEUE_BUCKETS];
};

/* Jobs in their order, whoever they are of. Zeroed memory is an empty line. */
struct job_line {
	struct job *first, *last;
};

void line_add(struct job_line *line, struct job *job);

/* Takes one that is in no line, too. */
void line_remove(struct job_line *line, struct job *job);

/*
 * Finds or makes the network of a client: its /24 or /48.
 * In: unlimited, clients that stand for many others.
 * Returns: NULL when too many wait already, or memory is out.
 */
struct job_network *queue_network(struct job_queue *q, const struct ip *client, bool unlimited);

/* job->network is set. */
void queue_add(struct job_queue *q, struct job *job);
void queue_remove(struct job_queue *q, struct job *job);

/* Takes the next job out, which counts as running from now on. Returns: NULL when none may start. */
struct job *queue_take(struct job_queue *q);

/* A job that was never in the queue counts as running from now on. job->network is set. */
void queue_skip(struct job *job);

/* A job that was taken out has ended. Clears job->network. */
void queue_ended(struct job_queue *q, struct job *job);

#endif

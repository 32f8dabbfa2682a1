/*
 * Hand-offs: one job for each message, many at the same time.
 *
 * A job connects to a server of its group, says what the protocol wants to be said first, sends
 * the whole package except its end, asks whether the client is still there and in time, sends the
 * end, reads the answer. Before that every end of a job means that nothing is queued; after it,
 * only a complete positive answer means that the message is taken.
 *
 *	(waiting ->) connecting (-> talking) -> sending -> asking (-> committing) -> answering
 *	                 ^______________________|  another server                      |
 *	                                         late: nobody waits; only for the log <-+
 */
#ifndef QUEUE_HANDOFF_HANDOFF_H
#define QUEUE_HANDOFF_HANDOFF_H

#include "queue-handoff/backends.h"
#include "queue-handoff/parts.h"
#include "queue-handoff/repeats.h"

struct handoff;
struct health;
struct loop;
struct recent;

enum {
	HANDOFF_JOBS = 1200,                    /* at the same time, at most */
	HANDOFF_MEMORY = 64 * 1024 * 1024,      /* octets of packages in memory, all jobs */
	HANDOFF_DESCRIPTORS = 2 * HANDOFF_JOBS, /* a connection and a memory file each */
};

/* Who a job is for: a transaction of an smtpd worker. */
struct handoff_owner {
	unsigned worker;
	uint64_t session, transaction;
};

/* The way back to smtpd. */
struct handoff_port {
	void *ctx;
	/* May the last octet go? Answered by handoff_commit. Returns: false when it cannot be asked. */
	bool (*ask)(void *ctx, const struct handoff_owner *owner);
	/* A run of the local program on this end of a stream, which is taken over. Returns: false when
	 * nobody can run it. */
	bool (*run)(void *ctx, int fd);
	/*
	 * A recipient of a message that did not end the same way for all: at its repeat it is owed
	 * its own answer.
	 */
	void (*recall)(void *ctx, struct span sender, struct span recipient, uint64_t declared_size,
	    bool for_good);
	/* The end of the job; called once, unless smtpd is gone. */
	void (*tell)(void *ctx, const struct handoff_owner *owner, enum handoff_outcome outcome);
};

/* A message that may be handed off. Everything is borrowed during the call, except the descriptor. */
struct handoff_request {
	struct handoff_owner owner;
	struct span id;
	struct group *group;
	struct parts parts;
	uint64_t declared_size;
	bool spared;        /* recipients were left out, since they have got it before */
	int content_fd;     /* sealed, owned by the job from now on; -1: all content is in memory */
	uint64_t file_from; /* where parts.file_len octets begin */
	uint32_t budget_ms; /* until the reply to the client is due */
};

/*
 * In: port and hostname, ours, borrowed for the life of the handoff; jobs, how many at the same time, 1 to
 * HANDOFF_JOBS.
 * Returns: NULL when memory is out.
 */
struct handoff *handoff_new(
    struct loop *loop, const struct handoff_port *port, struct span hostname, unsigned jobs);

/*
 * What it may use besides. In: health, who is told which servers take connections; repeats and
 * recent, where it is remembered what was taken; all borrowed, each may be NULL.
 */
void handoff_use(
    struct handoff *h, struct health *health, struct repeats *repeats, struct recent *recent);

/* Abandons what runs. */
void handoff_free(struct handoff **h);

/*
 * Starts a job. It may end before the call returns.
 * Returns: false when there are too many; then nothing was told, and the descriptor stays with
 * the caller.
 */
bool handoff_start(struct handoff *h, const struct handoff_request *request);

/* smtpd's answer to the question. Unknown or untimely ones are ignored. */
void handoff_commit(struct handoff *h, const struct handoff_owner *owner, bool go);

/* The link to that worker is gone: jobs before the last octet are abandoned. */
void handoff_worker_lost(struct handoff *h, unsigned worker);

/* Jobs in progress. */
unsigned handoff_running(const struct handoff *h);

/* Calls fn at the end of every job; for draining. */
void handoff_on_end(struct handoff *h, void (*fn)(void *arg), void *arg);

#endif

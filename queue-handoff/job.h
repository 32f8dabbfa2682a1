/* One hand-off; shared by the files that make its steps. */
#ifndef QUEUE_HANDOFF_JOB_H
#define QUEUE_HANDOFF_JOB_H

#include "queue-handoff/handoff.h"

#include "lib/loop.h"

enum job_state {
	JOB_FREE,
	JOB_CONNECTING,
	JOB_SENDING,
	JOB_ASKING,     /* all but what is held back is with the kernel; smtpd is asked */
	JOB_COMMITTING, /* smtpd said go; the kernel has no room for the last octet yet */
	JOB_ANSWERING,  /* the last octet is on its way: point of no return */
	JOB_LATE,       /* smtpd has its answer or is gone */
	JOB_STATES,
};

enum { JOB_ID_MAX = 32, JOB_BUCKETS = 2048 };

struct job {
	struct handoff *h;
	struct job *next; /* in the free list or in its bucket */
	enum job_state state;
	struct handoff_owner owner;
	uint8_t id[JOB_ID_MAX];
	size_t id_len;

	/* the package: memory up to split, the range of the file, memory from split on */
	uint8_t *memory;
	size_t memory_cap, memory_len, split;
	int content_fd;
	uint64_t file_from, file_len;
	uint64_t sent; /* octets of the package that the kernel has taken for this server */

	/* the conversation */
	struct group *group;
	struct server *server;
	uint32_t tried;
	int fd;
	struct watch watch;
	unsigned watched; /* flags of the watch */
	struct qmqp_reply reply;

	/* time, ms */
	struct timer timer;
	uint64_t timer_at; /* when the timer fires; it looks at `deadline` then */
	uint64_t deadline; /* of this state */
	uint64_t end;      /* the budget is used up */
	uint64_t began, committed;
};

struct handoff {
	struct loop *loop;
	const struct handoff_port *port;
	struct job *jobs;
	unsigned job_count;
	struct job *free;
	struct job *buckets[JOB_BUCKETS];
	unsigned running;
	size_t memory; /* octets in use for packages */
	void (*on_end)(void *arg);
	void *on_end_arg;
};

/* ---- job.c: memory and identity ---- */

/* Takes a job from the pool and composes the package. Returns: NULL when there is no room. */
struct job *job_take(struct handoff *h, const struct handoff_request *r);

/* Closes and gives back all that the job holds. */
void job_release(struct job *j);

struct job *job_find(struct handoff *h, const struct handoff_owner *owner);

/* Octets of the whole package. */
uint64_t job_package_len(const struct job *j);

/* ---- send.c: the package ---- */

enum send_status {
	SEND_DONE,  /* all but what is held back is with the kernel */
	SEND_LATER, /* the socket takes no more now */
	SEND_ERROR, /* errno says why */
};

/* Sends what the socket takes, but not what is held back. */
enum send_status job_send_package(struct job *j);

/* Sends what was held back. Returns: 0; or -1 with errno, and then the very last octet was not sent. */
int job_send_commit(struct job *j);

#endif

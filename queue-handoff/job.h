/* One hand-off; shared by the files that make its steps. */
#ifndef QUEUE_HANDOFF_JOB_H
#define QUEUE_HANDOFF_JOB_H

#include "queue-handoff/answer.h"
#include "queue-handoff/handoff.h"
#include "queue-handoff/idle.h"
#include "queue-handoff/lines.h"
#include "queue-handoff/protocol.h"
#include "queue-handoff/qmqp.h"
#include "queue-handoff/smtp.h"

#include "lib/loop.h"

enum job_state {
	JOB_FREE,
	JOB_WAITING, /* every server of the group has as many connections as it may have */
	JOB_CONNECTING,
	JOB_TALKING, /* what the protocol says before the package */
	JOB_SENDING,
	JOB_ASKING,     /* all but what is held back is with the kernel; smtpd is asked */
	JOB_COMMITTING, /* smtpd said go; the kernel has no room for the last octet yet */
	JOB_ANSWERING,  /* the last octet is on its way: point of no return */
	JOB_LATE,       /* smtpd has its answer or is gone */
	JOB_STATES,
};

enum {
	JOB_ID_MAX = 32,
	JOB_BUCKETS = 2048,
	JOB_OUT = 16384,    /* octets of commands, or of lines, on their way */
	JOB_TEXT_MAX = 200, /* octets of a back end's answer that are kept for the log */
};

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
	size_t content_at; /* in memory: where the content begins, behind our header block */
	int content_fd;
	uint64_t file_from, file_len;
	uint64_t sent;    /* octets of the package that the kernel has taken for this server */
	size_t held_sent; /* of those held back */
	uint64_t moved;   /* octets of anything that the kernel has taken; progress */
	/* behind it: the envelope, a verdict for each recipient, room for what goes out */
	struct span envelope;
	unsigned recipients;
	uint8_t *verdicts; /* enum verdict */
	uint8_t *out;      /* JOB_OUT octets; NULL where the protocol needs none */
	size_t out_at, out_len;
	struct lines lines;
	bool eight_bit, smtputf8;
	uint64_t declared_size;
	bool spared; /* its client named recipients besides, who have got it */

	/* the conversation */
	const struct protocol *protocol;
	struct group *group;
	struct server *server;
	uint32_t tried;
	int fd;
	bool again; /* the connection has served other messages */
	struct watch watch;
	unsigned watched; /* flags of the watch */
	union {
		struct {
			struct qmqp_reply reply;
			unsigned expected, got; /* answers */
		} netstring;
		struct smtp smtp;
	} talk;
	uint8_t
	    text[JOB_TEXT_MAX]; /* of the first answer that is not positive; else of the first */
	size_t text_len;
	bool text_is_bad;

	/* smtpd's word */
	enum { QUESTION_UNASKED, QUESTION_ASKED, QUESTION_GO } question;

	/* time, ms */
	struct timer timer;
	uint64_t timer_at; /* when the timer fires; it looks at `deadline` then */
	uint64_t deadline; /* of this state */
	uint64_t end;      /* the budget is used up */
	uint64_t began, committed;
	struct job *next_waiting;
};

struct handoff {
	struct loop *loop;
	const struct handoff_port *port;
	struct span hostname;
	struct job *jobs;
	unsigned job_count;
	struct job *free;
	struct job *buckets[JOB_BUCKETS];
	unsigned running;
	size_t memory; /* octets in use for packages */
	struct idle *idle;
	struct health *health; /* these may be NULL */
	struct repeats *repeats;
	struct recent *recent;
	struct job *waiting, **waiting_end; /* in the order of their arrival */
	struct deferred wake;
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

/* A back end has answered for the recipients from index first up to index end; of no recipients
 * there is one answer for all. */
void job_answer(struct job *j, unsigned first, unsigned end, const struct answer *answer);

/*
 * Of all recipients that the client named: a refusal of these is none of those that were served
 * before, who would be taken for refused, too.
 */
enum handoff_outcome job_outcome(const struct job *j);

/* Forgets what the last server said. */
void job_answers_clear(struct job *j);

/* ---- send.c: the package ---- */

enum send_status {
	SEND_DONE,  /* all but what is held back is with the kernel */
	SEND_LATER, /* the socket takes no more now */
	SEND_ERROR, /* errno says why; EIO: it is not the server */
};

/* Sends what the socket takes, but not what is held back. */
enum send_status job_send_package(struct job *j);

/* Sends the commands in out. */
enum send_status job_send_out(struct job *j);

/* Sends what was held back. Returns: 0; or -1 with errno, and then the very last octet was not sent. */
int job_send_commit(struct job *j);

/* ---- connect.c: connections and who gets one ---- */

/* Finds a server and connects, or waits for one. */
void job_start(struct job *j);

/* Connects to j->server. In: fresh, never by a connection that was kept. */
void job_connect(struct job *j, bool fresh);

/* Something is wrong with this server. In: error, errno or 0. Tries another, or ends the job. */
void job_failed(struct job *j, enum handoff_outcome outcome, int error);

/* Ends the conversation. In: keep, whether the connection may serve again. */
void job_disconnect(struct job *j, bool keep);

/* Takes it out of the queue of those that wait. */
void job_unwait(struct job *j);

/* ---- converse.c: the conversation ---- */

/* A connection is being made, or was kept: begins to talk. */
void job_converse(struct job *j);

/* smtpd has said go, and the package stands ready. */
void job_commit(struct job *j);

/* ---- aftermath.c: what is remembered of it ---- */

/* The message is at its end; outcome is what its client will know, or nothing of it if unheard. */
void job_remember(struct job *j, enum handoff_outcome outcome, bool unheard);

/* ---- handoff.c: time and ends ---- */

/* How long this state may take from now on. */
void job_expect_within(struct job *j, uint64_t delay_ms);

void job_end(struct job *j, enum handoff_outcome outcome);

/* Whether another server may be tried: nothing has been asked yet. */
bool job_may_move(const struct job *j);

/* Returns: false when the job has ended, since the kernel refuses. */
bool job_watch(struct job *j, unsigned flags);

#endif

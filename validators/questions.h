/*
 * DNS questions of children on their way to resolverd and back.
 *
 * A child numbers its questions as it likes; on the link to resolverd they carry numbers of ours,
 * so that no child can name, or be given, the answer to another's question.
 */
#ifndef VALIDATORS_QUESTIONS_H
#define VALIDATORS_QUESTIONS_H

#include "lib/link.h"

struct job;

enum {
	QUESTIONS_MAX = 2048,       /* in progress */
	QUESTIONS_PER_MESSAGE = 60, /* envelope and content together */
};

struct question {
	struct job *job; /* NULL: free */
	uint32_t query;  /* the child's number */
	uint32_t round;  /* makes our numbers differ from use to use of this place */
	uint16_t next_free;
};

struct questions {
	struct link *resolver; /* owned by the dispatcher; NULL: down */
	uint64_t timeout_ms;   /* for one question, at most */
	uint16_t first_free;
	struct question places[QUESTIONS_MAX];
};

void questions_init(struct questions *qs, uint64_t timeout_ms);

/*
 * Forwards a child's question; an answer always comes, at once as DNS_TROUBLE when resolverd is
 * down, too much is asked, or the budget is used up.
 * In: left, questions that this message may still ask; counted down.
 */
void questions_ask(
    struct questions *qs, struct job *job, const struct msg_dns_ask *ask, unsigned *left);

/* Gives an answer of resolverd to the child that waits for it; a late one is dropped. */
void questions_answer(struct questions *qs, const struct msg_dns_answer *answer);

/* The job has ended: what is still to come for it is dropped. */
void questions_forget(struct questions *qs, const struct job *job);

/* resolverd is gone: everybody who waits is told so. */
void questions_resolver_lost(struct questions *qs);

#endif

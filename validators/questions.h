/*
 * DNS questions on their way to resolverd and back: those of children, and the dispatcher's own.
 *
 * A child numbers its questions as it likes; on the link to resolverd they carry numbers of ours,
 * so that no child can name, or be given, the answer to another's question.
 */
#ifndef VALIDATORS_QUESTIONS_H
#define VALIDATORS_QUESTIONS_H

#include "lib/link.h"

#include "validators/budget.h"
#include "validators/known.h"

enum {
	QUESTIONS_MAX = 4096,       /* in progress */
	QUESTIONS_PER_MESSAGE = 60, /* envelope and content together */
};

struct asker {
	bool
	    chained; /* it has asked, or was told, the answer at this place of those that are known: */
	uint16_t last;
	/* In: answer, whose query is the asker's own number. Never called by questions_ask. */
	void (*answered)(struct asker *asker, const struct msg_dns_answer *answer);
	unsigned open; /* questions in progress */
};

struct question {
	struct asker *asker; /* NULL: free */
	uint32_t query;      /* the asker's number */
	uint32_t round;      /* makes our numbers differ from use to use of this place */
	bool charged;        /* to the budget of this client: */
	struct ip client;
	struct known_key key; /* what was asked */
	uint16_t next_free;
};

struct questions {
	struct loop *loop;
	struct link *resolver; /* owned by the dispatcher; NULL: down */
	uint64_t timeout_ms;   /* for one question, at most */
	uint16_t first_free;
	struct budgets budgets;
	struct known_answers known;
	struct question places[QUESTIONS_MAX];
};

void questions_init(struct questions *qs, struct loop *loop, uint64_t timeout_ms);

/*
 * What resolverd answered a moment ago, and may be answered again.
 * In: left, as below, counted down when it is known.
 * Out: answer, borrowed until the next call of any of these functions.
 * Returns: false when it must be asked.
 */
bool questions_known(struct questions *qs, const struct msg_dns_ask *ask, unsigned *left,
    struct msg_dns_answer *answer_out);

/* This is what the asker asks next, after what it has asked or was told before. */
void questions_follow(struct questions *qs, struct asker *asker, uint16_t type, struct span name);

/*
 * What was asked next, the time before, after what the asker was told last: it follows that now.
 * Out: ask, type and name, borrowed; answer, as above.
 * Returns: false when there is nothing of the kind, or it is not known any more.
 */
bool questions_next(struct questions *qs, struct asker *asker, struct msg_dns_ask *ask_out,
    struct msg_dns_answer *answer_out);

/*
 * Asks resolverd, for a client. When the client has asked too much of late, only what resolverd
 * knows already is answered.
 * In: client, NULL when no budget applies; left, questions that this message may still ask, counted down.
 * Returns: false when resolverd is down, too much is asked at the same time, or *left is 0.
 */
bool questions_ask(struct questions *qs, struct asker *asker, const struct msg_dns_ask *ask,
    const struct ip *client, unsigned *left);

/* Gives an answer of resolverd to the one who waits for it; a late one is dropped. */
void questions_answer(struct questions *qs, const struct msg_dns_answer *answer);

/* What is still to come for this asker is dropped. */
void questions_forget(struct questions *qs, const struct asker *asker);

/* resolverd is gone: everybody who waits gets DNS_TROUBLE. */
void questions_resolver_lost(struct questions *qs);

#endif

/*
 * Where the content of one message is kept while it comes in: a pooled buffer up to
 * MESSAGE_INLINE octets, beyond that one memory file, sealed before anybody is shown it.
 * Every octet is charged to the budget of the worker before it is taken.
 */
#ifndef SMTPD_MESSAGE_H
#define SMTPD_MESSAGE_H

#include "lib/span.h"
#include "smtpd/pool.h"

enum {
	MESSAGE_INLINE = 16384,    /* octets in LF form that travel inside `submit` */
	MESSAGE_STEP = 256 * 1024, /* octets by which the charge of a memory file grows */
};

/* Octets of messages in progress, all sessions of the worker together. */
struct budget {
	uint64_t total, used;
};

/* Returns: false, and takes nothing, when it is spent. */
bool budget_take(struct budget *b, uint64_t octets);
void budget_give(struct budget *b, uint64_t octets);
bool budget_has(const struct budget *b, uint64_t octets);

struct message {
	struct pool *pool; /* of blocks of MESSAGE_INLINE octets */
	struct budget *budget;
	uint8_t *buffer;  /* from the pool; what is not in the memory file yet */
	size_t buffered;  /* octets in it */
	int fd;           /* memory file or -1 */
	uint64_t written; /* octets in the memory file */
	uint64_t charged; /* octets taken from the budget */
};

/* No memory is taken yet. In: pool and budget, which outlive the message. */
void message_init(struct message *m, struct pool *pool, struct budget *budget);

/* Charges the announced size, so that it cannot be promised twice (row 309). Returns: false when the budget is spent. */
bool message_reserve(struct message *m, uint64_t octets);

/* Returns: false when memory or the budget is out; what was stored is useless then. */
bool message_put(struct message *m, struct span octets);

/* Writes out and seals a memory file. Returns: false when the kernel refuses. */
bool message_seal(struct message *m);

/* Octets stored. */
uint64_t message_size(const struct message *m);

/* After message_seal: the content, when there is no memory file; else empty. Borrowed until message_release. */
struct span message_inline(const struct message *m);

/* After message_seal: the memory file, which the caller then owns, or -1. */
int message_take_fd(struct message *m);

/*
 * Gives back the memory that this process holds. The charge stays until message_clear: a
 * memory file that was passed on still is memory.
 */
void message_release(struct message *m);

/* Gives back memory and charge; the message is as after message_init. */
void message_clear(struct message *m);

#endif

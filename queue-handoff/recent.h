/*
 * Messages that the back end took a short while ago, in case smtpd says that its client never heard
 * of it: then, and only then, they are recorded in the memory of repeats. Bounded in number, octets,
 * descriptors and time; what does not fit is forgotten, and a repeat of it may be a second copy.
 */
#ifndef QUEUE_HANDOFF_RECENT_H
#define QUEUE_HANDOFF_RECENT_H

#include "queue-handoff/handoff.h"
#include "queue-handoff/repeats.h"

enum {
	RECENT_MOST = 1024,
	RECENT_FILES = 128,
	RECENT_OCTETS = 32 * 1024 * 1024,
	/* A client that takes no notice of the reply is given up by smtpd within
	 * limits.command_timeout, 300 seconds unless set otherwise. */
	RECENT_MS = 330 * 1000,
};

struct recent;

/* In: repeats, where to record; borrowed. Returns: NULL when memory is out. */
struct recent *recent_new(struct repeats *repeats);
void recent_free(struct recent **r);

/*
 * Takes over the memory (from malloc) and the descriptor of a message that was taken.
 * In: envelope, in that memory, envelope_put(); content, likewise.
 */
void recent_keep(struct recent *r, const struct handoff_owner *owner, void *memory,
    size_t memory_len, struct span envelope, const struct repeat_content *content, uint64_t now_ms);

/* Its client never heard. Returns: whether it could be recorded. */
bool recent_undelivered(struct recent *r, const struct handoff_owner *owner, uint64_t now_ms);

/* The worker is gone: its clients heard nothing that they had not heard before. */
void recent_worker_lost(struct recent *r, unsigned worker, uint64_t now_ms);

#endif

/*
 * The links: validators bring judged messages, each smtpd worker is asked before the last octet
 * and told the outcome, qmail-queue-helper runs the local program. Which worker a link belongs to is the supervisor's word.
 */
#ifndef QUEUE_HANDOFF_LINKS_H
#define QUEUE_HANDOFF_LINKS_H

#include "queue-handoff/deliver.h"

struct links;

enum { LINKS_WORKERS = 256 };

/* Returns: NULL when memory is out. */
struct links *links_new(struct loop *loop);
void links_free(struct links **l);

/* What links_new could not have yet. In: both borrowed. */
void links_connect(struct links *l, struct handoff *h, struct deliver *d);

/* In: backends, whose state new workers are told; recent, for what clients never heard of; both
 * borrowed. */
void links_use(struct links *l, const struct backends *backends, struct recent *recent);

/* A group is down or up again: tells every worker. In: ctx, struct links. */
void links_group_state(void *ctx, const struct group *g);

/* The way back to smtpd, for handoff_new. Lives as long as l. */
const struct handoff_port *links_port(struct links *l);

/* A new link; replaces the old one. Takes the descriptor. Returns: 0 or -1. */
int links_add_smtpd(struct links *l, unsigned index, uint32_t instance, int fd);
int links_add_validators(struct links *l, int fd);
int links_add_helper(struct links *l, int fd);

/* From now on nothing new is begun. */
void links_drain(struct links *l);

#endif

/*
 * What this worker knows of the back-end groups: which are down, as queue-handoff told, and how
 * large a message each takes, as configured.
 */
#ifndef SMTPD_GROUPS_H
#define SMTPD_GROUPS_H

#include "lib/catalogue.h"
#include "lib/conf.h"

struct groups {
	bool down[CONF_MOST_backend];
	unsigned down_count;
};

/* A group is down or up again. Unknown ones are ignored. */
void groups_on_state(struct groups *g, const struct conf *conf, const struct msg_group_state *m);

/* queue-handoff is gone, and with it what it knew. */
void groups_forget(struct groups *g);

/* In: route, as granted; empty: the first group. */
bool groups_is_down(const struct groups *g, const struct conf *conf, struct span route);

/* There is no group that could take a message. */
bool groups_all_down(const struct groups *g, const struct conf *conf);

/* Octets of the largest message that the group takes, our header fields already counted. */
uint64_t groups_message_size(const struct conf *conf, struct span route);

/* Recipients of one message that the group takes; at least 1. */
uint64_t groups_recipients(const struct conf *conf, struct span route);

/* The same of the group that takes most: what LIMITS announces. */
uint64_t groups_most_recipients(const struct conf *conf);

/* Octets of the largest message that any group takes: what SIZE announces. */
uint64_t groups_largest(const struct conf *conf);

#endif

/* Listening sockets, shared by all workers: connections become sessions here. */
#ifndef SMTPD_LISTENER_H
#define SMTPD_LISTENER_H

#include "smtpd/worker.h"

struct listener {
	struct worker *worker;
	int fd;
	bool tls;         /* sessions begin with the handshake */
	unsigned at_once; /* connections taken in one turn at most; grows under load */
	int reserve;      /* a descriptor kept free for the day when there are none (row 3) */
	struct watch watch;
	struct timer pause;
	struct listener *next;
};

/*
 * Takes a listening socket, which it owns in every case; tls, whether sessions begin with the
 * handshake. Returns: NULL when memory or the kernel refuses.
 */
struct listener *listener_new(struct worker *w, int fd, bool tls);

/* Accepts no more. Takes NULL. */
void listener_free(struct listener **l);

#endif

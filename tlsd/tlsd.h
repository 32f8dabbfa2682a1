/* tlsd as a whole: its links to the smtpd workers, the sessions, the certificate, the signer. */
#ifndef TLSD_TLSD_H
#define TLSD_TLSD_H

#include "tlsd/session.h"

enum {
	TLSD_WORKERS_MAX = 256, /* the index of a peer is one octet */
	TLSD_SESSION_DESCRIPTORS =
	    3,                       /* the client's, the plain one, smtpd's end until it is sent */
	TLSD_OTHER_DESCRIPTORS = 64, /* links, what they bring along, the loop */
};

struct tlsd_worker {
	struct tlsd *tlsd;
	struct session_list list;
};

struct tlsd {
	struct loop *loop;
	struct signer signer;
	struct certificate_store certificates;
	struct session_pool pool;
	struct tlsd_worker *workers[TLSD_WORKERS_MAX];
	bool draining;
};

/*
 * In: sessions, how many there may be at most; fewer when the limit of descriptors is lower.
 * The loop must outlive it. Returns: 0 or -1. Limits: once in a process (libcrypto's methods).
 */
int tlsd_init(struct tlsd *t, struct loop *loop, uint64_t handshake_timeout_ms, size_t sessions);
void tlsd_clear(struct tlsd *t);

/* A link to an smtpd worker, which replaces an older one of that index. Owns: fd. Returns: 0 or -1. */
int tlsd_worker_peer(struct tlsd *t, unsigned index, int fd);

/* No new sessions; on_empty when the last one has ended, at once if there is none. */
void tlsd_drain(struct tlsd *t, void (*on_empty)(void *arg), void *arg);

#endif

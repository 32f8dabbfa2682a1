/*
 * One client: the handshake, then the relay between its records and the plain socket whose
 * other end smtpd has.
 *
 * smtpd judges by the plain socket whether the client is still there, so the client's end is
 * passed on at once: what fits into the socket goes before it, what does not is dropped. A FIN
 * without close_notify is an end like any other: smtpd hands nothing off that has no end of data.
 */
#ifndef TLSD_SESSION_H
#define TLSD_SESSION_H

#include "lib/ip.h"
#include "lib/link.h"
#include "lib/loop.h"
#include "tlsd/certificate.h"
#include "tlsd/relay.h"

enum {
	SESSION_FLUSH_MS = 10000,           /* the client takes what smtpd said before it closed */
	SESSION_LINGER_MS = 2000,           /* the client closes its side too */
	SESSION_LINGER_OCTETS = 256 * 1024, /* of its, thrown away meanwhile */
};

/* What all sessions of the process share. */
struct session_pool {
	struct loop *loop;
	struct certificate_store *certificates;
	uint64_t handshake_timeout_ms;
	size_t count, most;
	void (*on_empty)(void *arg); /* the last session has ended; may be NULL */
	void *arg;
	uint8_t scratch[RELAY_SCRATCH];
};

struct session;

/* The sessions of one smtpd worker. */
struct session_list {
	struct link *link; /* to the worker; NULL: gone */
	struct session *first;
};

/*
 * Begins a handshake. The list's link gets tls_up or tls_failed, now or later.
 * In: handle, opaque, of smtpd. Owns: fd, the client's socket.
 */
void session_start(struct session_pool *pool, struct session_list *list, uint64_t handle, int fd);

/* Refuses one that never began: tells the worker and closes the socket. */
void session_refuse(struct session_list *list, uint64_t handle, int fd, const char *reason);

/* Ends all sessions of a list, without a word to its link. */
void session_end_all(struct session_list *list);

#endif

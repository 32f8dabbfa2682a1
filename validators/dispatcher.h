/*
 * The dispatcher: links to everybody, and the way of a message through them.
 *
 * It moves messages and verdicts, and looks into no message.
 */
#ifndef VALIDATORS_DISPATCHER_H
#define VALIDATORS_DISPATCHER_H

#include "validators/fingerprint.h"
#include "validators/replays.h"
#include "validators/jobs.h"
#include "validators/questions.h"
#include "validators/transaction.h"

#include "lib/network.h"

enum { WORKERS_MAX = 256 };

/* One smtpd process. */
struct worker {
	struct dispatcher *dispatcher;
	struct link *link; /* NULL: not there */
	unsigned index;
	uint32_t instance;
	struct transaction *transactions;
};

struct dispatcher {
	struct loop *loop;
	const struct conf *conf;
	struct link *handoff, *zygote, *resolver; /* NULL: down */
	size_t held_octets, held_count;           /* of messages waiting for their verdict */
	bool draining;
	void (*drained)(void *arg); /* called once, when draining and nothing is left */
	void *arg;
	struct worker workers[WORKERS_MAX];
	struct transactions transactions;
	struct network_list trusted_relays, forwarders;
	struct questions questions;
	uint32_t
	    foresight_ms; /* that the check of an envelope waits for what it will ask; 0: not at all */
	struct clients clients;
	struct fingerprints fingerprints;
	struct replays replays;
	/* The zygote hangs and should be ended; may be NULL. */
	void (*zygote_hangs)(void *arg);
	void *hangs_arg;
	struct jobs jobs;
};

/* Returns: NULL when memory is out. conf is borrowed for its lifetime. */
struct dispatcher *dispatcher_new(struct loop *loop, const struct conf *conf);
void dispatcher_free(struct dispatcher **d);

/*
 * Takes a new link, in place of the one to the same peer.
 * In: fd, owned from now on; instance, of the program at its other end.
 * Returns: 0, or -1 when memory or the kernel refuses or nobody talks to that program.
 */
int dispatcher_take_peer(
    struct dispatcher *d, enum program_id peer, unsigned index, uint32_t instance, int fd);

/* Ends when no smtpd is linked any more: what they have under way is finished first. */
void dispatcher_drain(struct dispatcher *d, void (*drained)(void *arg), void *arg);

#endif

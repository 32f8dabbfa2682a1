/*
 * What all sessions of this process share: limits, memory, slots, time, and the way to the
 * other programs.
 *
 * The surroundings are function pointers, so that tests can play the other programs and own
 * the clock; partners.c has the real ones.
 */
#ifndef SMTPD_WORKER_H
#define SMTPD_WORKER_H

#include "lib/clients.h"
#include "lib/conf.h"
#include "lib/loop.h"
#include "lib/network.h"
#include "smtpd/groups.h"
#include "smtpd/id.h"
#include "smtpd/message.h"
#include "smtpd/pool.h"
#include "smtpd/recall.h"
#include "smtpd/session.h"

struct surroundings {
	void *arg;
	/* Milliseconds that never go back. */
	uint64_t (*now_ms)(void *arg);
	/* Whether the link to that program is up. */
	bool (*reachable)(void *arg, enum program_id who);
	/* As link_send: takes the descriptor in every case; false: nothing will be sent. */
	bool (*send)(void *arg, enum program_id to, enum msg_type type, const void *fields, int fd);
};

struct worker {
	const struct conf *conf;
	struct loop *loop;
	struct surroundings around;
	uint64_t now_ms;        /* read at the beginning of each event */
	struct clients clients; /* main sets it; zeroed: clients are not counted */
	struct network_list trusted_relays, proxy_from;
	bool stress; /* sessions run short: clients get less time and less patience */
	struct id_maker ids;
	uint64_t transactions; /* counts up */
	uint64_t generation;   /* of the database, as lookupd last told; 0: it has not */
	struct network_list bare_lf_normalize, bare_lf_reject;
	struct groups groups;
	struct recall *recall;
	bool tls_offered; /* a link to tlsd was given once */
	bool draining;
	bool goodbye;               /* draining, and clients are told so */
	void (*on_idle)(void *arg); /* draining, and the last session has ended */
	void *on_idle_arg;

	struct session **slots; /* slot_count; NULL where free */
	uint64_t *deadlines;    /* of each slot; UINT64_MAX where free */
	uint32_t *free_slots;   /* stack */
	uint32_t slot_count, free_count;
	uint64_t sessions;      /* opened so far */
	struct session *settle; /* have something to do at the end of the turn */
	struct session *resume; /* have more to read than was fair to read at once */
	struct deferred settling;
	struct timer tick, again;

	struct pool blocks;   /* INPUT_BLOCK octets: input, output, transactions */
	struct pool messages; /* MESSAGE_INLINE octets */
	struct pool session_pool;
	struct budget budget;
	uint8_t *inbox;  /* INPUT_LARGE octets, while something is read */
	uint8_t *outbox; /* as much and CONTENT_SLACK: content, grants */
};

enum { WORKER_OUTBOX = INPUT_LARGE + 16 };

/* In: conf, loop, around: outlive the worker. Returns: 0 or -1 (memory). */
int worker_init(struct worker *w, struct loop *loop, const struct surroundings *around);

/* Takes the options and makes room for the sessions. Returns: 0 or -1 (memory, or a bad list of networks). */
int worker_configure(struct worker *w, const struct conf *conf);

/* Ends all sessions and frees what they shared. */
void worker_clear(struct worker *w);

uint32_t worker_sessions_open(const struct worker *w);

/* The session of a handle, or NULL when it has ended. */
struct session *worker_find(struct worker *w, uint64_t handle);

/* That session, when it is in that transaction, or NULL. */
struct session *worker_find_transaction(struct worker *w, uint64_t handle, uint64_t transaction);

/* Calls fn for every session. */
void worker_each(struct worker *w, void (*fn)(struct session *s));

/* Takes a free slot for s. Returns: false when all are taken. */
bool worker_seat(struct worker *w, struct session *s);

/* Lists the session for session_settle at the end of this turn. */
void worker_settle_later(struct session *s);

/* Lists the session for session_resume in the next turn. */
void worker_resume_later(struct session *s);

void worker_set_deadline(struct session *s, uint64_t at_ms);

/* Sends; see struct surroundings. */
bool worker_send(
    struct worker *w, enum program_id to, enum msg_type type, const void *fields, int fd);

/* Whether there is no slot for another session. */
static inline bool
worker_full(const struct worker *w)
{
	return w->free_count == 0;
}

/* How long a client may take for a command, and how long content may pause. */
uint64_t worker_command_ms(const struct worker *w);
uint64_t worker_data_ms(const struct worker *w);

/* Whether the link to that program is up. */
bool worker_reaches(const struct worker *w, enum program_id who);

/* Reads the clock; every event begins with it. */
void worker_wake(struct worker *w);

/* Looks at all deadlines; the worker's own tick does it once a second. */
void worker_sweep(struct worker *w);

/* End of turn: writes what sessions have gathered, frees slots. The loop does it. */
void worker_settle(struct worker *w);

/*
 * No new sessions; on_idle when the last has ended. With goodbye they are told 421 where they
 * wait for a command, never inside content; without it they end when their clients end them.
 */
void worker_drain(struct worker *w, bool goodbye, void (*on_idle)(void *arg), void *arg);

#endif

/*
 * Groups of back-end servers, as configured, and which server is tried next.
 *
 * The least busy one, and turn by turn among equals; a server that failed is tried last for some
 * seconds. Numeric addresses only: this program knows no names.
 */
#ifndef QUEUE_HANDOFF_BACKENDS_H
#define QUEUE_HANDOFF_BACKENDS_H

#include "queue-handoff/protocol.h"

#include "lib/conf.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum {
	BACKENDS_SERVERS = 32, /* of one group at most; a job's `tried` has a bit for each */
	BACKENDS_BACK_OFF_MS = 10000,
	BACKENDS_RUNS = 50, /* of a local program, at the same time, when nothing is said */
	BACKENDS_TRUST_MS = 3600 * 1000, /* for so long it is believed when it refuses */
};

struct server {
	struct sockaddr_storage address;
	socklen_t address_len;
	const char *name; /* as configured; lives as long as the configuration */
	bool sick;        /* the last attempt failed */
	uint64_t sick_until_ms;
	bool has_taken;
	uint64_t taken_ms; /* when it last took a message */
	unsigned misses;   /* connections in a row that it did not take; see health.h */
	unsigned busy;     /* connections in use */
	unsigned idle;     /* connections that wait for a message */
};

struct group {
	const char *title;
	const struct protocol *protocol;
	struct server servers[BACKENDS_SERVERS];
	unsigned count;
	unsigned turn;                            /* the server whose turn it is */
	struct conf_strings complaints, refusals; /* texts that the operator has named */
	unsigned connections;                     /* in use at once, of one server; 0: any number */
	uint64_t connect_ms, write_ms, reply_ms, keep_ms;
	bool smtputf8;
};

struct backends {
	struct group groups[CONF_MOST_backend];
	size_t count;
};

/*
 * In: conf, whose strings stay borrowed.
 * Returns: NULL, or a static text that says what is wrong.
 */
const char *backends_init(struct backends *b, const struct conf *conf);

/* Returns: the group of a route, the first one for an empty route; NULL when there is none. */
struct group *backends_group(struct backends *b, struct span route);

/*
 * The next server to try.
 * In: *tried, a bit for each server that was tried for this message; the chosen one is added.
 * Returns: NULL when all were, or when those to be tried have no room.
 */
struct server *group_next(struct group *g, uint32_t *tried, uint64_t now_ms);

/* Whether a server that was not tried has as many connections as it may have. */
bool group_is_full(const struct group *g, uint32_t tried);

/* Returns: whether this is news: the server was well before. */
bool server_failed(struct server *s, uint64_t now_ms);

/* It took a message. Returns: whether this is news: the server was sick before. */
bool server_took(struct server *s, uint64_t now_ms);

/* It took other mail within the last hour. */
bool server_is_trusted(const struct server *s, uint64_t now_ms);

#endif

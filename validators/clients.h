/*
 * What the DNS says about client addresses: their names, and the lists that they are on.
 *
 * It is asked for when a client connects, kept for some minutes, and shared by all its sessions.
 * What follows from it is policy_client.c.
 */
#ifndef VALIDATORS_CLIENTS_H
#define VALIDATORS_CLIENTS_H

#include "lib/dnslist.h"
#include "lib/loop.h"

#include "validators/questions.h"

enum {
	CLIENTS_MAX = 16384, /* kept at the same time */
	CLIENT_BUCKETS = 4096,
	CLIENT_KEEP_MIN_MS = 60 * 1000,
	CLIENT_KEEP_MAX_MS = 15 * 60 * 1000,
	CLIENT_RETRY_MS = 10 * 1000, /* when something was not answered */
	CLIENT_NAME_MAX = 253,
	CLIENT_NAMES_MAX = 10, /* PTR records looked at */
	LIST_PROBE_MS = 10 * 60 * 1000,
	LIST_PROBE_FAILED_MS = 60 * 1000,
};

enum reverse_state {
	REVERSE_UNCHECKED,
	REVERSE_CONFIRMED,
	REVERSE_MISSING,     /* no name at all */
	REVERSE_UNCONFIRMED, /* no name of it has this address */
	REVERSE_UNKNOWN,     /* the DNS gave no answer */
};

struct client_facts {
	enum reverse_state reverse;
	uint8_t name_len; /* of a REVERSE_CONFIRMED */
	uint8_t name[CLIENT_NAME_MAX];
	uint32_t listed, unknown; /* sets of lists */
};

struct clients;
struct client;

/* Somebody who waits for the facts; memory of the owner until they are known or it is released. */
struct client_waiter {
	/* Called once, from the loop; the facts are in client_facts(). */
	void (*known)(struct client_waiter *waiter);
	struct client *client; /* NULL: not in use */
	struct client_waiter *prev, *next;
	bool waiting;
};

/* A list in service. */
struct client_list {
	const struct conf_dnslist *conf;
	struct dnslist_ranges answers;
	struct clients *clients;
	struct asker asker; /* of the probe */
	struct timer probe;
	bool good;   /* it does not list 127.0.0.1, and does not say that it does not serve us */
	bool probed; /* that is known; until then what it says waits to be believed */
	bool complained;
};

struct clients {
	struct loop *loop;
	const struct conf *conf;
	struct questions *questions;
	size_t list_count;
	struct client_list lists[CONF_MOST_dnslist];
	size_t count;
	struct client *oldest, *newest; /* of those that nobody holds */
	struct client *buckets[CLIENT_BUCKETS];
};

/* In: conf and questions, borrowed. The lists are probed as soon as resolverd is there. */
void clients_init(
    struct clients *cs, struct loop *loop, const struct conf *conf, struct questions *questions);
void clients_clear(struct clients *cs);

/* resolverd is there. */
void clients_resolver_up(struct clients *cs);

/* Whether anything is asked about clients. */
bool clients_wanted(const struct clients *cs);

/* A client has connected: begins to ask, unless it is known. */
void clients_arrived(struct clients *cs, const struct ip *ip);

/*
 * Holds what is known about a client, or will be; waiter->known is set by the caller, and called
 * unless it is known already.
 * Returns: false when memory is out.
 */
bool clients_hold(struct clients *cs, const struct ip *ip, struct client_waiter *waiter);

/* Takes one that is not in use, too. */
void clients_release(struct client_waiter *waiter);

/* Returns: NULL while they are not known, or the waiter is not in use. */
const struct client_facts *clients_facts(const struct client_waiter *waiter);

#endif

/*
 * What leaves the machine: questions to each zone are limited, so that strangers' mail cannot make
 * us flood one with questions (row 257). What the cache answers costs nothing and is never refused.
 */
#ifndef RESOLVERD_TRAFFIC_H
#define RESOLVERD_TRAFFIC_H

#include "resolverd/packet.h"

#include "lib/bucket.h"

enum {
	TRAFFIC_PER_SECOND = 20, /* to one zone */
	TRAFFIC_BURST = 600,
	TRAFFIC_ZONES = 4096,
	TRAFFIC_KNOWN = 16384,
	TRAFFIC_KNOWN_MIN_MS = 20 * 1000, /* that no data is believed to be in the cache */
};

struct traffic {
	struct {
		uint64_t zone; /* a hash; 0: free */
		struct bucket bucket;
	} zones[TRAFFIC_ZONES];
	/* Questions whose answers should be in the cache. */
	struct {
		uint64_t question; /* a hash */
		uint64_t until_ms;
	} known[TRAFFIC_KNOWN];
};

/* Zeroed memory knows nothing. */

/* Whether the cache should have the answer. */
bool traffic_is_known(
    const struct traffic *t, const struct packet_name *name, uint16_t type, uint64_t now_ms);

/* An answer has come. In: ttl, seconds. */
void traffic_note(struct traffic *t, const struct packet_name *name, uint16_t type, uint32_t ttl,
    uint64_t now_ms);

/*
 * The zone of a name is taken to be its last two labels, or three where the second is one of
 * those under which a country registers names (co, com, ac, ...: up to three letters before two).
 * Returns: whether it may be asked once more.
 */
bool traffic_spend(struct traffic *t, const struct packet_name *name, uint64_t now_ms);

/* It was in the cache: nothing has left. */
void traffic_return(struct traffic *t, const struct packet_name *name);

#endif

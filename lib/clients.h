/*
 * What clients did lately, counted in one piece of memory that all SMTP workers share: the
 * connections of an address and of its network, how fast it connects and commands, and how many
 * of its recipients were unknown; and notes, which one worker makes and any worker finds.
 *
 * The memory has a fixed size and outlives every worker. Each worker has a slot, and for its slot
 * a column of cells, one for each entry, in which it alone counts its open connections; when a
 * worker ends, the supervisor zeroes its column. All else is single words changed by
 * compare-and-swap. There are no locks, no pointers and no lengths in it, and every number read
 * from it is bounded: a worker in wrong hands can spoil counts, and nothing else.
 */
#ifndef LIB_CLIENTS_H
#define LIB_CLIENTS_H

#include <sys/types.h>

#include "lib/ip.h"
#include "lib/siphash.h"

enum {
	CLIENTS_ENTRIES = 65536,
	CLIENTS_WAYS = 8,    /* entries that one client may be in */
	CLIENTS_SLOTS = 128, /* workers of a generation, and of one that is being drained */
	CLIENTS_NOTE_SETS = 512,
	CLIENTS_NOTE_WAYS = 4,          /* notes that have the same place; the oldest gives way */
	CLIENTS_NOTE_MAX_S = 24 * 3600, /* no note counts longer */
};

struct clients_memory;

/* Octets of the memory; starts zeroed. */
size_t clients_size(void);

/* Where in it the cells of a slot lie. In: slot, below CLIENTS_SLOTS. */
void clients_column(unsigned slot, off_t *offset_out, off_t *len_out);

/* One worker's view. */
struct clients {
	struct clients_memory *memory; /* NULL: nothing is counted */
	unsigned slot;
	uint8_t key[SIPHASH_KEY_LEN]; /* the same for all workers; secret */
	uint64_t
	    not_counted; /* clients without an entry, because all that theirs could be are busy */
};

/* In: memory, clients_size() octets, aligned to a page; slot, bounded here. */
void clients_init(
    struct clients *c, void *memory, unsigned slot, const uint8_t key[SIPHASH_KEY_LEN]);

/* A client's entry. Zeroed: none, and nothing is counted. */
struct client_ref {
	uint64_t tag;
	uint32_t entry;
};

/* Whom to count: one IPv4 address or IPv6 /64; or an IPv4 /24 or IPv6 /48. */
enum clients_of { CLIENTS_OF_ADDRESS, CLIENTS_OF_NETWORK };

/*
 * Counts a new open connection of the client, and remembers it. An entry without open
 * connections makes place for another client when none is free, the longest unused first.
 * Out: *ref_out; none when there was no place.
 * Returns: how many are open now, in all workers; 0 without an entry.
 */
unsigned clients_enter(struct clients *c, enum clients_of of, const struct ip *ip, uint64_t now_ms,
    struct client_ref *ref_out);

/* The connection has ended; clears *ref. */
void clients_leave(struct clients *c, struct client_ref *ref);

enum clients_rate { CLIENTS_CONNECTIONS, CLIENTS_COMMANDS, CLIENTS_HANDSHAKES, CLIENTS_RATES };

/*
 * Takes one from the client's allowance of so many a minute; all of it may be used at once after
 * a quiet minute. Returns: false when it is used up. Without an entry: true.
 */
bool clients_spend(struct clients *c, const struct client_ref *ref, enum clients_rate which,
    uint64_t per_minute, uint64_t now_ms);

/* Recipients of this client in the present hour. */
struct clients_recipients {
	unsigned unknown, accepted;
};

void clients_count_recipient(
    struct clients *c, const struct client_ref *ref, bool accepted, uint64_t now_ms);
struct clients_recipients clients_recipients(
    const struct clients *c, const struct client_ref *ref, uint64_t now_ms);

/*
 * Notes: hashes that count for a time. A note may be lost, and by chance, once in thousands of
 * millions of questions, one be found that nobody made; nothing that must be right may rest on one.
 */

/* The hash of what a note is about. Without memory: 0. */
uint64_t clients_note_of(const struct clients *c, struct span about);

/* In: seconds, at most CLIENTS_NOTE_MAX_S. */
void clients_note(struct clients *c, uint64_t note, unsigned seconds, uint64_t now_ms);

/* Costs next to nothing while there are no notes at all. */
bool clients_any_note(const struct clients *c, uint64_t now_ms);
bool clients_noted(const struct clients *c, uint64_t note, uint64_t now_ms);

/* From now on it does not count. */
void clients_note_done(struct clients *c, uint64_t note);

#endif

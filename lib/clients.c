#include "lib/clients.h"

#include <stdatomic.h>

#include "lib/network.h"

enum {
	SETS = CLIENTS_ENTRIES / CLIENTS_WAYS,
	ATTEMPTS = 4, /* against other workers that change the same word */
	HOUR_MS = 3600 * 1000,
	COUNT_BITS = 20, /* of each count of recipients; above them the hour */
};

#define MINUTE_US UINT64_C(60000000)
#define COUNT_MAX ((UINT64_C(1) << COUNT_BITS) - 1)

struct entry {
	_Atomic uint64_t tag;  /* keyed hash of the client; 0: free */
	_Atomic uint64_t seen; /* milliseconds */
	/* The time, in microseconds, at which the allowance is whole again (GCRA). */
	_Atomic uint64_t rates[CLIENTS_RATES];
	_Atomic uint64_t recipients; /* hour, unknown, accepted */
};

/* A slot's column is whole pages, so that the supervisor can zero it without mapping it. */
struct clients_memory {
	_Atomic uint16_t open[CLIENTS_SLOTS][CLIENTS_ENTRIES];
	struct entry entries[CLIENTS_ENTRIES];
	_Atomic uint32_t slots_used; /* no slot from here on has ever been used */
	/* Half of the hash, and the second until which it counts; in one word, so that no other
	 * worker ever sees the half of one note with the end of another. */
	_Atomic uint64_t notes[CLIENTS_NOTE_SETS][CLIENTS_NOTE_WAYS];
	_Atomic uint64_t notes_until_s; /* no note counts longer than this */
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_SHORT_LOCK_FREE == 2,
    "no lock that another process could hold");

size_t
clients_size(void)
{
	return sizeof(struct clients_memory);
}

void
clients_column(unsigned slot, off_t *offset_out, off_t *len_out)
{
	*len_out = sizeof(uint16_t) * CLIENTS_ENTRIES;
	*offset_out = (off_t)slot * *len_out;
}

void
clients_init(struct clients *c, void *memory, unsigned slot, const uint8_t key[SIPHASH_KEY_LEN])
{
	uint32_t used;

	*c = (struct clients){.memory = memory, .slot = slot % CLIENTS_SLOTS};
	memcpy(c->key, key, sizeof(c->key));
	used = atomic_load(&c->memory->slots_used);
	while (used <= c->slot &&
	       !atomic_compare_exchange_weak(&c->memory->slots_used, &used, c->slot + 1))
		continue;
}

/* ---- entries -------------------------------------------------------------------------------- */

static uint64_t
tag_of(const struct clients *c, enum clients_of of, const struct ip *ip)
{
	struct ip base =
	    of == CLIENTS_OF_ADDRESS ? network_base(ip, 32, 64) : network_base(ip, 24, 48);
	uint8_t octets[IP_LEN + 1];
	uint64_t tag;

	memcpy(octets, base.octets, IP_LEN);
	octets[IP_LEN] = (uint8_t)of;
	tag = siphash(c->key, span_of(octets, sizeof(octets)));
	return tag != 0 ? tag : 1;
}

static unsigned
count_open(const struct clients *c, uint32_t entry)
{
	uint32_t used = atomic_load_explicit(&c->memory->slots_used, memory_order_relaxed);
	unsigned sum = 0;

	for (uint32_t slot = 0; slot < used && slot < CLIENTS_SLOTS; slot++)
		sum += atomic_load_explicit(&c->memory->open[slot][entry], memory_order_relaxed);
	return sum;
}

static void
forget(struct entry *e)
{
	for (size_t i = 0; i < CLIENTS_RATES; i++)
		atomic_store(&e->rates[i], 0);
	atomic_store(&e->recipients, 0);
}

/* Finds the entry of a tag among those from `first` on. Returns: CLIENTS_WAYS when there is none. */
static uint32_t
find_way(const struct entry *first, uint64_t tag)
{
	uint32_t way = 0;

	while (way < CLIENTS_WAYS && atomic_load(&first[way].tag) != tag)
		way++;
	return way;
}

/* A free one, or else the longest unused of those without connections. */
static uint32_t
choose_victim(const struct clients *c, uint32_t base)
{
	const struct entry *first = &c->memory->entries[base];
	uint32_t victim = CLIENTS_WAYS;
	uint64_t oldest = UINT64_MAX;

	for (uint32_t way = 0; way < CLIENTS_WAYS; way++) {
		uint64_t seen = atomic_load(&first[way].seen);

		if (atomic_load(&first[way].tag) == 0)
			return way;
		if (seen < oldest && count_open(c, base + way) == 0) {
			victim = way;
			oldest = seen;
		}
	}
	return victim;
}

/*
 * Two workers may make an entry for the same client at the same time: the second of the two gives
 * way, as far as it can see.
 */
static uint32_t
settle_doubles(struct entry *first, uint64_t tag, uint32_t mine)
{
	uint32_t way = find_way(first, tag);

	if (way < mine)
		atomic_compare_exchange_strong(&first[mine].tag, &tag, 0);
	return way < mine ? way : mine;
}

/* Returns: the way, or CLIENTS_WAYS when all have open connections. */
static uint32_t
make_entry(struct clients *c, uint32_t base, uint64_t tag)
{
	struct entry *first = &c->memory->entries[base];

	for (int i = 0; i < ATTEMPTS; i++) {
		uint32_t way = choose_victim(c, base);
		uint64_t old;

		if (way == CLIENTS_WAYS)
			return way;
		old = atomic_load(&first[way].tag);
		if (old == tag)
			return way;
		if (atomic_compare_exchange_strong(&first[way].tag, &old, tag)) {
			forget(&first[way]);
			return settle_doubles(first, tag, way);
		}
	}
	return CLIENTS_WAYS;
}

static bool
take_entry(struct clients *c, uint64_t tag, uint64_t now_ms, uint32_t *entry_out)
{
	uint32_t base = (uint32_t)(tag % SETS) * CLIENTS_WAYS;
	struct entry *first = &c->memory->entries[base];
	uint32_t way = find_way(first, tag);

	if (way == CLIENTS_WAYS)
		way = make_entry(c, base, tag);
	if (way == CLIENTS_WAYS)
		return false;
	atomic_store_explicit(&first[way].seen, now_ms, memory_order_relaxed);
	*entry_out = base + way;
	return true;
}

/* ---- open connections ------------------------------------------------------------------------- */

/* Only this process writes the cell. */
static void
add_open(struct clients *c, uint32_t entry, int change)
{
	_Atomic uint16_t *cell = &c->memory->open[c->slot][entry];
	uint16_t open = atomic_load_explicit(cell, memory_order_relaxed);

	if ((change < 0 && open > 0) || (change > 0 && open < UINT16_MAX))
		atomic_store(cell, (uint16_t)(open + change));
}

unsigned
clients_enter(struct clients *c, enum clients_of of, const struct ip *ip, uint64_t now_ms,
    struct client_ref *ref_out)
{
	uint64_t tag;
	uint32_t entry;

	*ref_out = (struct client_ref){0};
	if (c->memory == NULL)
		return 0;
	tag = tag_of(c, of, ip);
	for (int i = 0; i < ATTEMPTS && take_entry(c, tag, now_ms, &entry); i++) {
		add_open(c, entry, 1);
		/* From here on it is ours, unless another worker gave it away at this very moment. */
		if (atomic_load(&c->memory->entries[entry].tag) == tag) {
			*ref_out = (struct client_ref){tag, entry};
			return count_open(c, entry);
		}
		add_open(c, entry, -1);
	}
	c->not_counted++;
	return 0;
}

void
clients_leave(struct clients *c, struct client_ref *ref)
{
	if (ref->tag != 0)
		add_open(c, ref->entry, -1);
	*ref = (struct client_ref){0};
}

/* ---- rates and recipients ----------------------------------------------------------------------- */

/* NULL when there is none, or it belongs to another client now. */
static struct entry *
entry_of(const struct clients *c, const struct client_ref *ref)
{
	struct entry *e;

	if (ref->tag == 0)
		return NULL;
	e = &c->memory->entries[ref->entry];
	return atomic_load_explicit(&e->tag, memory_order_relaxed) == ref->tag ? e : NULL;
}

bool
clients_spend(struct clients *c, const struct client_ref *ref, enum clients_rate which,
    uint64_t per_minute, uint64_t now_ms)
{
	struct entry *e = entry_of(c, ref);
	uint64_t now = now_ms * 1000, most = now + MINUTE_US, was, from;

	if (e == NULL)
		return true;
	was = atomic_load_explicit(&e->rates[which], memory_order_relaxed);
	for (int i = 0; i < ATTEMPTS; i++) {
		bool enough;

		from = was > most ? most : was; /* no honest worker wrote that: it heals */
		from = from < now ? now : from;
		from += MINUTE_US / per_minute;
		enough = from <= most;
		if (!enough && was <= most)
			return false;
		if (atomic_compare_exchange_strong(&e->rates[which], &was, enough ? from : most))
			return enough;
	}
	return true;
}

static uint64_t
hour_of(uint64_t now_ms)
{
	return now_ms / HOUR_MS & (UINT64_MAX >> 2 * COUNT_BITS);
}

static struct clients_recipients
unpack(uint64_t word, uint64_t now_ms)
{
	struct clients_recipients r = {0, 0};

	if (word >> 2 * COUNT_BITS != hour_of(now_ms))
		return r;
	r.unknown = (unsigned)(word >> COUNT_BITS & COUNT_MAX);
	r.accepted = (unsigned)(word & COUNT_MAX);
	return r;
}

void
clients_count_recipient(
    struct clients *c, const struct client_ref *ref, bool accepted, uint64_t now_ms)
{
	struct entry *e = entry_of(c, ref);
	uint64_t was;

	if (e == NULL)
		return;
	was = atomic_load(&e->recipients);
	for (int i = 0; i < ATTEMPTS; i++) {
		struct clients_recipients r = unpack(was, now_ms);
		uint64_t word;

		r.unknown += !accepted && r.unknown < COUNT_MAX;
		r.accepted += accepted && r.accepted < COUNT_MAX;
		word = (hour_of(now_ms) << COUNT_BITS | r.unknown) << COUNT_BITS | r.accepted;
		if (atomic_compare_exchange_strong(&e->recipients, &was, word))
			return;
	}
}

struct clients_recipients
clients_recipients(const struct clients *c, const struct client_ref *ref, uint64_t now_ms)
{
	const struct entry *e = entry_of(c, ref);

	if (e == NULL)
		return (struct clients_recipients){0, 0};
	return unpack(atomic_load(&e->recipients), now_ms);
}

/* ---- notes ------------------------------------------------------------------------------------ */

static uint64_t
note_word(uint64_t note, uint64_t until_s)
{
	return note >> 32 << 32 | (until_s & UINT32_MAX);
}

static bool
note_counts(uint64_t word, uint64_t now_s)
{
	uint64_t until_s = word & UINT32_MAX;

	return now_s < until_s && until_s <= now_s + CLIENTS_NOTE_MAX_S;
}

/* Returns: NULL when there is none of this hash, whether it counts or not. */
static _Atomic uint64_t *
note_find(const struct clients *c, uint64_t note)
{
	_Atomic uint64_t *set = c->memory->notes[note % CLIENTS_NOTE_SETS];

	for (size_t i = 0; i < CLIENTS_NOTE_WAYS; i++) {
		uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);

		if (word != 0 && word >> 32 == note >> 32)
			return &set[i];
	}
	return NULL;
}

/* The one that ends first. */
static _Atomic uint64_t *
note_victim(const struct clients *c, uint64_t note)
{
	_Atomic uint64_t *set = c->memory->notes[note % CLIENTS_NOTE_SETS], *victim = set;

	for (size_t i = 1; i < CLIENTS_NOTE_WAYS; i++)
		if ((atomic_load(&set[i]) & UINT32_MAX) < (atomic_load(victim) & UINT32_MAX))
			victim = &set[i];
	return victim;
}

uint64_t
clients_note_of(const struct clients *c, struct span about)
{
	return c->memory != NULL ? siphash(c->key, about) : 0;
}

void
clients_note(struct clients *c, uint64_t note, unsigned seconds, uint64_t now_ms)
{
	uint64_t until_s = now_ms / 1000 + seconds;
	_Atomic uint64_t *place;

	if (c->memory == NULL)
		return;
	place = note_find(c, note);
	if (place == NULL)
		place = note_victim(c, note);
	atomic_store(place, note_word(note, until_s));
	/* Two workers at the same time: the later end may get lost, and the notes with it. */
	if (atomic_load(&c->memory->notes_until_s) < until_s)
		atomic_store(&c->memory->notes_until_s, until_s);
}

bool
clients_any_note(const struct clients *c, uint64_t now_ms)
{
	return c->memory != NULL && now_ms / 1000 < atomic_load_explicit(&c->memory->notes_until_s,
							memory_order_relaxed);
}

bool
clients_noted(const struct clients *c, uint64_t note, uint64_t now_ms)
{
	const _Atomic uint64_t *place = c->memory != NULL ? note_find(c, note) : NULL;

	return place != NULL && note_counts(atomic_load(place), now_ms / 1000);
}

void
clients_note_done(struct clients *c, uint64_t note)
{
	_Atomic uint64_t *place = c->memory != NULL ? note_find(c, note) : NULL;

	if (place != NULL)
		atomic_store(place, 0);
}

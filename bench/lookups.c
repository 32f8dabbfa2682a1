/*
 * lookups DATABASE COUNT ROUNDS [ADDRESSES]: how long a question takes, beside a bare cdb_find in the
 * same file.
 *
 * Members are those of a file, one address a line, or without it every n-th that the tables of the
 * database name; others are the same with "no." before them. Prints nanoseconds, the median of the
 * rounds: members, others, bare cdb_find of the key that has the local part of a member in it, bare
 * cdb_find of all keys that a question about a member finds.
 */
#include <cdb.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lookupd/loader.h"
#include "lookupd/lookup.h"
#include "lookupd/walk.h"

enum { KEYS_MAX = 8, ROUNDS_MAX = 99 };

/* A key, and the cdb that has it. */
struct wanted {
	struct span key;
	struct cdb *in;
};

struct asked {
	struct span member; /* "no." stands before it in the memory that it borrows from */
	struct wanted keys[KEYS_MAX];
	size_t key_count, own; /* the one with the local part */
};

struct bench {
	struct database *db;
	struct cdb shards[LAYOUT_SHARDS_MAX];
	struct asked *asked;
	size_t count;
};

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct span
copy(struct span s)
{
	uint8_t *p = malloc(3 + s.len);

	if (p == NULL)
		exit(75);
	memcpy(p, "no.", 3);
	memcpy(p + 3, s.p, s.len);
	return span_of(p + 3, s.len);
}

/* ---- what is asked ------------------------------------------------------------------------------ */

/* The keys that a lookup finds, in their order. */
struct keys_trace {
	struct lookup_trace trace; /* first: on_record gets it */
	struct bench *b;
	struct asked *a;
};

static void
on_record(struct lookup_trace *t, struct span key, struct span value)
{
	struct keys_trace *k = (struct keys_trace *)t;
	struct asked *a = k->a;

	(void)value;
	if (a->key_count == KEYS_MAX)
		exit(1);
	a->keys[a->key_count++] =
	    (struct wanted){copy(key), &k->b->shards[database_shard(k->b->db->shards, key)]};
}

static bool
has_local(struct span key, struct span address)
{
	return key.len > 0 && memmem(key.p, key.len, address.p, span_find(address, '@')) != NULL;
}

static void
add(struct bench *b, struct span address)
{
	struct asked *a = &b->asked[b->count++];
	struct keys_trace k = {.trace = {on_record}, .b = b, .a = a};
	struct lookup_result r;

	a->member = copy(address);
	lookup_octets(b->db, address, LOOKUP_FROM_OUTSIDE, &k.trace, &r);
	if (r.verdict != RCPT_ACCEPTED)
		exit(1);
	while (a->own + 1 < a->key_count && !has_local(a->keys[a->own].key, address))
		a->own++;
}

static void
take_walked(struct bench *b, size_t count)
{
	struct walk *w = walk_new(b->db);
	struct walked here;
	size_t every = b->db->header.recipients / count + 1, seen = 0;

	while (b->count < count && walk_next(w, &here) == WALK_FOUND)
		if (here.type == KEY_USER && seen++ % every == 0)
			add(b, address_span(&here.address));
	walk_free(&w);
}

static void
take_listed(struct bench *b, size_t count, FILE *from)
{
	char line[ADDRESS_MAX + 2];

	while (b->count < count && fgets(line, sizeof(line), from) != NULL)
		add(b, span_of(line, strcspn(line, "\n")));
	fclose(from);
}

/* An order that no cache foresees. */
static void
shuffle(struct bench *b)
{
	for (size_t i = b->count; i > 1; i--) {
		size_t k = (size_t)random() % i;
		struct asked swap = b->asked[i - 1];

		b->asked[i - 1] = b->asked[k];
		b->asked[k] = swap;
	}
}

/* As cdb_init() has it, of each of the parts. */
static void
map_shards(struct bench *b, int fd)
{
	uint8_t *p = mmap(NULL, b->db->len, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		exit(75);
	for (unsigned i = 0; i < b->db->shards; i++) {
		struct span octets = b->db->shard[i].octets;

		b->shards[i].cdb_fd = fd;
		b->shards[i].cdb_mem = p + (octets.p - b->db->octets);
		b->shards[i].cdb_fsize = (unsigned)octets.len;
		b->shards[i].cdb_dend = b->db->shard[i].records_end;
	}
}

/* ---- measuring ---------------------------------------------------------------------------------- */

/*
 * Questions come one at a time: where the next one lies depends on the answer before, so that the
 * processor cannot begin it earlier. What is asked is in its cache, as what has just come in is:
 * batches are copied there before the clock is started.
 */
enum { BATCH = 64 };

static double
ask(const struct bench *b, bool others)
{
	static struct address batch[BATCH];
	double spent = 0;

	for (size_t at = 0; at < b->count; at += BATCH) {
		size_t n = b->count - at < BATCH ? b->count - at : BATCH;
		double begin;

		for (size_t i = 0; i < n; i++) {
			struct span s = b->asked[at + i].member;

			if (others)
				s = span_of(s.p - 3, s.len + 3);
			if (address_from_inside(s, &batch[i]) != ADDRESS_OK)
				exit(1);
		}
		begin = now_ns();
		for (size_t i = 0; i < n; i++) {
			struct lookup_result r;

			lookup(b->db, &batch[i], &r);
			if (r.verdict != (others ? RCPT_UNKNOWN_USER : RCPT_ACCEPTED))
				exit(1);
			i += (size_t)r.size_limit; /* 0 */
		}
		spent += now_ns() - begin;
	}
	return spent / (double)b->count;
}

static double
find(const struct bench *b, bool all)
{
	static uint8_t octets[BATCH * KEYS_MAX][8 + 2 * ADDRESS_MAX];
	static struct wanted batch[BATCH * KEYS_MAX];
	double spent = 0;

	for (size_t at = 0; at < b->count; at += BATCH) {
		size_t n = 0;
		double begin;

		for (size_t i = at; i < at + BATCH && i < b->count; i++)
			for (size_t k = 0; k < b->asked[i].key_count; k++) {
				if (!all && k != b->asked[i].own)
					continue;
				batch[n] = b->asked[i].keys[k];
				memcpy(octets[n], batch[n].key.p, batch[n].key.len);
				batch[n].key.p = octets[n];
				n++;
			}
		begin = now_ns();
		for (size_t i = 0; i < n; i++) {
			struct cdb *c = batch[i].in;

			if (cdb_find(c, batch[i].key.p, (unsigned)batch[i].key.len) <= 0)
				exit(1);
			i += cdb_datalen(c) >> 16; /* 0 */
		}
		spent += now_ns() - begin;
	}
	return spent / (double)b->count;
}

static int
compare(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* All four in turn, so that what else the machine does meets all of them. */
static void
measure(const struct bench *b, size_t rounds)
{
	static double ns[4][ROUNDS_MAX];

	for (size_t i = 0; i < rounds; i++) {
		ns[0][i] = ask(b, false);
		ns[1][i] = ask(b, true);
		ns[2][i] = find(b, false);
		ns[3][i] = find(b, true);
	}
	for (size_t i = 0; i < 4; i++) {
		qsort(ns[i], rounds, sizeof(ns[i][0]), compare);
		printf("%.0f%c", ns[i][rounds / 2], i < 3 ? ' ' : '\n');
	}
}

int
main(int argc, char **argv)
{
	size_t count = argc >= 4 ? strtoul(argv[2], NULL, 10) : 0;
	size_t rounds = argc >= 4 ? strtoul(argv[3], NULL, 10) : 0;
	static struct bench b;
	const char *error;
	bool unreadable;
	FILE *from = argc == 5 ? fopen(argv[4], "r") : NULL;

	if (count == 0 || rounds == 0 || rounds > ROUNDS_MAX || argc > 5 ||
	    (argc == 5 && from == NULL))
		return 64;
	b.db = loader_load(open(argv[1], O_RDONLY | O_CLOEXEC), &error, &unreadable);
	b.asked = calloc(count, sizeof(*b.asked));
	if (b.db == NULL || b.asked == NULL)
		return 75;
	map_shards(&b, open(argv[1], O_RDONLY | O_CLOEXEC));
	if (from != NULL)
		take_listed(&b, count, from);
	else
		take_walked(&b, count);
	shuffle(&b);
	measure(&b, rounds);
	return 0;
}

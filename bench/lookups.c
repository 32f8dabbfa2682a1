/*
 * lookups DATABASE COUNT: how long a question takes, beside a bare cdb_find of the same key in the
 * same file. Prints nanoseconds: members, others, bare cdb_find of members.
 */
#include <cdb.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lookupd/loader.h"
#include "lookupd/lookup.h"
#include "lookupd/walk.h"

struct asked {
	struct address member, other;
	unsigned key_len;
	uint8_t key[8 + ADDRESS_MAX];
};

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Every n-th member, so that they lie all over the file, in an order that no cache foresees. */
static size_t
sample(const struct database *db, struct asked *a, size_t count)
{
	struct walk *w = walk_new(db);
	struct walked here;
	size_t every = db->header.recipients / count + 1, seen = 0, taken = 0;

	while (taken < count && walk_next(w, &here) == WALK_FOUND) {
		struct buf key, other;
		uint8_t octets[ADDRESS_MAX + 8];

		if (here.type != KEY_USER || seen++ % every != 0)
			continue;
		a[taken].member = here.address;
		other = BUF_OVER(octets);
		buf_put_str(&other, "no.");
		buf_put_span(&other, address_span(&here.address));
		if (address_from_inside(buf_span(&other), &a[taken].other) != ADDRESS_OK)
			continue;
		key = buf_over(a[taken].key, sizeof(a[taken].key));
		key_put_u32(&key, KEY_USER, (uint32_t)here.domain + 1);
		buf_put_span(&key, address_local(&here.address));
		a[taken++].key_len = (unsigned)key.len;
	}
	walk_free(&w);
	for (size_t i = taken; i > 1; i--) {
		size_t k = (size_t)random() % i;
		struct asked swap = a[i - 1];

		a[i - 1] = a[k];
		a[k] = swap;
	}
	return taken;
}

/*
 * Questions come one at a time: where the next one lies depends on the answer before, so that the
 * processor cannot begin it earlier. What is asked is in its cache, as what has just come in is:
 * batches are copied there before the clock is started.
 */
enum { BATCH = 64 };

static double
ask(const struct database *db, const struct asked *a, size_t count, bool others)
{
	static struct address batch[BATCH];
	double spent = 0;

	for (size_t at = 0; at < count; at += BATCH) {
		size_t n = count - at < BATCH ? count - at : BATCH;
		double begin;

		for (size_t i = 0; i < n; i++)
			batch[i] = others ? a[at + i].other : a[at + i].member;
		begin = now_ns();
		for (size_t i = 0; i < n; i++) {
			struct lookup_result r;

			lookup(db, &batch[i], &r);
			if (r.verdict != (others ? RCPT_UNKNOWN_USER : RCPT_ACCEPTED))
				exit(1);
			i += (size_t)r.size_limit; /* 0 */
		}
		spent += now_ns() - begin;
	}
	return spent / (double)count;
}

static double
find(struct cdb *c, const struct asked *a, size_t count)
{
	static struct {
		uint8_t key[8 + ADDRESS_MAX];
		unsigned key_len;
	} batch[BATCH];
	double spent = 0;

	for (size_t at = 0; at < count; at += BATCH) {
		size_t n = count - at < BATCH ? count - at : BATCH;
		double begin;

		for (size_t i = 0; i < n; i++) {
			memcpy(batch[i].key, a[at + i].key, a[at + i].key_len);
			batch[i].key_len = a[at + i].key_len;
		}
		begin = now_ns();
		for (size_t i = 0; i < n; i++) {
			if (cdb_find(c, batch[i].key, batch[i].key_len) <= 0)
				exit(1);
			i += cdb_datalen(c) >> 16; /* 0 */
		}
		spent += now_ns() - begin;
	}
	return spent / (double)count;
}

int
main(int argc, char **argv)
{
	size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct asked *a = calloc(count, sizeof(*a));
	const char *error;
	bool unreadable;
	struct database *db;
	struct cdb c;

	if (count == 0 || a == NULL)
		return 64;
	db = loader_load(open(argv[1], O_RDONLY | O_CLOEXEC), &error, &unreadable);
	if (db == NULL || cdb_init(&c, open(argv[1], O_RDONLY | O_CLOEXEC)) < 0)
		return 75;
	count = sample(db, a, count);
	(void)find(&c, a, count);
	(void)ask(db, a, count, false);
	printf("%.0f %.0f %.0f\n", ask(db, a, count, false), ask(db, a, count, true),
	    find(&c, a, count));
	return 0;
}

#include "lookupd/cdbfile.h"

#include <cdb.h>
#include <endian.h>
#include <stdlib.h>

#include "lib/buf.h"

enum { SLOT_LEN = 8, RECORD_HEAD = 8 };

bool
cdbfile_over(struct cdbfile *c, struct span octets)
{
	if (octets.len < CDBFILE_LEAST || octets.len > INT32_MAX)
		return false;
	c->octets = octets;
	/* The first table begins where the records end. */
	c->records_end = cdb_unpack(octets.p);
	if (c->records_end < CDBFILE_HEAD)
		c->records_end = CDBFILE_HEAD;
	if (c->records_end > octets.len)
		c->records_end = (uint32_t)octets.len;
	return true;
}

/*
 * The members are those that cdb_init() sets; the header has them, though it calls them
 * private. Lookups write the place of what they found into the structure: each gets its own.
 */
static struct cdb
handle(const struct cdbfile *c)
{
	struct cdb db = {.cdb_fd = -1};

	db.cdb_mem = c->octets.p;
	db.cdb_fsize = (unsigned)c->octets.len;
	db.cdb_dend = c->records_end;
	return db;
}

/* cdb_hash(), which is called for every key. */
uint32_t
cdbfile_hash(struct span key)
{
	uint32_t hash = 5381;

	for (size_t i = 0; i < key.len; i++)
		hash = hash * 33 ^ key.p[i];
	return hash;
}

static uint32_t
number_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/* Whether a record has the key. Out: *value_out, when it has. */
static enum cdbfile_status
read_record(const struct cdbfile *c, uint32_t at, struct span key, struct span *value_out)
{
	const uint8_t *p = c->octets.p + at;
	uint32_t left, key_len, value_len;

	if (at < CDBFILE_HEAD || at > c->records_end - RECORD_HEAD)
		return CDBFILE_BAD;
	left = c->records_end - at - RECORD_HEAD;
	key_len = number_at(p);
	value_len = number_at(p + 4);
	if (key_len > left || value_len > left - key_len)
		return CDBFILE_BAD;
	p += RECORD_HEAD;
	if (key_len != key.len || (key_len > 0 && memcmp(p, key.p, key_len) != 0))
		return CDBFILE_NONE;
	*value_out = span_of(p + key_len, value_len);
	return CDBFILE_FOUND;
}

/*
 * As cdb_find() does it, which calls a function for each number that it reads: half of the time
 * of a question went there. Whatever the numbers are, nothing outside c->octets is read.
 */
enum cdbfile_status
cdbfile_get(const struct cdbfile *c, struct span key, struct span *value_out)
{
	uint32_t hash = cdbfile_hash(key);
	const uint8_t *head = c->octets.p + (size_t)(hash % CDBFILE_TABLES) * SLOT_LEN;
	uint32_t table = number_at(head), slots = number_at(head + 4), slot;

	if (slots == 0)
		return CDBFILE_NONE;
	if (table > c->octets.len || slots > (c->octets.len - table) / SLOT_LEN)
		return CDBFILE_BAD;
	slot = (hash >> 8) % slots;
	for (uint32_t i = 0; i < slots; i++) {
		const uint8_t *p = c->octets.p + table + (size_t)slot * SLOT_LEN;
		uint32_t at = number_at(p + 4);
		enum cdbfile_status status;

		if (at == 0)
			break;
		status = number_at(p) == hash ? read_record(c, at, key, value_out) : CDBFILE_NONE;
		if (status != CDBFILE_NONE)
			return status;
		slot = slot + 1 < slots ? slot + 1 : 0;
	}
	return CDBFILE_NONE;
}

enum cdbfile_status
cdbfile_next(const struct cdbfile *c, uint32_t *at, struct span *key_out, struct span *value_out)
{
	struct cdb db = handle(c);
	int found;
	const void *key, *value;

	if (*at == c->records_end)
		return CDBFILE_NONE;
	found = cdb_seqnext(at, &db);
	if (found <= 0)
		return CDBFILE_BAD;
	key = cdb_getkey(&db);
	value = cdb_getdata(&db);
	if (key == NULL || value == NULL)
		return CDBFILE_BAD;
	*key_out = span_of(key, cdb_keylen(&db));
	*value_out = span_of(value, cdb_datalen(&db));
	return CDBFILE_FOUND;
}

/* ---- hash tables --------------------------------------------------------------------------- */

/*
 * Runs of used slots. A question walks through one to its end, and compares a key wherever the
 * hash value is its own. Names that are counted up make runs of some thousand slots; what must be
 * few are keys of one hash value.
 */
enum { RUN_MAX = 16 * 1024 };

static int
compare_hashes(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

struct slots {
	const uint8_t *p;
	size_t count;
};

static uint32_t
slot_hash(const struct slots *s, size_t i)
{
	return cdb_unpack(s->p + i % s->count * SLOT_LEN);
}

static bool
slot_used(const struct slots *s, size_t i)
{
	return cdb_unpack(s->p + i % s->count * SLOT_LEN + 4) != 0;
}

/* In: a run of len used slots from `from` on, perhaps around the end. */
static bool
run_ok(const struct slots *s, size_t from, size_t len, uint32_t probes_max)
{
	BUF_ROOM uint32_t hashes[RUN_MAX]; /* clearing it for each run took most of the time */
	size_t same = 1;

	if (len <= probes_max || len > RUN_MAX)
		return len <= probes_max;
	for (size_t i = 0; i < len; i++)
		hashes[i] = slot_hash(s, from + i);
	qsort(hashes, len, sizeof(hashes[0]), compare_hashes);
	for (size_t i = 1; i < len && same <= probes_max; i++)
		same = hashes[i] == hashes[i - 1] ? same + 1 : 1;
	return same <= probes_max;
}

/* A table is at most half full, as cdb makes it; one without a free slot is none. */
static bool
runs_ok(const struct slots *s, uint32_t probes_max)
{
	size_t gap = 0, len = 0;

	while (gap < s->count && slot_used(s, gap))
		gap++;
	if (gap == s->count)
		return s->count == 0;
	for (size_t i = gap + 1; i <= gap + s->count; i++) {
		if (slot_used(s, i))
			len++;
		else if (!run_ok(s, i - len, len, probes_max))
			return false;
		else
			len = 0;
	}
	return true;
}

/* Returns: NULL, or what is wrong with a used slot. */
static const char *
check_slot(const struct cdbfile *c, unsigned table, uint32_t hash, uint32_t record)
{
	if (hash % CDBFILE_TABLES != table)
		return "a slot is in the wrong hash table";
	if (record < CDBFILE_HEAD || record > c->records_end - RECORD_HEAD)
		return "a slot points outside the records";
	return NULL;
}

static const char *
check_slots(struct cdbfile_check *check, const struct cdbfile *c, uint64_t len, uint32_t probes_max)
{
	struct slots slots = {c->octets.p + check->at, len / SLOT_LEN};
	const char *wrong;

	for (const uint8_t *p = c->octets.p + check->at, *end = p + len; p < end; p += SLOT_LEN) {
		uint32_t record = cdb_unpack(p + 4);

		if (record == 0)
			continue;
		wrong = check_slot(c, check->tables, cdb_unpack(p), record);
		if (wrong != NULL)
			return wrong;
		check->used++;
	}
	return runs_ok(&slots, probes_max) ? NULL : "too many keys with the same hash value";
}

void
cdbfile_check_init(struct cdbfile_check *check, const struct cdbfile *c)
{
	*check = (struct cdbfile_check){.at = c->records_end};
}

const char *
cdbfile_check_table(struct cdbfile_check *check, const struct cdbfile *c, uint32_t probes_max)
{
	const uint8_t *head = c->octets.p + (size_t)check->tables * SLOT_LEN;
	uint64_t len = (uint64_t)cdb_unpack(head + 4) * SLOT_LEN;
	const char *wrong;

	if (len > 0 && (cdb_unpack(head) != check->at || len > c->octets.len - check->at))
		return "a hash table is not in its place";
	wrong = check_slots(check, c, len, probes_max);
	if (wrong != NULL)
		return wrong;
	check->at += len;
	check->tables++;
	return check->tables == CDBFILE_TABLES && check->at != c->octets.len
	           ? "something follows the hash tables"
	           : NULL;
}

/* ---- writing -------------------------------------------------------------------------------- */

struct cdbfile_maker {
	struct cdb_make make;
};

struct cdbfile_maker *
cdbfile_maker_new(int fd)
{
	struct cdbfile_maker *m = malloc(sizeof(*m));

	if (m != NULL && cdb_make_start(&m->make, fd) < 0) {
		free(m);
		return NULL;
	}
	return m;
}

int
cdbfile_maker_add(struct cdbfile_maker *m, struct span key, struct span value)
{
	return cdb_make_add(&m->make, key.p, (unsigned)key.len, value.p, (unsigned)value.len) < 0
	           ? -1
	           : 0;
}

int
cdbfile_maker_finish(struct cdbfile_maker **m)
{
	int status = cdb_make_finish(&(*m)->make) < 0 ? -1 : 0;

	free(*m);
	*m = NULL;
	return status;
}

void
cdbfile_maker_free(struct cdbfile_maker **m)
{
	if (*m != NULL)
		(void)cdbfile_maker_finish(m); /* libcdb has no other way to give its memory back */
}

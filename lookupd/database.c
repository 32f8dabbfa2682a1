#include "lookupd/database.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void
database_free(struct database **db)
{
	if (*db == NULL)
		return;
	if ((*db)->mapped) {
		munmap((*db)->octets, (*db)->len);
		if ((*db)->fd >= 0)
			close((*db)->fd);
	} else
		free((*db)->octets);
	free((*db)->known);
	free(*db);
	*db = NULL;
}

/* The lengths of the shards stand at the end. Returns: false when they are not those. */
static bool
lay_out_shards(struct database *db, struct span octets)
{
	struct cursor c = cursor_over(span_from(octets, octets.len - 4));
	uint32_t count;
	size_t index, at = 0;

	if (octets.len < 4 || !cursor_u32(&c, &count) || count < 2 || count > LAYOUT_SHARDS_MAX)
		return false;
	index = 4 + 8 * (size_t)count;
	if (octets.len < index)
		return false;
	c = cursor_over(span_from(octets, octets.len - index));
	for (uint32_t i = 0; i < count; i++) {
		uint64_t len;

		if (!cursor_u64(&c, &len) || len > octets.len - index - at ||
		    !cdbfile_over(&db->shard[i], span_of(octets.p + at, len)))
			return false;
		at += len;
	}
	db->shards = count;
	return at + index == octets.len;
}

bool
database_lay_out(struct database *db, size_t covered, bool sharded)
{
	struct span octets = span_of(db->octets, covered);

	db->shards = 1;
	return sharded ? lay_out_shards(db, octets) : cdbfile_over(&db->shard[0], octets);
}

/* The hash is spread anew: what it says within a shard must not be what all in it share. */
unsigned
database_shard(unsigned shards, struct span key)
{
	uint32_t spread;

	if (shards == 1)
		return 0;
	spread = cdbfile_hash(key) * 0x9e3779b1u;
	return (unsigned)((uint64_t)spread * shards >> 32);
}

bool
database_unchanged(const struct database *db)
{
	const struct stat *then = &db->as_read;
	struct stat now;

	return !db->mapped || db->fd < 0 ||
	       (fstat(db->fd, &now) == 0 && now.st_size == then->st_size &&
		   now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
		   now.st_mtim.tv_nsec == then->st_mtim.tv_nsec);
}

enum cdbfile_status
database_get(const struct database *db, struct span key, struct span *value_out)
{
	if (db->get != NULL)
		return db->get(db->from, key, value_out);
	return cdbfile_get(&db->shard[database_shard(db->shards, key)], key, value_out);
}

/* Eight octets, or fewer. */
static uint64_t
word_of(const uint8_t *p, size_t len)
{
	uint64_t word = 0;

	if (len >= sizeof(word))
		memcpy(&word, p, sizeof(word));
	else
		for (size_t i = 0; i < len; i++)
			word = word << 8 | p[i];
	return word;
}

/*
 * Of a name its last eight octets twice rather than a short rest. Who fills the database gains
 * nothing by having all his domains in one place.
 */
static size_t
known_hash(enum layout_key type, struct span name)
{
	const size_t step = sizeof(uint64_t);
	uint64_t sum = name.len << 8 | (uint64_t)type;

	for (size_t i = 0; i < name.len; i += step) {
		size_t at = i + step <= name.len || name.len < step ? i : name.len - step;

		sum = (sum ^ word_of(name.p + at, name.len - at)) * 0x9e3779b97f4a7c15u;
		sum ^= sum >> 32;
	}
	return (size_t)sum;
}

/* Out: *slot_out, where it is or would be. Half of the slots are free. Returns: NULL: nowhere. */
static const struct database_known_entry *
known_find(
    struct database_known *known, enum layout_key type, struct span name, uint16_t **slot_out)
{
	for (size_t at = known_hash(type, name);; at++) {
		uint16_t *slot = &known->slots[at % DATABASE_KNOWN_SLOTS];
		const struct database_known_entry *e;

		*slot_out = slot;
		if (*slot == 0)
			return NULL;
		e = &known->entries[*slot - 1];
		if (e->type == type && span_eq(span_of(e->name, e->len), name))
			return e;
	}
}

/*
 * What it is given has been read: a mapped file may end the question at any read (fault.h), and
 * what is remembered must be whole.
 */
static const struct domain *
known_add(struct database_known *known, uint16_t *slot, enum layout_key type, struct span name,
    struct span value, const struct domain *record)
{
	struct database_known_entry *e = &known->entries[known->count];

	e->type = (uint8_t)type;
	e->len = (uint8_t)name.len;
	memcpy(e->name, name.p, name.len);
	e->value = value;
	e->record = *record;
	*slot = (uint16_t)++known->count;
	return &e->record;
}

/* One that is not remembered; where it will be, when there is a slot for it. */
static __attribute__((noinline)) enum cdbfile_status
get_domain(const struct database *db, uint16_t *slot, enum layout_key type, struct span name,
    struct domain *room, struct database_record *r_out)
{
	BUF_ROOM uint8_t octets[1 + ADDRESS_MAX];
	struct buf key = BUF_OVER(octets);
	enum cdbfile_status status;

	buf_put_u8(&key, (uint8_t)type);
	buf_put_span(&key, name);
	if (key.full)
		return CDBFILE_NONE;
	status = database_get(db, buf_span(&key), &r_out->value);
	if (status != CDBFILE_FOUND)
		return status;
	r_out->status = domain_decode(r_out->value, room);
	r_out->domain = room;
	if (r_out->status == RECORD_OK && slot != NULL && db->known->count < DATABASE_KNOWN)
		r_out->domain = known_add(db->known, slot, type, name, r_out->value, room);
	return CDBFILE_FOUND;
}

enum cdbfile_status
database_domain(const struct database *db, enum layout_key type, struct span name,
    struct domain *room, struct database_record *r_out)
{
	uint16_t *slot = NULL;
	const struct database_known_entry *e = NULL;

	if (db->known != NULL && name.len > 0 && name.len <= DATABASE_KNOWN_NAME)
		e = known_find(db->known, type, name, &slot);
	if (e == NULL)
		return get_domain(db, slot, type, name, room, r_out);
	*r_out = (struct database_record){&e->record, e->value, RECORD_OK};
	return CDBFILE_FOUND;
}

enum cdbfile_status
database_next(
    const struct database *db, struct database_at *at, struct span *key_out, struct span *value_out)
{
	enum cdbfile_status status = CDBFILE_NONE;

	for (; at->shard < db->shards; at->shard++, at->at = 0) {
		if (at->at == 0)
			at->at = CDBFILE_HEAD;
		status = cdbfile_next(&db->shard[at->shard], &at->at, key_out, value_out);
		if (status != CDBFILE_NONE)
			break;
	}
	return status;
}

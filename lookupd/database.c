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
	uint32_t spread = cdbfile_hash(key) * 0x9e3779b1u;

	return shards > 1 ? (unsigned)((uint64_t)spread * shards >> 32) : 0;
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

/* Where a domain is kept, if it is. */
static struct database_known *
known_place(const struct database *db, struct span key)
{
	return db->known != NULL && key.len <= DATABASE_KNOWN_NAME
	           ? &db->known[cdbfile_hash(key) % DATABASE_KNOWN]
	           : NULL;
}

enum cdbfile_status
database_domain(const struct database *db, struct span key, struct span *value_out,
    struct domain *d_out, enum record_status *status_out)
{
	struct database_known *known = known_place(db, key);
	enum cdbfile_status status;

	*status_out = RECORD_OK;
	if (known != NULL && span_eq(span_of(known->key, known->len), key)) {
		*value_out = known->value;
		*d_out = known->record;
		return CDBFILE_FOUND;
	}
	status = database_get(db, key, value_out);
	if (status != CDBFILE_FOUND)
		return status;
	*status_out = domain_decode(*value_out, d_out);
	if (known == NULL || *status_out != RECORD_OK)
		return status;
	/* Valid only when it is complete: it may be left at any read (fault.h). */
	known->len = 0;
	memcpy(known->key, key.p, key.len);
	known->value = *value_out;
	known->record = *d_out;
	known->len = (uint8_t)key.len;
	return status;
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

#include "lookupd/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/bug.h"

#include "lookupd/cdbfile.h"
#include "lookupd/shortcut.h"

enum {
	HEADER_FIXED_MAX = 256,
	SOURCE_NAME_MAX = 4096,
	SOURCE_MAX = 3 + DIGEST_LEN + SOURCE_NAME_MAX,
	READ_LEN = 256 * 1024,
};

/* One cdb, or several between which the keys are shared out. */
struct maker {
	unsigned shards;
	int fd[LAYOUT_SHARDS_MAX]; /* the first one is that of the result */
	struct cdbfile_maker *cdb[LAYOUT_SHARDS_MAX];
};

static int
maker_add(struct maker *m, struct span key, struct span value)
{
	return cdbfile_maker_add(m->cdb[database_shard(m->shards, key)], key, value);
}

/* ---- records ---------------------------------------------------------------------------------- */

static size_t
header_size(const struct collection *c, const struct build_facts *facts)
{
	size_t size = HEADER_FIXED_MAX + facts->source_count * SOURCE_MAX;

	for (const struct collected_attr *a = c->first_attr; a != NULL; a = a->next)
		size += 3 + a->octets.len;
	return size;
}

static int
write_header(struct maker *m, const struct collection *c, const struct build_facts *facts)
{
	size_t cap = header_size(c, facts);
	uint8_t *octets = malloc(cap);
	struct buf b = buf_over(octets, cap);
	struct header h = {
	    .version = LAYOUT_VERSION,
	    .generation = facts->generation,
	    .built = facts->built,
	    .recipients = c->recipients,
	    .domains = c->domains.used,
	    .files = c->boxes,
	    .forced = facts->forced,
	};
	int status;

	if (octets == NULL)
		return -1;
	header_put(&b, &h);
	for (const struct collected_attr *a = c->first_attr; a != NULL; a = a->next)
		attr_put(&b, a->type, a->octets);
	for (size_t i = 0; i < facts->source_count; i++) {
		struct span name = span_head(span_str(facts->sources[i].name), SOURCE_NAME_MAX);

		buf_put_u8(&b, HEADER_SOURCE);
		buf_put_u16(&b, (uint16_t)(DIGEST_LEN + name.len));
		buf_put(&b, facts->sources[i].digest, DIGEST_LEN);
		buf_put_span(&b, name);
	}
	BUG_ON(b.full);
	status = maker_add(m, span_of("", 0), buf_span(&b));
	free(octets);
	return status;
}

static int
write_domain(struct maker *m, struct span name, const struct domain *d)
{
	uint8_t key_octets[1 + ADDRESS_DOMAIN_MAX], value_octets[2048];
	struct buf key = BUF_OVER(key_octets), value = BUF_OVER(value_octets);

	buf_put_u8(&key, name.len > 0 && name.p[0] == '.' ? KEY_SUFFIX : KEY_DOMAIN);
	buf_put_span(&key, name);
	domain_put(&value, d);
	BUG_ON(key.full || value.full);
	return maker_add(m, buf_span(&key), buf_span(&value));
}

void
build_domain(const struct collected_domain *from, struct domain *d_out)
{
	*d_out = (struct domain){
	    .flags = from->flags != 0 ? from->flags : DOMAIN_SERVED | DOMAIN_TABLE,
	    .route = from->route,
	    .real = from->real,
	    .prefix = from->prefix,
	    .has_prefix = from->has_prefix,
	    .has_aliases = from->has_aliases,
	    .owner_request = from->owner_request,
	    .patterns = from->patterns,
	    .boxes = from->boxes,
	    .delimiters = from->delimiters,
	    .charset = from->charset,
	    .class = from->class,
	    .size = from->size,
	    .count = from->count,
	    .accepts = from->accepts,
	};
	if (from->real.len > 0)
		d_out->flags = DOMAIN_SERVED | DOMAIN_ALIAS;
	if (d_out->flags & DOMAIN_TABLE) {
		if (from->has_rows || from->shared == NULL)
			d_out->tables[d_out->table_count++] = from->table;
		if (from->shared != NULL)
			d_out->tables[d_out->table_count++] = from->shared->table;
	}
	if (from->wild_octet_count > 0) {
		d_out->wild_octets = span_of(from->wild_octets, from->wild_octet_count);
		d_out->wild_lengths = span_of(from->wild_lengths, sizeof(from->wild_lengths));
	}
}

/* So that a question about nobody need not look for it. */
static bool
has_catch_all(const struct collection *c, const struct domain *d)
{
	uint8_t octets[5];

	for (size_t i = 0; i < d->table_count; i++) {
		struct buf key = BUF_OVER(octets);

		key_put_u32(&key, KEY_CATCH_ALL, d->tables[i]);
		if (records_get(&c->records, buf_span(&key), NULL, NULL))
			return true;
	}
	return false;
}

static int
write_collected_domain(
    struct maker *m, const struct collection *c, const struct collected_domain *from)
{
	struct domain d;

	build_domain(from, &d);
	d.no_catch_all = d.table_count > 0 && !has_catch_all(c, &d);
	return write_domain(m, from->item.key, &d);
}

static int
write_route(struct maker *m, const struct collected_route *r)
{
	uint8_t key_octets[3], value_octets[3 + LAYOUT_NAME_MAX];
	struct buf key = BUF_OVER(key_octets), value = BUF_OVER(value_octets);

	key_put_u16(&key, KEY_ROUTE, r->number);
	attr_put(&value, ROUTE_NAME, r->item.key);
	BUG_ON(key.full || value.full);
	return maker_add(m, buf_span(&key), buf_span(&value));
}

/* Table 0 of its own domain; layout.h says what for. */
static int
write_canary(struct maker *m)
{
	uint8_t key_octets[64], value_octets[64];
	struct buf key = BUF_OVER(key_octets), value = BUF_OVER(value_octets);
	struct domain d = {.flags = DOMAIN_SERVED | DOMAIN_TABLE, .table_count = 1, .count = 1};
	struct leaf leaf = {
	    .verdict = LEAF_REFUSE,
	    .immediate = LEAF_REFUSE,
	    .status = SPAN(LAYOUT_CANARY_STATUS),
	    .text = SPAN(LAYOUT_CANARY_TEXT),
	};

	key_put_u32(&key, KEY_USER, 0);
	buf_put_lower(&key, SPAN(LAYOUT_CANARY_LOCAL));
	leaf_put(&value, &leaf);
	BUG_ON(key.full || value.full);
	if (maker_add(m, buf_span(&key), buf_span(&value)) < 0)
		return -1;
	return write_domain(m, SPAN(LAYOUT_CANARY_DOMAIN), &d);
}

static int
write_records(struct maker *m, const struct collection *c, const struct build_facts *facts)
{
	struct records_at at = {0};
	uint8_t octets[SHORTCUT_MAX];

	if (write_header(m, c, facts) < 0 || write_canary(m) < 0)
		return -1;
	for (const struct collected_route *r = c->first_route; r != NULL; r = r->next)
		if (write_route(m, r) < 0)
			return -1;
	for (const struct collected_domain *d = c->first_domain; d != NULL; d = d->next)
		if (write_collected_domain(m, c, d) < 0)
			return -1;
	while (records_next(&c->records, &at)) {
		struct buf room = BUF_OVER(octets);

		if (maker_add(m, at.key, shortcut(c, at.key, at.value, &room)) < 0)
			return -1;
	}
	return 0;
}

/* ---- end mark ------------------------------------------------------------------------------------ */

/* Digests the file from its beginning. Returns: its length, or -1 and errno. */
static int64_t
digest_file(int fd, uint8_t out[DIGEST_LEN])
{
	uint8_t *octets = malloc(READ_LEN);
	struct digest digest;
	int64_t len = 0;
	ssize_t n = -1;

	if (octets == NULL)
		return -1;
	digest_init(&digest);
	while ((n = pread(fd, octets, READ_LEN, len)) > 0) {
		digest_update(&digest, span_of(octets, (size_t)n));
		len += n;
	}
	free(octets);
	digest_final(&digest, out);
	return n < 0 ? -1 : len;
}

int
build_end_mark(int fd, bool sharded)
{
	uint8_t octets[LAYOUT_END_MARK_LEN], digest[DIGEST_LEN];
	struct buf b = BUF_OVER(octets);
	int64_t len = digest_file(fd, digest);
	ssize_t n;

	if (len < 0)
		return -1;
	buf_put_span(&b, sharded ? SPAN(LAYOUT_END_MAGIC_SHARDS) : SPAN(LAYOUT_END_MAGIC));
	buf_put_u64(&b, (uint64_t)len);
	buf_put(&b, digest, sizeof(digest));
	BUG_ON(b.full || b.len != sizeof(octets));
	n = pwrite(fd, octets, sizeof(octets), len);
	if (n >= 0 && n < (ssize_t)sizeof(octets))
		errno = ENOSPC;
	return n == (ssize_t)sizeof(octets) ? 0 : -1;
}

/* ---- shards -------------------------------------------------------------------------------------- */

/* Octets that a record takes in a cdb: its head, and two slots for it in a hash table. */
enum { RECORD_COST = 8 + 16 };

static unsigned
shards_needed(const struct collection *c, const struct build_facts *facts)
{
	uint64_t most = facts->shard_max > 0 ? facts->shard_max : LAYOUT_SHARD_MAX;
	uint64_t octets = CDBFILE_HEAD + header_size(c, facts) + 4096 * c->domains.used;
	struct records_at at = {0};

	while (records_next(&c->records, &at))
		octets += RECORD_COST + at.key.len + at.value.len;
	if (octets <= most)
		return 1;
	/* Chance does not fill them equally. */
	octets = octets / (most - most / 8) + 2;
	return octets > LAYOUT_SHARDS_MAX ? LAYOUT_SHARDS_MAX + 1 : (unsigned)octets;
}

static int
temporary(const struct build_facts *facts)
{
	char *path = NULL;
	int fd;

	if (facts->beside == NULL)
		return memfd_create("shard", MFD_CLOEXEC);
	if (asprintf(&path, "%s.XXXXXX", facts->beside) < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

static int
maker_begin(struct maker *m, int fd, const struct build_facts *facts)
{
	for (unsigned i = 0; i < m->shards; i++) {
		m->fd[i] = i == 0 ? fd : temporary(facts);
		if (m->fd[i] < 0)
			return -1;
		m->cdb[i] = cdbfile_maker_new(m->fd[i]);
		if (m->cdb[i] == NULL)
			return -1;
	}
	return 0;
}

/* Appends a whole file at `at`. Returns: its length, or -1. */
static int64_t
append(int to, int64_t at, int from)
{
	uint8_t *octets = malloc(READ_LEN);
	int64_t len = 0;
	ssize_t n = -1;

	while (octets != NULL && (n = pread(from, octets, READ_LEN, len)) > 0) {
		if (pwrite(to, octets, (size_t)n, at + len) != n) {
			errno = ENOSPC;
			n = -1;
			break;
		}
		len += n;
	}
	free(octets);
	return n < 0 ? -1 : len;
}

/* The other shards behind the first, and where each is. */
static int
join_shards(struct maker *m)
{
	uint8_t octets[8 * LAYOUT_SHARDS_MAX + 4];
	struct buf b = BUF_OVER(octets);
	struct stat st;
	int64_t end, len;

	if (fstat(m->fd[0], &st) < 0)
		return -1;
	end = st.st_size;
	buf_put_u64(&b, (uint64_t)end);
	for (unsigned i = 1; i < m->shards; i++) {
		len = append(m->fd[0], end, m->fd[i]);
		if (len < 0)
			return -1;
		buf_put_u64(&b, (uint64_t)len);
		end += len;
	}
	buf_put_u32(&b, m->shards);
	return pwrite(m->fd[0], b.p, b.len, end) == (ssize_t)b.len ? 0 : -1;
}

static int
maker_finish(struct maker *m)
{
	for (unsigned i = 0; i < m->shards; i++)
		if (cdbfile_maker_finish(&m->cdb[i]) < 0)
			return -1;
	return m->shards > 1 ? join_shards(m) : 0;
}

int
build_write(int fd, const struct collection *c, const struct build_facts *facts, bool *sharded_out)
{
	struct maker m = {.shards = shards_needed(c, facts)};
	int status = -1, error;

	*sharded_out = m.shards > 1;
	if (m.shards > LAYOUT_SHARDS_MAX) {
		errno = EFBIG;
		return -1;
	}
	if (maker_begin(&m, fd, facts) == 0 && write_records(&m, c, facts) == 0)
		status = maker_finish(&m);
	error = errno;
	for (unsigned i = 0; i < m.shards; i++) {
		cdbfile_maker_free(&m.cdb[i]);
		if (i > 0 && m.fd[i] > 0)
			close(m.fd[i]);
	}
	errno = error;
	return status;
}

/* ---- for the guards ------------------------------------------------------------------------------ */

struct database *
build_map(int fd, bool sharded)
{
	struct database *db = calloc(1, sizeof(*db));
	struct stat st;
	struct span value;
	uint8_t unknown;
	void *p;

	if (db == NULL || fstat(fd, &st) < 0)
		goto bad;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		goto bad;
	db->octets = p;
	db->len = (size_t)st.st_size;
	db->mapped = true;
	db->fd = -1;
	if (database_lay_out(db, db->len, sharded) &&
	    database_get(db, span_of("", 0), &value) == CDBFILE_FOUND &&
	    header_decode(value, &db->header, &unknown) == RECORD_OK)
		return db;
	database_free(&db);
	errno = EINVAL;
	return NULL;
bad:
	free(db);
	return NULL;
}

#include "lookupd/loader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/bug.h"
#include "lib/digest.h"

#include "lookupd/guard.h"
#include "lookupd/lookup.h"

enum {
	STEP_OCTETS = 4 * 1024 * 1024, /* read and digested in one step */
	STEP_RECORDS = 100000,         /* checked in one step */
	HUGE_PAGE = 2 * 1024 * 1024,
	STEP_TABLES = 16, /* checked in one step; divides their number */
};

struct loader {
	int fd; /* -1: all octets are there already */
	const char *error;
	bool unreadable;
	enum loader_status (*phase)(struct loader *l);
	struct database *db;
	struct digest digest;
	uint64_t private_max, file_max;
	bool map;
	uint8_t *scratch; /* what a file that is mapped is digested through */
	size_t have;      /* octets read */
	uint8_t mark[LAYOUT_END_MARK_LEN];
	unsigned checked; /* shards whose tables are good */
	uint64_t slots;   /* used, in their tables */
	struct cdbfile_check check;
	struct database_at at; /* where the next record begins */
	uint64_t records, recipients, domains, files;
	bool guarded;
	struct guard_check guard;
	const struct database *in_service; /* NULL: none */
	struct database_at in_service_at;
};

static enum loader_status
refuse(struct loader *l, const char *error)
{
	l->error = error;
	return LOADER_BAD;
}

static enum loader_status
refuse_unreadable(struct loader *l, const char *error)
{
	l->unreadable = true;
	return refuse(l, error);
}

static enum loader_status
next_phase(struct loader *l, enum loader_status (*phase)(struct loader *l))
{
	l->phase = phase;
	return LOADER_MORE;
}

/* ---- phases, in their order ----------------------------------------------------------------- */

static enum loader_status phase_read(struct loader *l);
static enum loader_status phase_end_mark(struct loader *l);
static enum loader_status phase_tables(struct loader *l);
static enum loader_status phase_records(struct loader *l);
static enum loader_status phase_header(struct loader *l);
static enum loader_status phase_canary(struct loader *l);
static enum loader_status phase_guard(struct loader *l);

/*
 * A question reads two or three places that lie anywhere in the file: with pages of 4 KiB each of
 * them costs a walk through the page tables besides.
 */
static void *
allocate(size_t len)
{
	size_t rounded = (len + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	void *p;

	if (len < 4 * HUGE_PAGE)
		return malloc(len);
	p = aligned_alloc(HUGE_PAGE, rounded);
	if (p != NULL)
		(void)madvise(p, rounded, MADV_HUGEPAGE); /* without them it is slower, no more */
	return p;
}

/* How long the file is, and memory for it. */
static enum loader_status
phase_size(struct loader *l)
{
	struct stat st;

	if (l->fd >= 0) {
		if (fstat(l->fd, &st) < 0 || !S_ISREG(st.st_mode))
			return refuse_unreadable(l, "not a regular file");
		if ((uint64_t)st.st_size > l->file_max)
			return refuse(l, "larger than it may be");
		l->db->len = (size_t)st.st_size;
		l->db->as_read = st;
		l->map = (uint64_t)st.st_size > l->private_max;
	}
	/* Rows 263 and 264: 0, 2047 and 2048 octets. */
	if (l->db->len < CDBFILE_LEAST + LAYOUT_END_MARK_LEN)
		return refuse(l, "too short to be a recipients database");
	if (l->fd >= 0) {
		l->scratch = allocate(l->map ? STEP_OCTETS : l->db->len);
		if (l->scratch == NULL)
			return refuse_unreadable(l, "out of memory");
		if (!l->map) {
			l->db->octets = l->scratch;
			l->scratch = NULL;
		}
	}
	return next_phase(l, phase_read);
}

/* Where the octets from l->have on are read to. */
static uint8_t *
read_to(const struct loader *l)
{
	return l->map ? l->scratch : l->db->octets + l->have;
}

/* Explicit offsets: whoever holds the same open file cannot move ours. */
static ssize_t
read_some(struct loader *l, size_t most)
{
	ssize_t n;

	do
		n = pread(l->fd, read_to(l), most, (off_t)l->have);
	while (n < 0 && errno == EINTR);
	return n;
}

/* What was read is digested, up to the end mark, and that is kept. */
static void
take_octets(struct loader *l, struct span octets)
{
	size_t covered = l->db->len - LAYOUT_END_MARK_LEN, at = l->have;
	size_t mark = at < covered ? covered - at : 0;

	digest_update(&l->digest, span_head(octets, mark));
	for (size_t i = mark; i < octets.len; i++)
		l->mark[at + i - covered] = octets.p[i];
	l->have += octets.len;
}

static enum loader_status
phase_read(struct loader *l)
{
	size_t most = l->db->len - l->have < STEP_OCTETS ? l->db->len - l->have : STEP_OCTETS;
	ssize_t n = l->fd >= 0 ? read_some(l, most) : (ssize_t)most;

	if (n < 0)
		return refuse_unreadable(l, "cannot be read");
	if (n == 0)
		return refuse_unreadable(l, "became shorter while it was read");
	take_octets(l, span_of(read_to(l), (size_t)n));
	return l->have < l->db->len ? LOADER_MORE : next_phase(l, phase_end_mark);
}

/* Maps what has been digested; from here on it must not change. */
static bool
map_file(struct loader *l)
{
	void *p = mmap(NULL, l->db->len, PROT_READ, MAP_SHARED, l->fd, 0);

	if (p == MAP_FAILED)
		return false;
	l->db->octets = p;
	l->db->mapped = true;
	l->db->fd = l->fd;
	l->fd = -1;
	free(l->scratch);
	l->scratch = NULL;
	return database_unchanged(l->db);
}

static enum loader_status
phase_end_mark(struct loader *l)
{
	size_t covered = l->db->len - LAYOUT_END_MARK_LEN;
	struct cursor c = cursor_over(span_of(l->mark, sizeof(l->mark)));
	uint8_t digest[DIGEST_LEN];
	struct span magic, stored;
	uint64_t len;
	bool whole = cursor_bytes(&c, 8, &magic) && cursor_u64(&c, &len) &&
	             cursor_bytes(&c, DIGEST_LEN, &stored);
	bool sharded = span_eq(magic, SPAN(LAYOUT_END_MAGIC_SHARDS));

	BUG_ON(!whole);
	if (!sharded && !span_eq(magic, SPAN(LAYOUT_END_MAGIC)))
		return refuse(l, "no end mark: incomplete, or not a recipients database");
	digest_final(&l->digest, digest);
	if (len != covered || !digest_equal(digest, stored.p, DIGEST_LEN))
		return refuse(l, "damaged: its digest is not that of its content");
	if (l->map && !map_file(l))
		return refuse_unreadable(l, "cannot be mapped");
	if (!database_lay_out(l->db, covered, sharded))
		return refuse(l, "its parts are not where its end says");
	cdbfile_check_init(&l->check, &l->db->shard[0]);
	return next_phase(l, phase_tables);
}

static enum loader_status
phase_tables(struct loader *l)
{
	for (unsigned i = 0; i < STEP_TABLES; i++) {
		const char *wrong =
		    cdbfile_check_table(&l->check, &l->db->shard[l->checked], LAYOUT_PROBES_MAX);

		if (wrong != NULL)
			return refuse(l, wrong);
	}
	if (l->check.tables < CDBFILE_TABLES)
		return LOADER_MORE;
	l->slots += l->check.used;
	if (++l->checked == l->db->shards)
		return next_phase(l, phase_records);
	cdbfile_check_init(&l->check, &l->db->shard[l->checked]);
	return LOADER_MORE;
}

static enum loader_status
phase_records(struct loader *l)
{
	struct span key, value;
	struct domain d;

	for (unsigned i = 0; i < STEP_RECORDS; i++) {
		switch (database_next(l->db, &l->at, &key, &value)) {
		case CDBFILE_NONE:
			return next_phase(l, phase_header);
		case CDBFILE_BAD:
			return refuse(l, "a record runs over the end of the records");
		case CDBFILE_FOUND:
			break;
		}
		if (l->db->shards > 1 && database_shard(l->db->shards, key) != l->at.shard)
			return refuse(l, "a record is in the wrong part");
		l->records++;
		l->recipients += key_is_recipient(key);
		l->domains += key_is_domain(key);
		l->files += key_is_file(key) && leaf_accepts(value);
		if (key_is_domain(key) && domain_decode(value, &d) == RECORD_OK)
			guard_check_domain(&l->guard, span_from(key, 1), &d);
		if (key.len > 0 && key.p[0] == KEY_PART)
			guard_check_part(&l->guard, span_from(key, 1), value);
	}
	return LOADER_MORE;
}

/* The canary is one domain with one recipient, and the header does not count it. */
static const char *
check_counts(const struct loader *l)
{
	const struct header *h = &l->db->header;

	if (l->slots != l->records || l->domains != h->domains + 1 ||
	    l->recipients != h->recipients + 1)
		return "its records are not as many as its header says";
	/* Row 264: an empty one takes an explicit word. */
	if (((h->recipients == 0 && l->files == 0) || h->domains == 0) && !h->forced)
		return "it has no recipients";
	return NULL;
}

static enum loader_status
phase_header(struct loader *l)
{
	struct span value;
	uint8_t unknown;
	const char *wrong;

	if (database_get(l->db, span_of("", 0), &value) != CDBFILE_FOUND)
		return refuse(l, "no header: not a recipients database");
	switch (header_decode(value, &l->db->header, &unknown)) {
	case RECORD_OK:
		break;
	case RECORD_MALFORMED:
		return refuse(l, "malformed header");
	case RECORD_UNKNOWN:
		return refuse(l, unknown == HEADER_VERSION
				     ? "of another version of the layout"
				     : "its header has rules that this version cannot evaluate");
	}
	wrong = check_counts(l);
	return wrong != NULL ? refuse(l, wrong) : next_phase(l, phase_canary);
}

static enum loader_status
phase_canary(struct loader *l)
{
	if (!lookup_canary(l->db))
		return refuse(l, "no canary: its keys were made by other rules");
	if (!l->guarded || l->db->header.forced)
		return LOADER_DONE;
	guard_check_header(&l->guard, &l->db->header);
	return next_phase(l, phase_guard);
}

/* A domain in service beside the same one of the new database. */
static void
check_pair(struct loader *l, struct span key, const struct domain *before)
{
	struct span value;
	struct domain after;
	bool found = database_get(l->db, key, &value) == CDBFILE_FOUND &&
	             domain_decode(value, &after) == RECORD_OK;

	guard_check_pair(&l->guard, span_from(key, 1), before, found ? &after : NULL);
}

static enum loader_status
phase_guard(struct loader *l)
{
	struct span key, value;
	struct domain before;

	if (l->in_service == NULL || l->in_service->header.generation == l->db->header.before)
		return l->guard.wrong ? refuse(l, l->guard.why) : LOADER_DONE;
	for (unsigned i = 0; i < STEP_RECORDS; i++) {
		if (database_next(l->in_service, &l->in_service_at, &key, &value) != CDBFILE_FOUND)
			return l->guard.wrong ? refuse(l, l->guard.why) : LOADER_DONE;
		if (key_is_domain(key) && domain_decode(value, &before) == RECORD_OK)
			check_pair(l, key, &before);
	}
	return LOADER_MORE;
}

void
loader_limits(struct loader *l, uint64_t private_max, uint64_t file_max)
{
	l->private_max = private_max;
	l->file_max = file_max;
}

void
loader_fault(struct loader *l)
{
	(void)refuse_unreadable(l, "became shorter while it was read");
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct loader *
loader_alloc(int fd)
{
	struct loader *l = calloc(1, sizeof(*l));

	if (l == NULL || (l->db = calloc(1, sizeof(*l->db))) == NULL) {
		free(l);
		return NULL;
	}
	l->fd = fd;
	l->db->fd = -1;
	/* Without it questions take longer. */
	l->db->known = calloc(1, sizeof(*l->db->known));
	loader_limits(l, LOADER_PRIVATE_MAX, LAYOUT_FILE_MAX);
	l->phase = phase_size;
	digest_init(&l->digest);
	return l;
}

struct loader *
loader_new(int fd)
{
	struct loader *l = loader_alloc(fd);

	if (l == NULL)
		close(fd);
	return l;
}

struct loader *
loader_new_memory(uint8_t *octets, size_t len)
{
	struct loader *l = loader_alloc(-1);

	if (l == NULL) {
		free(octets);
		return NULL;
	}
	l->db->octets = octets;
	l->db->len = len;
	return l;
}

void
loader_guard(struct loader *l, unsigned share, const struct database *in_service)
{
	l->guarded = true;
	l->in_service = in_service;
	guard_check_init(&l->guard, share);
}

void
loader_free(struct loader **l)
{
	if (*l == NULL)
		return;
	if ((*l)->fd >= 0)
		close((*l)->fd);
	free((*l)->scratch);
	database_free(&(*l)->db);
	free(*l);
	*l = NULL;
}

enum loader_status
loader_step(struct loader *l)
{
	return l->phase(l);
}

const char *
loader_error(const struct loader *l)
{
	return l->error;
}

bool
loader_unreadable(const struct loader *l)
{
	return l->unreadable;
}

struct database *
loader_take(struct loader *l)
{
	struct database *db = l->db;

	l->db = NULL;
	return db;
}

struct database *
loader_load(int fd, const char **error_out, bool *unreadable_out)
{
	struct loader *l = loader_new(fd);
	struct database *db = NULL;
	enum loader_status status;

	*error_out = "out of memory";
	*unreadable_out = true;
	if (l == NULL)
		return NULL;
	do
		status = loader_step(l);
	while (status == LOADER_MORE);
	if (status == LOADER_DONE)
		db = loader_take(l);
	*error_out = l->error;
	*unreadable_out = l->unreadable;
	loader_free(&l);
	return db;
}

/* Databases for tests: from lists, from single records, and damaged ones. */
#ifndef TESTS_LOOKUPD_DATABASES_H
#define TESTS_LOOKUPD_DATABASES_H

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lookupd/build.h"
#include "lookupd/loader.h"

struct octets {
	uint8_t *p; /* malloc */
	size_t len;
};

static inline struct octets
octets_of_fd(int fd)
{
	struct stat st;
	struct octets o = {0};

	if (fstat(fd, &st) != 0)
		abort();
	o.len = (size_t)st.st_size;
	o.p = malloc(o.len > 0 ? o.len : 1);
	if (o.p == NULL || pread(fd, o.p, o.len, 0) != st.st_size)
		abort();
	return o;
}

static inline struct octets
octets_copy(struct octets from, size_t len)
{
	struct octets o = {malloc(len > 0 ? len : 1), len};

	if (o.p == NULL)
		abort();
	memcpy(o.p, from.p, len);
	return o;
}

/* The database of a list, each line of which must be good. */
static inline struct octets
octets_of_list_with(const char *text, uint64_t generation, bool forced, uint64_t shard_max)
{
	struct build_source source = {.name = "list:test"};
	struct build_facts facts = {.forced = forced,
	    .shard_max = shard_max,
	    .generation = generation,
	    .built = 1000,
	    .sources = &source,
	    .source_count = 1};
	bool sharded;
	int fd = memfd_create("recipients", MFD_CLOEXEC);
	struct collection c;
	struct octets o;

	collection_init(&c);
	for (struct span rest = span_str(text); rest.len > 0;) {
		size_t end = span_find(rest, '\n');
		struct list_entry entry;
		struct place place = {"test", 1}, first;
		const char *error;
		enum list_status status = list_parse(span_head(rest, end), &entry, &error);

		if (status == LIST_ERROR ||
		    (status == LIST_ENTRY &&
			collection_add(&c, &entry, place, &first) != COLLECTION_ADDED))
			abort();
		rest = span_from(rest, end + 1);
	}
	if (collection_resolve_alias(&c) != NULL || fd < 0 ||
	    build_write(fd, &c, &facts, &sharded) != 0 || build_end_mark(fd, sharded) != 0)
		abort();
	collection_clear(&c);
	o = octets_of_fd(fd);
	close(fd);
	return o;
}

static inline struct octets
octets_of_list_forced(const char *text, uint64_t generation, bool forced)
{
	return octets_of_list_with(text, generation, forced, 0);
}

static inline struct octets
octets_of_list(const char *text, uint64_t generation)
{
	return octets_of_list_forced(text, generation, false);
}

/* Loads octets, which it frees. Returns: NULL, with the error in *error_out. */
static inline struct database *
database_of(struct octets o, const char **error_out)
{
	struct loader *l = loader_new_memory(o.p, o.len);
	struct database *db = NULL;
	enum loader_status status;

	do
		status = loader_step(l);
	while (status == LOADER_MORE);
	*error_out = loader_error(l);
	if (status == LOADER_DONE)
		db = loader_take(l);
	loader_free(&l);
	return db;
}

static inline struct database *
database_of_list(const char *text)
{
	const char *error;
	struct database *db = database_of(octets_of_list(text, 1), &error);

	if (db == NULL)
		abort();
	return db;
}

/* ---- record by record, for what no source can say yet ---- */

struct writer {
	int fd;
	struct cdbfile_maker *maker;
	struct header header;
};

static inline void
writer_add(struct writer *w, struct span key, struct span value)
{
	if (cdbfile_maker_add(w->maker, key, value) != 0)
		abort();
	w->header.recipients += key_is_recipient(key);
	w->header.domains += key_is_domain(key);
}

static inline void
writer_domain(struct writer *w, const char *name, const struct domain *d)
{
	uint8_t k[256], v[1024];
	struct buf key = BUF_OVER(k), value = BUF_OVER(v);

	buf_put_u8(&key, KEY_DOMAIN);
	buf_put_str(&key, name);
	domain_put(&value, d);
	writer_add(w, buf_span(&key), buf_span(&value));
}

static inline void
writer_raw(
    struct writer *w, enum layout_key type, uint32_t table, const char *rest, struct span value)
{
	uint8_t k[512];
	struct buf key = BUF_OVER(k);

	key_put_u32(&key, type, table);
	buf_put_str(&key, rest);
	writer_add(w, buf_span(&key), value);
}

static inline void
writer_leaf(struct writer *w, enum layout_key type, uint32_t table, const char *rest,
    const struct leaf *leaf)
{
	uint8_t v[1024];
	struct buf value = BUF_OVER(v);

	leaf_put(&value, leaf);
	writer_raw(w, type, table, rest, buf_span(&value));
}

/* With the canary. */
static inline void
writer_begin(struct writer *w)
{
	static const struct domain canary = {
	    .flags = DOMAIN_SERVED | DOMAIN_TABLE, .table_count = 1};
	struct leaf leaf = {.verdict = LEAF_REFUSE,
	    .status = SPAN(LAYOUT_CANARY_STATUS),
	    .text = SPAN(LAYOUT_CANARY_TEXT)};

	*w = (struct writer){.fd = memfd_create("recipients", MFD_CLOEXEC)};
	w->maker = cdbfile_maker_new(w->fd);
	if (w->maker == NULL)
		abort();
	writer_domain(w, LAYOUT_CANARY_DOMAIN, &canary);
	writer_leaf(w, KEY_USER, 0, "canary+gatehouse", &leaf);
	w->header = (struct header){.version = LAYOUT_VERSION, .generation = 1};
}

/* In: extra, attributes that are appended to the header. */
static inline struct octets
writer_end(struct writer *w, struct span extra)
{
	uint8_t h[16384];
	struct buf header = BUF_OVER(h);
	struct octets o;

	header_put(&header, &w->header);
	buf_put_span(&header, extra);
	if (cdbfile_maker_add(w->maker, span_of("", 0), buf_span(&header)) != 0 ||
	    cdbfile_maker_finish(&w->maker) != 0 || build_end_mark(w->fd, false) != 0)
		abort();
	o = octets_of_fd(w->fd);
	close(w->fd);
	return o;
}

/* Makes the end mark right again after octets were changed. */
static inline void
octets_mark(struct octets o)
{
	struct digest d;

	digest_init(&d);
	digest_update(&d, span_of(o.p, o.len - LAYOUT_END_MARK_LEN));
	digest_final(&d, o.p + o.len - DIGEST_LEN);
}

#endif

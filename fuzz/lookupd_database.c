/*
 * recipients.cdb from hands that can also make its digest right: loaded or refused, asked, and
 * printed, without a step outside its octets.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/bug.h"
#include "lib/digest.h"
#include "lookupd/inspect.h"
#include "lookupd/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
make_end_mark(uint8_t *p, size_t len)
{
	struct buf b = buf_over(p + len - LAYOUT_END_MARK_LEN, LAYOUT_END_MARK_LEN);
	uint8_t digest[DIGEST_LEN];
	struct digest d;

	digest_init(&d);
	digest_update(&d, span_of(p, len - LAYOUT_END_MARK_LEN));
	digest_final(&d, digest);
	buf_put_span(&b, SPAN(LAYOUT_END_MAGIC));
	buf_put_u64(&b, len - LAYOUT_END_MARK_LEN);
	buf_put(&b, digest, sizeof(digest));
}

static void
use(const struct database *db)
{
	static const char *const texts[] = {"alice@example.com", "bob+x@example.com",
	    "dave@example.com", "x@catchall.example", "carol@catchall.example", "postmaster",
	    "postmaster@example.com", "x@real.example", "x@alias.example", "u%v@catchall.example",
	    "x@nowhere.example", "joe@local.test", "joe-list@local.test", "joe-ex-a-b@local.test",
	    "joe-sub/x@local.test", "nobody@local.test", "a@s.ex.test", "a%v.test@ph.test",
	    "a@v.test", "a@one.test", "joe@[127.0.0.1]"};
	static FILE *nowhere;
	struct address postmaster;

	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	BUG_ON(nowhere == NULL);
	BUG_ON(address_from_inside(SPAN("bob@example.com"), &postmaster) != ADDRESS_OK);
	inspect_query(db, NULL, NULL, texts, sizeof(texts) / sizeof(texts[0]), nowhere);
	inspect_query(db, NULL, &postmaster, texts, sizeof(texts) / sizeof(texts[0]), nowhere);
	inspect_info(db, NULL, nowhere);
	inspect_dump(db, NULL, nowhere);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);
	struct loader *l;
	enum loader_status status;

	if (copy == NULL)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	if (size >= LAYOUT_END_MARK_LEN)
		make_end_mark(copy, size);
	l = loader_new_memory(copy, size);
	if (l == NULL)
		return 0;
	do
		status = loader_step(l);
	while (status == LOADER_MORE);
	BUG_ON((status == LOADER_BAD) != (loader_error(l) != NULL));
	if (status == LOADER_DONE) {
		struct database *db = loader_take(l);

		use(db);
		database_free(&db);
	}
	loader_free(&l);
	return 0;
}

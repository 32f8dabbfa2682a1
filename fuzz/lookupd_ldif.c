/* LDIF: pieces and wholes give the same, and every value is within bounds. */
#include "lib/bug.h"
#include "lib/digest.h"
#include "lookupd/ldif.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_value(void *context, struct span name, struct span options, struct span value, unsigned line)
{
	BUG_ON(name.len == 0 || line == 0);
	digest_update(context, name);
	digest_update(context, options);
	digest_update(context, value);
}

static void
on_end(void *context)
{
	digest_update(context, SPAN("\n"));
}

static void
on_error(void *context, const char *error, unsigned line)
{
	BUG_ON(line == 0);
	digest_update(context, span_str(error));
}

static void
parse(struct span text, size_t piece, uint8_t out[DIGEST_LEN])
{
	struct digest digest;
	struct ldif_handler handler = {&digest, on_value, on_end, on_error};
	struct ldif *l = ldif_new(&handler);

	BUG_ON(l == NULL);
	digest_init(&digest);
	for (; text.len > 0; text = span_from(text, piece))
		ldif_take(l, span_head(text, piece));
	ldif_finish(l);
	ldif_free(&l);
	digest_final(&digest, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t whole[DIGEST_LEN], pieces[DIGEST_LEN];

	parse(span_of(data, size), size > 0 ? size : 1, whole);
	parse(span_of(data, size), 3, pieces);
	BUG_ON(memcmp(whole, pieces, sizeof(whole)) != 0);
	return 0;
}

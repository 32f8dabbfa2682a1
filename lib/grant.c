#include "lib/grant.h"

#include <stdlib.h>

#include "lib/buf.h"
#include "lib/bug.h"
#include "lib/digest.h"

_Static_assert((int)GRANT_LEN == (int)DIGEST_LEN, "a grant is one digest");

struct grant_key {
	struct mac prepared;
};

struct grant_key *
grant_key_new(const uint8_t key[GRANT_KEY_LEN])
{
	struct grant_key *k = malloc(sizeof(*k));

	if (k != NULL)
		mac_init(&k->prepared, span_of(key, GRANT_KEY_LEN));
	return k;
}

void
grant_key_free(struct grant_key **key)
{
	if (*key == NULL)
		return;
	digest_wipe(*key, sizeof(**key));
	free(*key);
	*key = NULL;
}

/*
 * Every field has a fixed width or a length before it, and the label separates this use of the
 * key from any other: two different sets of terms never give the same octets.
 */
void
grant_make(const struct grant_key *key, const struct grant_terms *t, uint8_t grant_out[GRANT_LEN])
{
	struct mac m = key->prepared;
	uint8_t fixed[96];
	struct buf b = BUF_OVER(fixed);

	buf_put_str(&b, "gatehouse grant 2");
	buf_put_u32(&b, t->instance);
	buf_put_u64(&b, t->transaction);
	buf_put_u64(&b, t->size_limit);
	buf_put_u64(&b, t->generation);
	buf_put_u64(&b, t->expiry);
	buf_put_u64(&b, t->recipient.len);
	buf_put_u64(&b, t->route.len);
	buf_put_u64(&b, t->class.len);
	buf_put_u8(&b, t->exempt);
	BUG_ON(b.full);
	mac_update(&m, buf_span(&b));
	mac_update(&m, t->recipient);
	mac_update(&m, t->route);
	mac_update(&m, t->class);
	mac_final(&m, grant_out);
	digest_wipe(&m, sizeof(m));
}

bool
grant_check(
    const struct grant_key *key, const struct grant_terms *terms, const uint8_t grant[GRANT_LEN])
{
	uint8_t expected[GRANT_LEN];

	grant_make(key, terms, expected);
	return digest_equal(expected, grant, GRANT_LEN);
}

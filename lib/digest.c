#include "lib/digest.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(((struct digest *)0)->state), "struct digest");
_Static_assert(sizeof(struct hmac_sha256_ctx) <= sizeof(((struct mac *)0)->state), "struct mac");

/* UNSAFE: the arrays are aligned for, and only ever hold, nettle's structures. */
static struct sha256_ctx *
digest_ctx(struct digest *d)
{
	return (void *)&d->state;
}

static struct hmac_sha256_ctx *
mac_ctx(struct mac *m)
{
	return (void *)&m->state;
}

void
digest_init(struct digest *d)
{
	sha256_init(digest_ctx(d));
}

void
digest_update(struct digest *d, struct span s)
{
	if (s.len > 0)
		sha256_update(digest_ctx(d), s.len, s.p);
}

void
digest_final(struct digest *d, uint8_t out[DIGEST_LEN])
{
	sha256_digest(digest_ctx(d), DIGEST_LEN, out);
}

void
mac_init(struct mac *m, struct span key)
{
	hmac_sha256_set_key(mac_ctx(m), key.len, key.p);
}

void
mac_update(struct mac *m, struct span s)
{
	if (s.len > 0)
		hmac_sha256_update(mac_ctx(m), s.len, s.p);
}

void
mac_final(struct mac *m, uint8_t out[DIGEST_LEN])
{
	hmac_sha256_digest(mac_ctx(m), DIGEST_LEN, out);
}

bool
digest_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	return memeql_sec(a, b, len) != 0;
}

void
digest_wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}

#include "tlsd/sign_check.h"

#include "tlsd/keys_crypto.h"

/* RFC 8017 9.2 note 1: the DER of DigestInfo up to the digest. */
static const struct digest_info {
	size_t digest_len;
	uint8_t head[19];
} digest_infos[] = {
    {32, {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
	     0x05, 0x00, 0x04, 0x20}},
    {48, {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
	     0x05, 0x00, 0x04, 0x30}},
    {64, {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03,
	     0x05, 0x00, 0x04, 0x40}},
};

enum {
	DIGEST_INFOS = sizeof(digest_infos) / sizeof(digest_infos[0]),
	PSS_TRAILER = 0xbc,
	PSS_SEPARATOR = 0x01,
};

static enum sign_verdict
check_digest(struct span data)
{
	return data.len == 32 || data.len == 48 || data.len == 64 ? SIGN_FINE : SIGN_BAD_LENGTH;
}

static enum sign_verdict
check_digest_info(struct span data)
{
	for (size_t i = 0; i < DIGEST_INFOS; i++) {
		const struct digest_info *d = &digest_infos[i];

		if (data.len != sizeof(d->head) + d->digest_len)
			continue;
		return memcmp(data.p, d->head, sizeof(d->head)) == 0 ? SIGN_FINE : SIGN_BAD_SHAPE;
	}
	return SIGN_BAD_LENGTH;
}

/* RFC 8017 B.2.1, applied at once: mask ^= MGF1(seed). */
static void
unmask(enum keys_hash hash, struct span seed, uint8_t *masked, size_t len)
{
	size_t step = keys_hash_len(hash);

	for (uint32_t i = 0; i * step < len; i++) {
		uint8_t counter[4] = {
		    (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
		uint8_t mask[KEYS_HASH_MAX];

		keys_hash2(hash, seed, span_of(counter, sizeof(counter)), mask);
		for (size_t k = 0; k < step && i * step + k < len; k++)
			masked[i * step + k] ^= mask[k];
	}
}

/*
 * RFC 8017 9.1.2 steps 4 to 10, with a salt as long as the digest (RFC 8446 4.2.3). The modulus
 * is a multiple of 8 bits, so exactly the highest bit of the block is none of the encoding's.
 */
static bool
pss_fits(enum keys_hash hash, struct span block)
{
	size_t hash_len = keys_hash_len(hash);
	size_t db_len = block.len - hash_len - 1;
	size_t zeros = db_len - hash_len - 1;
	uint8_t db[KEY_PUBLIC_MAX];

	if (block.len < 2 * hash_len + 2 || block.p[block.len - 1] != PSS_TRAILER ||
	    (block.p[0] & 0x80) != 0)
		return false;
	memcpy(db, block.p, db_len);
	unmask(hash, span_of(block.p + db_len, hash_len), db, db_len);
	db[0] &= 0x7f;
	for (size_t i = 0; i < zeros; i++)
		if (db[i] != 0)
			return false;
	return db[zeros] == PSS_SEPARATOR;
}

static enum sign_verdict
check_pss(const struct key_facts *key, struct span data)
{
	if (data.len != key->bits / 8)
		return SIGN_BAD_LENGTH;
	return pss_fits(KEYS_SHA256, data) || pss_fits(KEYS_SHA384, data) ||
	               pss_fits(KEYS_SHA512, data)
	           ? SIGN_FINE
	           : SIGN_BAD_SHAPE;
}

enum sign_verdict
sign_check(const struct key_facts *key, unsigned scheme, struct span data)
{
	if (key->kind == KEY_EC && scheme == SIGN_ECDSA)
		return check_digest(data);
	if (key->kind == KEY_RSA && scheme == SIGN_RSA_PKCS1)
		return check_digest_info(data);
	if (key->kind == KEY_RSA && scheme == SIGN_RSA_PSS)
		return check_pss(key, data);
	return SIGN_OTHER_KIND;
}

const char *
sign_verdict_text(enum sign_verdict verdict)
{
	static const char *const texts[] = {
	    [SIGN_FINE] = "fine",
	    [SIGN_OTHER_KIND] = "scheme",
	    [SIGN_BAD_LENGTH] = "length",
	    [SIGN_BAD_SHAPE] = "shape",
	};

	return texts[verdict];
}

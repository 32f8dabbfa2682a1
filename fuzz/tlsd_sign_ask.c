/*
 * What tls-keys would sign, held against a second reading of what may be signed: whatever
 * octets come, sign_check() says yes to nothing but a digest's length, a DigestInfo that
 * the DER rules make, or a block from which EMSA-PSS can be made again, octet by octet.
 *
 * Input: octet 0 the scheme, octet 1 the key (and whether a PSS block is completed from what
 * follows, so that the fuzzer gets past the mask), the rest the data.
 */
#include "lib/catalogue.h"

#include <stdlib.h>

#include "lib/bug.h"

#include "tlsd/keys_crypto.h"
#include "tlsd/sign_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static const struct key_facts keys[] = {
    {.kind = KEY_RSA, .bits = 2048},
    {.kind = KEY_RSA, .bits = 3072},
    {.kind = KEY_RSA, .bits = 4096},
    {.kind = KEY_EC, .bits = 256},
};

/* RFC 8017 B.2.1, the other way round: one long mask. */
static void
mgf1(enum keys_hash hash, struct span seed, uint8_t *mask_out, size_t len)
{
	uint8_t block[KEYS_HASH_MAX];

	for (size_t i = 0; i < len; i++) {
		size_t n = i / keys_hash_len(hash);
		uint8_t counter[4] = {0, 0, 0, (uint8_t)n};

		if (i % keys_hash_len(hash) == 0)
			keys_hash2(hash, seed, span_of(counter, 4), block);
		mask_out[i] = block[i % keys_hash_len(hash)];
	}
}

/* RFC 8017 9.1.1 steps 7 to 12: the block of this hash and salt. */
static void
pss_encode(
    enum keys_hash hash, const uint8_t *h, const uint8_t *salt, size_t em_len, uint8_t *em_out)
{
	size_t hash_len = keys_hash_len(hash), db_len = em_len - hash_len - 1;
	uint8_t mask[KEY_PUBLIC_MAX];

	memset(em_out, 0, db_len);
	em_out[db_len - hash_len - 1] = 1;
	memcpy(em_out + db_len - hash_len, salt, hash_len);
	mgf1(hash, span_of(h, hash_len), mask, db_len);
	for (size_t i = 0; i < db_len; i++)
		em_out[i] ^= mask[i];
	em_out[0] &= 0x7f;
	memcpy(em_out + db_len, h, hash_len);
	em_out[em_len - 1] = 0xbc;
}

static bool
is_pss(enum keys_hash hash, struct span em)
{
	size_t hash_len = keys_hash_len(hash), db_len = em.len - hash_len - 1;
	uint8_t mask[KEY_PUBLIC_MAX], salt[KEYS_HASH_MAX], again[KEY_PUBLIC_MAX];

	mgf1(hash, span_of(em.p + db_len, hash_len), mask, db_len);
	for (size_t i = 0; i < hash_len; i++)
		salt[i] = em.p[db_len - hash_len + i] ^ mask[db_len - hash_len + i];
	pss_encode(hash, em.p + db_len, salt, em.len, again);
	return memcmp(again, em.p, em.len) == 0;
}

/* SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.2.N, NULL }, OCTET STRING } */
static bool
is_digest_info(struct span d)
{
	static const uint8_t oid[] = {6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2};
	static const size_t digests[] = {0, 32, 48, 64};
	size_t n;

	if (d.len < 51 || d.p[0] != 0x30 || d.p[1] != d.len - 2 || d.p[2] != 0x30 || d.p[3] != 13 ||
	    memcmp(d.p + 4, oid, sizeof(oid)) != 0)
		return false;
	n = d.p[14];
	return n >= 1 && n <= 3 && d.p[15] == 5 && d.p[16] == 0 && d.p[17] == 4 &&
	       d.p[18] == digests[n] && d.len == 19 + digests[n];
}

static bool
may_be_signed(const struct key_facts *key, unsigned scheme, struct span data)
{
	if (key->kind == KEY_EC)
		return scheme == SIGN_ECDSA && (data.len == 32 || data.len == 48 || data.len == 64);
	if (scheme == SIGN_RSA_PKCS1)
		return is_digest_info(data);
	if (scheme != SIGN_RSA_PSS || data.len != key->bits / 8)
		return false;
	return is_pss(KEYS_SHA256, data) || is_pss(KEYS_SHA384, data) || is_pss(KEYS_SHA512, data);
}

/* Completes a block: its hash and salt from the input, and one octet changed or none. */
static struct span
complete(const struct key_facts *key, uint8_t how, struct span in, uint8_t *room)
{
	enum keys_hash hash = (enum keys_hash)(how >> 4 & 3);
	size_t len = key->bits / 8;

	if (key->kind != KEY_RSA || hash > KEYS_SHA512 || in.len < 2 * KEYS_HASH_MAX + 3)
		return in;
	pss_encode(hash, in.p, in.p + KEYS_HASH_MAX, len, room);
	room[(size_t)(in.p[2 * KEYS_HASH_MAX] << 8 | in.p[2 * KEYS_HASH_MAX + 1]) % len] ^=
	    in.p[2 * KEYS_HASH_MAX + 2];
	return span_of(room, len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint8_t room[KEY_PUBLIC_MAX];
	const struct key_facts *key;
	struct span data;
	bool yes;

	if (len < 2)
		return 0;
	key = &keys[p[1] & 3];
	data = span_of(p + 2, len - 2);
	if ((p[1] & 0x80) != 0)
		data = complete(key, p[1], data, room);
	yes = sign_check(key, p[0], data) == SIGN_FINE;
	BUG_ON(yes != may_be_signed(key, p[0], data));
	return 0;
}

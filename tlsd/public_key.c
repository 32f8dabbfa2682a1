#include "tlsd/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

void
key_id_compute(enum key_kind kind, struct span public, struct key_id *id_out)
{
	uint8_t material[1 + KEY_PUBLIC_MAX];

	memset(id_out, 0, sizeof(*id_out));
	if (public.len > KEY_PUBLIC_MAX)
		return; /* an id that no key has */
	material[0] = (uint8_t)kind;
	memcpy(material + 1, public.p, public.len);
	if (EVP_Digest(material, 1 + public.len, id_out->octets, NULL, EVP_sha256(), NULL) != 1)
		memset(id_out, 0, sizeof(*id_out));
}

static const char *
rsa_facts(const EVP_PKEY *pkey, struct key_facts *facts)
{
	uint8_t modulus[KEY_PUBLIC_MAX];
	BIGNUM *n = NULL;
	int len = -1, bits = EVP_PKEY_get_bits(pkey);

	if (bits < KEY_RSA_BITS_LEAST || bits > KEY_RSA_BITS_MOST || bits % 8 != 0)
		return "RSA key is not of 2048 to 4096 bits, a multiple of 8";
	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1)
		len = BN_bn2bin(n, modulus);
	BN_free(n);
	if (len != bits / 8)
		return "RSA key without modulus";
	facts->kind = KEY_RSA;
	facts->bits = (unsigned)bits;
	key_id_compute(KEY_RSA, span_of(modulus, (size_t)len), &facts->id);
	return NULL;
}

/* Octets of a coordinate, or 0 for other curves. */
static size_t
curve_octets(const EVP_PKEY *pkey)
{
	static const struct {
		const char *name;
		size_t octets;
	} curves[] = {{"prime256v1", 32}, {"secp384r1", 48}};
	char name[64] = "";

	EVP_PKEY_get_group_name(pkey, name, sizeof(name), NULL);
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (strcmp(name, curves[i].name) == 0)
			return curves[i].octets;
	return 0;
}

static const char *
ec_facts(const EVP_PKEY *pkey, struct key_facts *facts)
{
	uint8_t point[1 + 2 * 48];
	BIGNUM *x = NULL, *y = NULL;
	size_t half = curve_octets(pkey);
	bool good;

	if (half == 0)
		return "ECDSA key is not on P-256 or P-384";
	point[0] = POINT_CONVERSION_UNCOMPRESSED;
	good = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
	       EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 &&
	       BN_bn2binpad(x, point + 1, (int)half) > 0 &&
	       BN_bn2binpad(y, point + 1 + half, (int)half) > 0;
	BN_free(x);
	BN_free(y);
	if (!good)
		return "ECDSA key without point";
	facts->kind = KEY_EC;
	facts->bits = (unsigned)half * 8;
	key_id_compute(KEY_EC, span_of(point, 1 + 2 * half), &facts->id);
	return NULL;
}

const char *
public_key_facts(const EVP_PKEY *pkey, struct key_facts *facts_out)
{
	switch (EVP_PKEY_get_base_id(pkey)) {
	case EVP_PKEY_RSA:
		return rsa_facts(pkey, facts_out);
	case EVP_PKEY_EC:
		return ec_facts(pkey, facts_out);
	default:
		return "neither RSA nor ECDSA";
	}
}

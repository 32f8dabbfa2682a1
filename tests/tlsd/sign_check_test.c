#include "tlsd/keys_crypto.h"
#include "tlsd/sign_check.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct key_facts rsa2048 = {.kind = KEY_RSA, .bits = 2048};
static const struct key_facts rsa3072 = {.kind = KEY_RSA, .bits = 3072};
static const struct key_facts rsa4096 = {.kind = KEY_RSA, .bits = 4096};
static const struct key_facts p256 = {.kind = KEY_EC, .bits = 256};

/* ---- ECDSA --------------------------------------------------------------------------------------- */

static void
ecdsa_takes_digests_only(void **state)
{
	uint8_t data[1024];

	(void)state;
	memset(data, 0x5a, sizeof(data));
	for (size_t len = 0; len <= sizeof(data); len++)
		assert_int_equal(sign_check(&p256, SIGN_ECDSA, span_of(data, len)),
		    len == 32 || len == 48 || len == 64 ? SIGN_FINE : SIGN_BAD_LENGTH);
}

/* ---- PKCS #1 -------------------------------------------------------------------------------------- */

static const uint8_t sha256_info[51] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
    0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
static const uint8_t sha384_info[67] = {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
    0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30};
static const uint8_t sha512_info[83] = {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
    0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40};
static const uint8_t sha224_info[47] = {0x30, 0x2d, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
    0x65, 0x03, 0x04, 0x02, 0x04, 0x05, 0x00, 0x04, 0x1c};
static const uint8_t sha1_info[35] = {
    0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};

static void
pkcs1_takes_known_digest_infos(void **state)
{
	(void)state;
	assert_int_equal(sign_check(&rsa2048, SIGN_RSA_PKCS1, span_of(sha256_info, 51)), SIGN_FINE);
	assert_int_equal(sign_check(&rsa3072, SIGN_RSA_PKCS1, span_of(sha384_info, 67)), SIGN_FINE);
	assert_int_equal(sign_check(&rsa4096, SIGN_RSA_PKCS1, span_of(sha512_info, 83)), SIGN_FINE);
	assert_int_not_equal(
	    sign_check(&rsa2048, SIGN_RSA_PKCS1, span_of(sha224_info, 47)), SIGN_FINE);
	assert_int_not_equal(
	    sign_check(&rsa2048, SIGN_RSA_PKCS1, span_of(sha1_info, 35)), SIGN_FINE);
	/* TLS 1.1's MD5 and SHA-1, without a DigestInfo */
	assert_int_not_equal(
	    sign_check(&rsa2048, SIGN_RSA_PKCS1, span_of(sha512_info, 36)), SIGN_FINE);
}

static void
pkcs1_refuses_every_changed_octet(void **state)
{
	uint8_t info[83];

	(void)state;
	for (size_t i = 0; i < 19; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(info, sha512_info, sizeof(info));
			info[i] ^= (uint8_t)(1u << bit);
			assert_int_equal(sign_check(&rsa2048, SIGN_RSA_PKCS1, span_of(info, 83)),
			    SIGN_BAD_SHAPE);
		}
	}
	for (size_t len = 0; len < 83; len++)
		assert_int_not_equal(
		    sign_check(&rsa2048, SIGN_RSA_PKCS1, span_of(sha512_info, len)), SIGN_FINE);
}

/* ---- PSS ------------------------------------------------------------------------------------------- */

/* OpenSSL encodes: sign with a key of its own, and open the signature with the public part. */
static size_t
pss_block(EVP_PKEY *key, const EVP_MD *md, int salt_len, uint8_t *block_out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *sign, *open = EVP_PKEY_CTX_new(key, NULL);
	uint8_t signature[512], message[20];
	size_t signature_len = sizeof(signature), len = 512;

	RAND_bytes(message, sizeof(message));
	assert_int_equal(EVP_DigestSignInit(ctx, &sign, md, NULL, key), 1);
	EVP_PKEY_CTX_set_rsa_padding(sign, RSA_PKCS1_PSS_PADDING);
	EVP_PKEY_CTX_set_rsa_pss_saltlen(sign, salt_len);
	assert_int_equal(
	    EVP_DigestSign(ctx, signature, &signature_len, message, sizeof(message)), 1);
	assert_int_equal(EVP_PKEY_verify_recover_init(open), 1);
	EVP_PKEY_CTX_set_rsa_padding(open, RSA_NO_PADDING);
	assert_int_equal(
	    EVP_PKEY_verify_recover(open, block_out, &len, signature, signature_len), 1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_CTX_free(open);
	return len;
}

static void
pss_takes_what_openssl_encodes(void **state)
{
	static const struct key_facts *const facts[] = {&rsa2048, &rsa3072, &rsa4096};
	uint8_t block[512];

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		EVP_PKEY *key = EVP_RSA_gen(facts[k]->bits);
		const EVP_MD *const mds[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};

		for (size_t i = 0; i < 3; i++) {
			size_t len = pss_block(key, mds[i], RSA_PSS_SALTLEN_DIGEST, block);

			assert_int_equal(len, facts[k]->bits / 8);
			assert_int_equal(
			    sign_check(facts[k], SIGN_RSA_PSS, span_of(block, len)), SIGN_FINE);
			/* the block of another modulus */
			assert_int_equal(
			    sign_check(facts[(k + 1) % 3], SIGN_RSA_PSS, span_of(block, len)),
			    SIGN_BAD_LENGTH);
			assert_int_equal(
			    sign_check(facts[k], SIGN_RSA_PSS, span_of(block, len - 1)),
			    SIGN_BAD_LENGTH);
		}
		EVP_PKEY_free(key);
	}
}

static void
pss_refuses_other_salts_and_digests(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	uint8_t block[512];
	size_t len;

	(void)state;
	for (int salt_len = 0; salt_len <= 222; salt_len += salt_len < 40 ? 1 : 13) {
		len = pss_block(key, EVP_sha256(), salt_len, block);
		assert_int_equal(sign_check(&rsa2048, SIGN_RSA_PSS, span_of(block, len)),
		    salt_len == 32 ? SIGN_FINE : SIGN_BAD_SHAPE);
	}
	len = pss_block(key, EVP_sha1(), RSA_PSS_SALTLEN_DIGEST, block);
	assert_int_equal(sign_check(&rsa2048, SIGN_RSA_PSS, span_of(block, len)), SIGN_BAD_SHAPE);
	len = pss_block(key, EVP_sha224(), RSA_PSS_SALTLEN_DIGEST, block);
	assert_int_equal(sign_check(&rsa2048, SIGN_RSA_PSS, span_of(block, len)), SIGN_BAD_SHAPE);
	EVP_PKEY_free(key);
}

/*
 * Only the salt may differ and still fit: 32 octets before the hash. Everything else is the
 * encoding's.
 */
static void
pss_refuses_every_changed_bit(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	uint8_t block[512];
	size_t len = pss_block(key, EVP_sha256(), RSA_PSS_SALTLEN_DIGEST, block);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		bool in_salt = i >= len - 65 && i < len - 33;

		for (unsigned bit = 0; bit < 8; bit++) {
			block[i] ^= (uint8_t)(1u << bit);
			assert_int_equal(sign_check(&rsa2048, SIGN_RSA_PSS, span_of(block, len)),
			    in_salt ? SIGN_FINE : SIGN_BAD_SHAPE);
			block[i] ^= (uint8_t)(1u << bit);
		}
	}
	EVP_PKEY_free(key);
}

/* What somebody with a recorded RSA key exchange would ask for. */
static void
row_139_a_ciphertext_is_not_signed(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	uint8_t premaster[48], ciphertext[256], any[256];
	size_t len = sizeof(ciphertext);

	(void)state;
	RAND_bytes(premaster, sizeof(premaster));
	assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
	EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING);
	assert_int_equal(EVP_PKEY_encrypt(ctx, ciphertext, &len, premaster, sizeof(premaster)), 1);
	for (unsigned scheme = 0; scheme < 8; scheme++)
		assert_int_not_equal(
		    sign_check(&rsa2048, scheme, span_of(ciphertext, len)), SIGN_FINE);
	for (int i = 0; i < 20000; i++) {
		RAND_bytes(any, sizeof(any));
		any[0] &= 0x7f;
		any[255] = 0xbc;
		assert_int_equal(
		    sign_check(&rsa2048, SIGN_RSA_PSS, span_of(any, sizeof(any))), SIGN_BAD_SHAPE);
	}
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static void
schemes_belong_to_kinds(void **state)
{
	uint8_t digest[32] = {1};

	(void)state;
	assert_int_equal(sign_check(&rsa2048, SIGN_ECDSA, span_of(digest, 32)), SIGN_OTHER_KIND);
	assert_int_equal(
	    sign_check(&p256, SIGN_RSA_PKCS1, span_of(sha256_info, 51)), SIGN_OTHER_KIND);
	assert_int_equal(sign_check(&p256, SIGN_RSA_PSS, span_of(digest, 32)), SIGN_OTHER_KIND);
	for (unsigned scheme = 3; scheme < 256; scheme++) {
		assert_int_equal(sign_check(&p256, scheme, span_of(digest, 32)), SIGN_OTHER_KIND);
		assert_int_equal(
		    sign_check(&rsa2048, scheme, span_of(sha256_info, 51)), SIGN_OTHER_KIND);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ecdsa_takes_digests_only),
	    cmocka_unit_test(pkcs1_takes_known_digest_infos),
	    cmocka_unit_test(pkcs1_refuses_every_changed_octet),
	    cmocka_unit_test(pss_takes_what_openssl_encodes),
	    cmocka_unit_test(pss_refuses_other_salts_and_digests),
	    cmocka_unit_test(pss_refuses_every_changed_bit),
	    cmocka_unit_test(row_139_a_ciphertext_is_not_signed),
	    cmocka_unit_test(schemes_belong_to_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

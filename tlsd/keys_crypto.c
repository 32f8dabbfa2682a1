#include "tlsd/keys_crypto.h"

/* SHA256_Init and its like are deprecated in favour of functions that allocate. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "tlsd/public_key.h"

enum {
	HEAP_OCTETS = 256 * 1024, /* 16 keys of RSA 4096 and what libcrypto copies of them */
	HEAP_LEAST = 32,
};

struct private_key {
	EVP_PKEY *pkey;
	struct key_facts facts;
};

/* ---- set-up ------------------------------------------------------------------------------------ */

static bool heap_locked;

/* The first use of each algorithm, so that nothing is looked for after confinement. */
static bool
warm_up(void)
{
	uint8_t digest[KEYS_HASH_MAX];

	for (int hash = KEYS_SHA256; hash <= KEYS_SHA512; hash++)
		keys_hash2((enum keys_hash)hash, SPAN("warm"), SPAN("up"), digest);
	return RAND_bytes(digest, sizeof(digest)) == 1 &&
	       RAND_priv_bytes(digest, sizeof(digest)) == 1;
}

int
keys_crypto_init(void)
{
	/* 1: locked; 2: there, but the kernel did not lock it. */
	int heap = CRYPTO_secure_malloc_init(HEAP_OCTETS, HEAP_LEAST);

	heap_locked = heap == 1;
	if (heap == 0 || OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1 || !warm_up())
		return -1;
	return 0;
}

bool
keys_crypto_locked(void)
{
	return heap_locked;
}

/* ---- keys -------------------------------------------------------------------------------------- */

/* libcrypto would ask on the terminal otherwise. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *
pem_read(struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	EVP_PKEY *pkey =
	    bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	return pkey;
}

/* The private part belongs to the public one; RSA: the factors are factors. */
static bool
is_whole(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool whole = ctx != NULL && EVP_PKEY_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return whole;
}

struct private_key *
private_key_parse(struct span pem, const char **why_out)
{
	struct private_key *key = calloc(1, sizeof(*key));

	*why_out = NULL;
	if (key == NULL)
		*why_out = "no memory";
	else if ((key->pkey = pem_read(pem)) == NULL)
		*why_out = "no private key in PEM form, or it has a passphrase";
	else
		*why_out = public_key_facts(key->pkey, &key->facts);
	if (*why_out == NULL && !is_whole(key->pkey))
		*why_out = "private and public part do not belong together";
	if (*why_out != NULL)
		private_key_free(&key);
	ERR_clear_error();
	return key;
}

void
private_key_free(struct private_key **key)
{
	if (*key == NULL)
		return;
	EVP_PKEY_free((*key)->pkey); /* clears the private part */
	free(*key);
	*key = NULL;
}

const struct key_facts *
private_key_facts(const struct private_key *key)
{
	return &key->facts;
}

/* ---- signing ----------------------------------------------------------------------------------- */

static bool
padding_set(EVP_PKEY_CTX *ctx, enum sign_scheme scheme)
{
	/* PSS comes encoded, and sign_check() has looked at the encoding. */
	static const int paddings[] = {
	    [SIGN_ECDSA] = 0,
	    [SIGN_RSA_PKCS1] = RSA_PKCS1_PADDING,
	    [SIGN_RSA_PSS] = RSA_NO_PADDING,
	};

	return scheme == SIGN_ECDSA || EVP_PKEY_CTX_set_rsa_padding(ctx, paddings[scheme]) == 1;
}

size_t
private_key_sign(const struct private_key *key, enum sign_scheme scheme, struct span data,
    uint8_t *signature_out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
	size_t len = KEY_SIGNATURE_MAX;

	if (ctx == NULL || EVP_PKEY_sign_init(ctx) != 1 || !padding_set(ctx, scheme) ||
	    EVP_PKEY_sign(ctx, signature_out, &len, data.p, data.len) != 1)
		len = 0;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return len;
}

/* ---- hashes ------------------------------------------------------------------------------------ */

/* The low-level functions: no allocation, so they cannot fail. */
static void
sha256_2(struct span a, struct span b, uint8_t *digest_out)
{
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, a.p, a.len);
	SHA256_Update(&ctx, b.p, b.len);
	SHA256_Final(digest_out, &ctx);
}

size_t
keys_hash_len(enum keys_hash hash)
{
	static const size_t lens[] = {[KEYS_SHA256] = 32, [KEYS_SHA384] = 48, [KEYS_SHA512] = 64};

	return lens[hash];
}

void
keys_hash2(enum keys_hash hash, struct span a, struct span b, uint8_t *digest_out)
{
	SHA512_CTX ctx;

	if (hash == KEYS_SHA256) {
		sha256_2(a, b, digest_out);
		return;
	}
	if (hash == KEYS_SHA384)
		SHA384_Init(&ctx);
	else
		SHA512_Init(&ctx);
	SHA512_Update(&ctx, a.p, a.len);
	SHA512_Update(&ctx, b.p, b.len);
	if (hash == KEYS_SHA384)
		SHA384_Final(digest_out, &ctx);
	else
		SHA512_Final(digest_out, &ctx);
}

void
keys_wipe(void *p, size_t len)
{
	OPENSSL_cleanse(p, len);
}

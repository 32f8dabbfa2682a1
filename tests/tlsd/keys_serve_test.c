#include "tlsd/keys_counters.h"
#include "tlsd/keys_serve.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/log.h"

static struct loop *loop;
static struct keys_server server;
static EVP_PKEY *rsa, *p256, *p384;

static int
begin(void **state)
{
	(void)state;
	log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
	assert_int_equal(keys_crypto_init(), 0);
	rsa = EVP_RSA_gen(2048);
	p256 = EVP_EC_gen("P-256");
	p384 = EVP_EC_gen("P-384");
	loop = loop_new();
	return loop != NULL && rsa != NULL && p256 != NULL && p384 != NULL ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(p256);
	EVP_PKEY_free(p384);
	loop_free(&loop);
	return 0;
}

static int
fresh(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS_COUNTERS; i++)
		keys_counters[i].value = 0;
	return keys_serve_init(&server, loop);
}

static int
clear(void **state)
{
	(void)state;
	keys_serve_clear(&server);
	return 0;
}

/* ---- files ----------------------------------------------------------------------------------------- */

static int
text_file(const void *p, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, len), (ssize_t)len);
	return fd;
}

static int
key_file(EVP_PKEY *key, const char *passphrase)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const EVP_CIPHER *cipher = passphrase != NULL ? EVP_aes_128_cbc() : NULL;
	char *p;
	long len;
	int fd;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, passphrase,
			     passphrase != NULL ? (int)strlen(passphrase) : 0, NULL, NULL),
	    1);
	len = BIO_get_mem_data(bio, &p);
	fd = text_file(p, (size_t)len);
	BIO_free(bio);
	return fd;
}

static void
take(const char *name, EVP_PKEY *key)
{
	assert_null(keys_serve_file(&server, span_str(name), key_file(key, NULL)));
}

/* A good PKCS #1 key of the old form, and an EC key with its parameters before it. */
static void
other_pem_forms(void **state)
{
	char text[8192];
	BIO *bio = BIO_new(BIO_s_mem());
	int len;

	(void)state;
	PEM_write_bio_PrivateKey_traditional(bio, p256, NULL, NULL, 0, NULL, NULL);
	PEM_write_bio_PrivateKey_traditional(bio, rsa, NULL, NULL, 0, NULL, NULL);
	len = BIO_read(bio, text, sizeof(text));
	assert_true(len > 0);
	assert_null(keys_serve_file(&server, SPAN("a"), text_file(text, (size_t)len)));
	assert_int_equal(private_key_facts(server.ring.entries[0].key)->kind, KEY_EC);
	BIO_free(bio);
}

static void
refused(const char *what, int fd)
{
	const char *why = keys_serve_file(&server, SPAN("a"), fd);

	if (why == NULL)
		fail_msg("taken: %s", what);
	assert_int_equal(server.ring.count, 1);
	assert_int_equal(private_key_facts(server.ring.entries[0].key)->bits, 256);
}

static void
bad_files_change_nothing(void **state)
{
	static uint8_t big[KEYS_FILE_MAX + 1];
	EVP_PKEY *small = EVP_RSA_gen(1024), *odd = EVP_RSA_gen(2052), *large = EVP_RSA_gen(4104);
	EVP_PKEY *p521 = EVP_EC_gen("P-521"), *k1 = EVP_EC_gen("secp256k1");
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	(void)state;
	take("a", p256);
	refused("nothing", text_file("", 0));
	refused("text", text_file("no key\n", 7));
	refused("cut", text_file("-----BEGIN PRIVATE KEY-----\nMIGH\n", 33));
	refused("big", text_file(big, sizeof(big)));
	refused("RSA 1024", key_file(small, NULL));
	refused("RSA 2052", key_file(odd, NULL));
	refused("RSA 4104", key_file(large, NULL));
	refused("P-521", key_file(p521, NULL));
	refused("secp256k1", key_file(k1, NULL));
	refused("Ed25519", key_file(ed, NULL));
	refused("passphrase", key_file(p384, "secret"));
	refused("directory", open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	refused("device", open("/dev/zero", O_RDONLY | O_CLOEXEC));
	assert_int_equal(KEYS_COUNT(keys_refused), 13);
	EVP_PKEY_free(small);
	EVP_PKEY_free(odd);
	EVP_PKEY_free(large);
	EVP_PKEY_free(p521);
	EVP_PKEY_free(k1);
	EVP_PKEY_free(ed);
}

/* A private part under another key's public part. */
static void
a_key_that_is_not_whole(void **state)
{
	char a[4096], b[4096];
	uint8_t *da = NULL, *db = NULL;
	int la = i2d_PrivateKey(p256, &da), lb;
	EVP_PKEY *other = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());

	(void)state;
	lb = i2d_PrivateKey(other, &db);
	assert_int_equal(la, lb);
	/* ECPrivateKey: the private octets are the first, the public point the last. */
	memcpy(db + 7, da + 7, 32);
	PEM_write_bio(bio, "EC PRIVATE KEY", "", db, lb);
	la = BIO_read(bio, a, sizeof(a));
	assert_true(la > 0);
	memcpy(b, a, (size_t)la);
	assert_non_null(keys_serve_file(&server, SPAN("a"), text_file(b, (size_t)la)));
	assert_int_equal(server.ring.count, 0);
	BIO_free(bio);
	OPENSSL_free(da);
	OPENSSL_free(db);
	EVP_PKEY_free(other);
}

/* ---- the oracle ------------------------------------------------------------------------------------ */

static const uint8_t digest_info[51] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
    0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20, 7, 7, 7};

static size_t
sign(size_t entry, unsigned scheme, const void *p, size_t len, uint64_t now_ms)
{
	static uint8_t signature[KEY_SIGNATURE_MAX];
	struct msg_sign_ask ask = {.serial = 1, .scheme = (uint8_t)scheme, .data = span_of(p, len)};

	memcpy(ask.key, private_key_facts(server.ring.entries[entry].key)->id.octets, KEY_ID_LEN);
	return keys_serve_sign(&server, &ask, now_ms, signature);
}

static void
signatures_verify(void **state)
{
	uint8_t signature[KEY_SIGNATURE_MAX];
	struct msg_sign_ask ask = {.scheme = SIGN_ECDSA, .data = span_of(digest_info, 48)};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(p384, NULL);
	size_t len;

	(void)state;
	take("a", p384);
	memcpy(ask.key, private_key_facts(server.ring.entries[0].key)->id.octets, KEY_ID_LEN);
	len = keys_serve_sign(&server, &ask, loop_now(loop), signature);
	assert_true(len > 0);
	assert_int_equal(EVP_PKEY_verify_init(ctx), 1);
	assert_int_equal(EVP_PKEY_verify(ctx, signature, len, ask.data.p, ask.data.len), 1);
	EVP_PKEY_CTX_free(ctx);
	assert_int_equal(KEYS_COUNT(signatures), 1);
}

static void
row_139_other_requests_are_refused(void **state)
{
	static const uint8_t block[256] = {0, 1, 0xff, 0xff};
	uint64_t now_ms = loop_now(loop);
	struct msg_sign_ask ask = {.scheme = SIGN_ECDSA, .data = span_of(block, 32)};
	uint8_t signature[KEY_SIGNATURE_MAX];

	(void)state;
	take("rsa", rsa);
	take("ec", p256);
	assert_int_equal(sign(0, SIGN_RSA_PKCS1, digest_info, 51, now_ms), 256);
	assert_true(sign(1, SIGN_ECDSA, digest_info, 32, now_ms) > 0);

	assert_int_equal(sign(0, SIGN_RSA_PSS, block, 256, now_ms), 0);
	assert_int_equal(sign(0, SIGN_RSA_PSS, digest_info, 51, now_ms), 0);
	assert_int_equal(sign(0, SIGN_RSA_PKCS1, block, 256, now_ms), 0);
	assert_int_equal(sign(0, SIGN_RSA_PKCS1, digest_info, 1, now_ms), 0);
	assert_int_equal(sign(0, SIGN_ECDSA, block, 32, now_ms), 0);
	assert_int_equal(sign(1, SIGN_ECDSA, block, 1, now_ms), 0);
	assert_int_equal(sign(1, SIGN_RSA_PKCS1, digest_info, 51, now_ms), 0);
	assert_int_equal(sign(1, 3, block, 32, now_ms), 0);
	assert_int_equal(KEYS_COUNT(refused_shape), 8);
	assert_int_equal(keys_serve_sign(&server, &ask, now_ms, signature), 0);
	assert_int_equal(KEYS_COUNT(refused_key), 1);
	assert_int_equal(KEYS_COUNT(signatures), 2);
}

static void
row_139_a_million_signatures(void **state)
{
	uint64_t now_ms = loop_now(loop);
	unsigned made = 0;

	(void)state;
	take("ec", p256);
	for (int i = 0; i < KEYS_BURST + 500; i++)
		made += sign(0, SIGN_ECDSA, digest_info, 1, now_ms) == 0;
	assert_int_equal(KEYS_COUNT(refused_shape), KEYS_BURST);
	assert_int_equal(KEYS_COUNT(refused_rate), 500);
	/* half a second brings half of what a second does */
	for (int i = 0; i < KEYS_PER_SECOND; i++)
		sign(0, SIGN_ECDSA, digest_info, 1, now_ms + 500);
	assert_int_equal(KEYS_COUNT(refused_shape), KEYS_BURST + KEYS_PER_SECOND / 2);
	assert_int_equal(KEYS_COUNT(signatures), 0);
	assert_int_equal(made, KEYS_BURST + 500);
}

/* ---- keys come and go -------------------------------------------------------------------------------- */

static bool
has(EVP_PKEY *key, uint64_t now_ms)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct private_key *parsed;
	const char *why;
	char *p;
	long len;
	bool found;

	PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	len = BIO_get_mem_data(bio, &p);
	parsed = private_key_parse(span_of(p, (size_t)len), &why);
	assert_non_null(parsed);
	found = keyring_find(&server.ring, &private_key_facts(parsed)->id, now_ms) != NULL;
	private_key_free(&parsed);
	BIO_free(bio);
	return found;
}

/* A reload with a bad pair: nobody asks for the new key, and the old one is needed on. */
static void
a_replaced_key_stays_until_its_heir_works(void **state)
{
	uint64_t now_ms = loop_now(loop);

	(void)state;
	take("a", rsa);
	take("a", p256);
	keyring_sweep(&server.ring, now_ms + 1000 * KEYRING_RETIRE_MS);
	assert_int_equal(server.ring.count, 2);
	assert_true(has(p256, now_ms));
	assert_true(has(rsa, now_ms + 1000));
	keyring_sweep(&server.ring, now_ms + 1000 + KEYRING_RETIRE_MS - 1);
	assert_int_equal(server.ring.count, 2);
	keyring_sweep(&server.ring, now_ms + 1000 + KEYRING_RETIRE_MS);
	assert_int_equal(server.ring.count, 1);
	assert_true(has(p256, now_ms));
	assert_false(has(rsa, now_ms));
}

static void
the_same_key_again(void **state)
{
	(void)state;
	take("a", rsa);
	take("a", rsa);
	take("b", rsa);
	assert_int_equal(server.ring.count, 1);
	take("b", p256);
	take("b", rsa); /* out of retirement */
	assert_int_equal(server.ring.count, 2);
	assert_true(has(rsa, loop_now(loop)) && has(p256, loop_now(loop)));
}

static void
more_keys_than_fit(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < KEYRING_MOST; i++) {
		EVP_PKEY *key = EVP_EC_gen("P-256");

		snprintf(name, sizeof(name), "%d", i);
		take(name, key);
		EVP_PKEY_free(key);
	}
	assert_non_null(keys_serve_file(&server, SPAN("x"), key_file(p384, NULL)));
	take("7", p384); /* what is retired makes room, the rest does not */
	take("8", p256);
	assert_int_equal(server.ring.count, KEYRING_MOST);
	assert_true(has(p384, loop_now(loop)) && has(p256, loop_now(loop)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(other_pem_forms, fresh, clear),
	    cmocka_unit_test_setup_teardown(bad_files_change_nothing, fresh, clear),
	    cmocka_unit_test_setup_teardown(a_key_that_is_not_whole, fresh, clear),
	    cmocka_unit_test_setup_teardown(signatures_verify, fresh, clear),
	    cmocka_unit_test_setup_teardown(row_139_other_requests_are_refused, fresh, clear),
	    cmocka_unit_test_setup_teardown(row_139_a_million_signatures, fresh, clear),
	    cmocka_unit_test_setup_teardown(
		a_replaced_key_stays_until_its_heir_works, fresh, clear),
	    cmocka_unit_test_setup_teardown(the_same_key_again, fresh, clear),
	    cmocka_unit_test_setup_teardown(more_keys_than_fit, fresh, clear),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

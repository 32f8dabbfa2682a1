#include "tlsd/tls_engine.h"

/* The methods that a key can be given are deprecated in favour of a provider of one's own. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <tls.h>

#include "lib/bug.h"

#include "tlsd/public_key.h"

/* Exported by libtls, and missing in its header. */
void tls_config_use_fake_private_key(struct tls_config *);

/*
 * Forward secrecy and authenticated encryption only. ECDHE is also what keys in another
 * process need: nothing is ever decrypted with them. TLS 1.3 has its own suites.
 */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/*
 * What tls-keys signs: a client that wants SHA-1 or SHA-224 is told so, not failed half-way. Not
 * const only because libssl's macro casts it away.
 */
static char signatures[] =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";

struct certificate {
	EVP_PKEY *public;
	struct key_facts facts;
	int64_t expires; /* unix seconds */
};

struct tls_context {
	unsigned holds;
	struct tls *server;
	size_t count;
	struct certificate certificates[TLS_CERTIFICATES_MAX];
};

struct tls_stream {
	struct tls *tls;
	struct tls_context *context;
	int fd;
	bool asked;  /* a handshake has one signature */
	bool failed; /* that the signer did not make */
	bool ended;  /* FIN has been read */
};

/* libcrypto's methods are global to the process, so this is too. */
static struct {
	tls_sign_fn *sign;
	void *arg;
	struct tls_stream *handshaking; /* who runs tls_handshake() now */
	bool collecting;                /* libtls is making a server */
	size_t made_count;
	SSL_CTX *made[TLS_CERTIFICATES_MAX]; /* libssl's contexts that it made for it */
} engine;

/* ---- private keys that are elsewhere ------------------------------------------------------------- */

static size_t
sign(enum key_kind kind, struct span public, enum sign_scheme scheme, struct span data,
    uint8_t *signature_out)
{
	struct tls_stream *s = engine.handshaking;
	struct key_id id;
	size_t len;

	if (s == NULL || s->asked)
		return 0;
	key_id_compute(kind, public, &id);
	s->asked = true;
	len = engine.sign(engine.arg, &id, scheme, data, signature_out);
	s->failed = len == 0;
	return len;
}

/* libcrypto's RSA_METHOD: PKCS #1 comes as a DigestInfo, PSS as the encoded block. */
static int
rsa_sign(int len, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
	enum sign_scheme scheme = padding == RSA_PKCS1_PADDING ? SIGN_RSA_PKCS1 : SIGN_RSA_PSS;
	uint8_t modulus[KEY_PUBLIC_MAX], signature[KEY_SIGNATURE_MAX];
	const BIGNUM *n = RSA_get0_n(rsa);
	size_t signature_len;

	if ((padding != RSA_PKCS1_PADDING && padding != RSA_NO_PADDING) || len <= 0 ||
	    BN_num_bytes(n) > KEY_PUBLIC_MAX)
		return -1;
	signature_len = sign(KEY_RSA, span_of(modulus, (size_t)BN_bn2bin(n, modulus)), scheme,
	    span_of(from, (size_t)len), signature);
	if (signature_len != (size_t)RSA_size(rsa))
		return -1;
	memcpy(to, signature, signature_len);
	return (int)signature_len;
}

static size_t
ec_sign_into(const unsigned char *digest, int len, EC_KEY *key, uint8_t *signature_out)
{
	uint8_t point[KEY_PUBLIC_MAX];
	size_t point_len = EC_POINT_point2oct(EC_KEY_get0_group(key), EC_KEY_get0_public_key(key),
	    POINT_CONVERSION_UNCOMPRESSED, point, sizeof(point), NULL);

	if (point_len == 0 || len <= 0)
		return 0;
	return sign(KEY_EC, span_of(point, point_len), SIGN_ECDSA, span_of(digest, (size_t)len),
	    signature_out);
}

/* libcrypto's EC_KEY_METHOD, both forms of the answer. */
static int
ec_sign(int type, const unsigned char *digest, int len, unsigned char *to, unsigned *to_len,
    const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
	uint8_t signature[KEY_SIGNATURE_MAX];
	size_t signature_len = ec_sign_into(digest, len, key, signature);

	(void)type;
	(void)kinv;
	(void)r;
	if (signature_len == 0 || signature_len > (size_t)ECDSA_size(key))
		return 0;
	memcpy(to, signature, signature_len);
	*to_len = (unsigned)signature_len;
	return 1;
}

static ECDSA_SIG *
ec_sign_sig(const unsigned char *digest, int len, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
	uint8_t signature[KEY_SIGNATURE_MAX];
	const unsigned char *at = signature;
	size_t signature_len = ec_sign_into(digest, len, key, signature);

	(void)kinv;
	(void)r;
	return signature_len > 0 ? d2i_ECDSA_SIG(NULL, &at, (long)signature_len) : NULL;
}

static int
methods_set(void)
{
	RSA_METHOD *rsa = RSA_meth_dup(RSA_PKCS1_OpenSSL());
	EC_KEY_METHOD *ec = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	int (*setup)(EC_KEY *, BN_CTX *, BIGNUM **, BIGNUM **) = NULL;

	if (rsa == NULL || ec == NULL || RSA_meth_set_priv_enc(rsa, rsa_sign) != 1)
		return -1;
	EC_KEY_METHOD_get_sign(ec, NULL, &setup, NULL);
	EC_KEY_METHOD_set_sign(ec, ec_sign, setup, ec_sign_sig);
	RSA_set_default_method(rsa);
	EC_KEY_set_default_method(ec);
	return 0;
}

/* ---- what libtls has no setting for ---------------------------------------------------------------- */

/*
 * libtls keeps its SSL_CTX to itself, but libssl calls whoever has registered extra data for
 * each one that is made.
 */
static void
on_ssl_ctx_made(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	(void)ptr;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	if (engine.collecting && engine.made_count < TLS_CERTIFICATES_MAX)
		engine.made[engine.made_count++] = parent;
}

/*
 * Switching tickets off leaves TLS 1.3 with stateful ones, which are sent all the same, and some
 * clients fail on any ticket. Each handshake is a full one, so nothing is cached either. Buffers
 * are given back while a session is idle.
 */
static bool
ssl_ctx_tune(SSL_CTX *ctx)
{
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	return SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
	       SSL_CTX_set1_sigalgs_list(ctx, signatures) == 1;
}

int
tls_engine_init(tls_sign_fn *sign_fn, void *arg)
{
	uint8_t octets[TLS_PROOF_MAX];

	engine.sign = sign_fn;
	engine.arg = arg;
	/* timegm() and gmtime_r() look for the time zone's file the first time. */
	tzset();
	if (tls_init() != 0 || RAND_bytes(octets, sizeof(octets)) != 1 ||
	    SSL_CTX_get_ex_new_index(0, NULL, on_ssl_ctx_made, NULL, NULL) < 0)
		return -1;
	return methods_set();
}

/* ---- server contexts ----------------------------------------------------------------------------- */

static void
why_set(char *why_out, const char *text)
{
	snprintf(why_out, TLS_WHY_MAX, "%s", text != NULL ? text : "no memory");
}

static int64_t
expiry_of(const X509 *x)
{
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* Returns: NULL or why the certificate cannot be used. */
static const char *
certificate_read(struct certificate *c, struct span pem)
{
	static const char private[] = "PRIVATE KEY-----";
	BIO *bio;
	X509 *x;
	const char *why = NULL;

	if (memmem(pem.p, pem.len, private, sizeof(private) - 1) != NULL)
		return "a private key is in the certificate file; it belongs into tls.key alone";
	bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	x = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	if (x == NULL)
		why = "no certificate in PEM form";
	else if ((c->public = X509_get_pubkey(x)) == NULL)
		why = "the certificate's key cannot be read";
	else
		why = public_key_facts(c->public, &c->facts);
	if (why == NULL)
		c->expires = expiry_of(x);
	X509_free(x);
	BIO_free(bio);
	return why;
}

static struct tls_config *
config_new(const struct span *pems, size_t count, char *why_out)
{
	struct tls_config *config = tls_config_new();
	int rc = config != NULL ? 0 : -1;

	if (rc == 0) {
		tls_config_use_fake_private_key(config);
		rc = tls_config_set_protocols(config, TLS_PROTOCOL_TLSv1_2 | TLS_PROTOCOL_TLSv1_3);
	}
	if (rc == 0)
		rc = tls_config_set_ciphers(config, CIPHERS);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = (i == 0 ? tls_config_set_keypair_mem : tls_config_add_keypair_mem)(
		    config, pems[i].p, pems[i].len, NULL, 0);
	if (rc != 0) {
		why_set(why_out, config != NULL ? tls_config_error(config) : NULL);
		tls_config_free(config);
		config = NULL;
	}
	return config;
}

/* Returns: 0, or -1 when libtls refuses or made no context that we saw. */
static int
server_configure(struct tls *server, struct tls_config *config)
{
	int rc;

	engine.collecting = true;
	engine.made_count = 0;
	rc = tls_configure(server, config);
	engine.collecting = false;
	if (rc == 0 && engine.made_count == 0)
		rc = -1;
	for (size_t i = 0; i < engine.made_count && rc == 0; i++)
		rc = ssl_ctx_tune(engine.made[i]) ? 0 : -1;
	return rc;
}

/* Returns: whether libtls takes it; the server keeps the configuration by its own count. */
static bool
server_new(struct tls_context *context, const struct span *pems, char *why_out)
{
	struct tls_config *config = config_new(pems, context->count, why_out);
	bool good;

	if (config == NULL)
		return false;
	context->server = tls_server();
	good = context->server != NULL && server_configure(context->server, config) == 0;
	if (!good)
		why_set(why_out, context->server != NULL ? tls_error(context->server) : NULL);
	tls_config_free(config);
	return good;
}

struct tls_context *
tls_context_new(const struct span *pems, size_t count, char *why_out)
{
	struct tls_context *context = calloc(1, sizeof(*context));
	const char *why = NULL;
	bool good = context != NULL;

	BUG_ON(count == 0 || count > TLS_CERTIFICATES_MAX);
	if (context == NULL) {
		why_set(why_out, NULL);
		return NULL;
	}
	context->holds = 1;
	context->count = count;
	for (size_t i = 0; i < count && why == NULL; i++)
		why = certificate_read(&context->certificates[i], pems[i]);
	if (why != NULL) {
		why_set(why_out, why);
		good = false;
	}
	if (!good || !server_new(context, pems, why_out))
		tls_context_release(&context);
	ERR_clear_error();
	return context;
}

struct tls_context *
tls_context_hold(struct tls_context *context)
{
	context->holds++;
	return context;
}

void
tls_context_release(struct tls_context **context)
{
	struct tls_context *c = *context;

	*context = NULL;
	if (c == NULL || --c->holds > 0)
		return;
	tls_free(c->server);
	for (size_t i = 0; i < c->count; i++)
		EVP_PKEY_free(c->certificates[i].public);
	free(c);
}

size_t
tls_context_count(const struct tls_context *context)
{
	return context->count;
}

const struct key_facts *
tls_context_key(const struct tls_context *context, size_t index)
{
	return &context->certificates[index].facts;
}

int64_t
tls_context_expires(const struct tls_context *context, size_t index)
{
	return context->certificates[index].expires;
}

void
tls_context_expires_text(const struct tls_context *context, size_t index, char *text_out)
{
	time_t at = (time_t)context->certificates[index].expires;
	struct tm tm;

	text_out[0] = '\0';
	if (gmtime_r(&at, &tm) != NULL)
		strftime(text_out, TLS_EXPIRES_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* ---- does tls-keys have the key? ------------------------------------------------------------------ */

/* RFC 8017 9.2 note 1, SHA-256. */
static const uint8_t digest_info_head[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48,
    0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

enum { DIGEST = 32 };

size_t
tls_context_challenge(const struct tls_context *context, size_t index, uint8_t *data_out,
    enum sign_scheme *scheme_out)
{
	bool rsa = context->certificates[index].facts.kind == KEY_RSA;
	size_t head = rsa ? sizeof(digest_info_head) : 0;

	memcpy(data_out, digest_info_head, head);
	if (RAND_bytes(data_out + head, DIGEST) != 1)
		return 0;
	*scheme_out = rsa ? SIGN_RSA_PKCS1 : SIGN_ECDSA;
	return head + DIGEST;
}

bool
tls_context_verify(
    const struct tls_context *context, size_t index, struct span data, struct span signature)
{
	const struct certificate *c = &context->certificates[index];
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(c->public, NULL);
	bool good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1;

	if (good && c->facts.kind == KEY_RSA)
		good = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	good = good && EVP_PKEY_verify(ctx, signature.p, signature.len, data.p, data.len) == 1;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

/* ---- sessions -------------------------------------------------------------------------------------- */

static ssize_t
on_read(struct tls *tls, void *room, size_t cap, void *arg)
{
	struct tls_stream *s = arg;
	ssize_t n;

	(void)tls;
	do
		n = recv(s->fd, room, cap, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	s->ended = n == 0;
	if (n < 0 && errno == EAGAIN)
		return TLS_WANT_POLLIN;
	return n;
}

static ssize_t
on_write(struct tls *tls, const void *p, size_t len, void *arg)
{
	struct tls_stream *s = arg;
	ssize_t n;

	(void)tls;
	do
		n = send(s->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return TLS_WANT_POLLOUT;
	return n;
}

struct tls_stream *
tls_stream_new(struct tls_context *context, int fd)
{
	struct tls_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->fd = fd;
	if (tls_accept_cbs(context->server, &s->tls, on_read, on_write, s) != 0) {
		free(s);
		return NULL;
	}
	s->context = tls_context_hold(context);
	return s;
}

void
tls_stream_free(struct tls_stream **stream)
{
	struct tls_stream *s = *stream;

	*stream = NULL;
	if (s == NULL)
		return;
	tls_free(s->tls);
	tls_context_release(&s->context);
	free(s);
	ERR_clear_error();
}

/* libtls' answers are ours, by value. */
_Static_assert((int)TLS_WANT_READ == TLS_WANT_POLLIN, "libtls");
_Static_assert((int)TLS_WANT_WRITE == TLS_WANT_POLLOUT, "libtls");

int
tls_stream_handshake(struct tls_stream *s)
{
	int rc;

	BUG_ON(engine.handshaking != NULL);
	engine.handshaking = s;
	rc = tls_handshake(s->tls);
	engine.handshaking = NULL;
	return rc;
}

ssize_t
tls_stream_read(struct tls_stream *s, void *room, size_t cap)
{
	ssize_t n = tls_read(s->tls, room, cap);

	/* A FIN without close_notify is an error to libssl. */
	return n == TLS_BROKEN && s->ended ? TLS_END : n;
}

ssize_t
tls_stream_write(struct tls_stream *s, const void *p, size_t len)
{
	return tls_write(s->tls, p, len);
}

int
tls_stream_close(struct tls_stream *s)
{
	return tls_close(s->tls) == TLS_WANT_POLLOUT ? TLS_WANT_WRITE : 0;
}

const char *
tls_stream_version(struct tls_stream *s)
{
	return tls_conn_version(s->tls);
}

const char *
tls_stream_cipher(struct tls_stream *s)
{
	return tls_conn_cipher(s->tls);
}

const char *
tls_stream_server_name(struct tls_stream *s)
{
	return tls_conn_servername(s->tls);
}

/* "handshake failed: error:0A000102:SSL routines::unsupported protocol": the end says it. */
const char *
tls_stream_error(struct tls_stream *s)
{
	const char *text = tls_error(s->tls), *last = NULL;

	if (text == NULL)
		return "unknown";
	last = strrchr(text, ':');
	if (last != NULL && last[1] == ' ')
		last++;
	return last != NULL && last[1] != '\0' ? last + 1 : text;
}

bool
tls_stream_unsigned(const struct tls_stream *s)
{
	return s->failed;
}

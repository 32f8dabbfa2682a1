#include "validators/dkim_engine.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>
#include <opendkim/dkim.h>

/* The plain RSA functions are not slow and not going away, but are called deprecated. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum { KEY_BITS_MIN = 1024, GUARD_OCTETS = 16 };

struct dkim_engine {
	DKIM_LIB *lib;
};

struct dkim_session {
	DKIM *dkim;
	dkim_key_fn *key;
	void *arg;
	DKIM_SIGINFO **signatures;
	int count;
};

/* ---- the library ------------------------------------------------------------------------------- */

/*
 * libopendkim calls this one for RSA keys, and a function of the program goes before that of a
 * library. OpenSSL's own reads keys of any type: it builds a chain of all decoders that there
 * are, each time, which costs eight times what the verification does. Ed25519 keys come another way.
 */
EVP_PKEY *
d2i_PUBKEY_bio(BIO *in, EVP_PKEY **key_out)
{
	RSA *rsa = d2i_RSA_PUBKEY_bio(in, NULL);
	EVP_PKEY *key = rsa != NULL ? EVP_PKEY_new() : NULL;

	if (key == NULL || EVP_PKEY_assign_RSA(key, rsa) != 1) {
		RSA_free(rsa);
		EVP_PKEY_free(key);
		return NULL;
	}
	if (key_out != NULL)
		*key_out = key;
	return key;
}

static DKIM_CBSTAT
on_key(DKIM *dkim, DKIM_SIGINFO *signature, u_char *text, size_t cap)
{
	struct dkim_session *s = dkim_get_user_context(dkim);
	uint8_t key[DKIM_KEY_MAX];
	long len = -1;

	for (int i = 0; i < s->count; i++)
		if (s->signatures[i] == signature)
			len = s->key(s->arg, (size_t)i, key);
	if (len < 0 || (size_t)len >= cap)
		return DKIM_CBSTAT_NOTFOUND;
	memcpy(text, key, (size_t)len);
	text[len] = '\0';
	return DKIM_CBSTAT_CONTINUE;
}

/* Keys are fetched at the end only, when it is known which signatures there are. */
static bool
set_options(DKIM_LIB *lib)
{
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC;
	unsigned bits = KEY_BITS_MIN;

	return dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags)) ==
	           DKIM_STAT_OK &&
	       dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits, sizeof(bits)) ==
	           DKIM_STAT_OK &&
	       dkim_set_key_lookup(lib, on_key) == DKIM_STAT_OK;
}

struct dkim_engine *
dkim_engine_new(void)
{
	struct dkim_engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	/* What the host's openssl.cnf would load is not for a cage. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	e->lib = dkim_init(NULL, NULL);
	if (e->lib == NULL || !set_options(e->lib))
		dkim_engine_free(&e);
	return e;
}

void
dkim_engine_free(struct dkim_engine **engine)
{
	struct dkim_engine *e = *engine;

	*engine = NULL;
	if (e == NULL)
		return;
	if (e->lib != NULL)
		dkim_close(e->lib);
	free(e);
}

/* ---- one message ------------------------------------------------------------------------------- */

/*
 * The library keeps one place too few when h= names every field there is and one more. A field
 * that no h= can name, because nobody can guess it, makes sure that never all are named.
 */
static bool
put_guard(struct dkim_session *s)
{
	uint8_t random[GUARD_OCTETS], room[64];
	struct buf b = BUF_OVER(room);

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return false;
	buf_put_str(&b, "X-");
	for (size_t i = 0; i < sizeof(random); i++)
		buf_printf(&b, "%02x", random[i]);
	buf_put_str(&b, ": guard");
	return dkim_session_field(s, buf_span(&b));
}

struct dkim_session *
dkim_session_new(struct dkim_engine *engine, dkim_key_fn *key, void *arg)
{
	struct dkim_session *s = calloc(1, sizeof(*s));
	DKIM_STAT status;

	if (s == NULL)
		return NULL;
	s->key = key;
	s->arg = arg;
	/* The name is only for its log, which we do not use. */
	s->dkim = dkim_verify(engine->lib, (const unsigned char *)"message", NULL, &status);
	if (s->dkim == NULL || dkim_set_user_context(s->dkim, s) != DKIM_STAT_OK || !put_guard(s))
		dkim_session_free(&s);
	return s;
}

void
dkim_session_free(struct dkim_session **session)
{
	struct dkim_session *s = *session;

	*session = NULL;
	if (s == NULL)
		return;
	if (s->dkim != NULL)
		dkim_free(s->dkim);
	free(s);
}

/* UNSAFE: the library's prototypes lack const where it only reads. */
static u_char *
unconst(struct span s)
{
	return (u_char *)(uintptr_t)s.p;
}

bool
dkim_session_field(struct dkim_session *s, struct span field)
{
	return dkim_header(s->dkim, unconst(field), field.len) == DKIM_STAT_OK;
}

bool
dkim_session_header_end(struct dkim_session *s, size_t count)
{
	return dkim_eoh(s->dkim) == DKIM_STAT_OK &&
	       dkim_getsiglist(s->dkim, &s->signatures, &s->count) == DKIM_STAT_OK &&
	       s->count >= 0 && (size_t)s->count == count;
}

bool
dkim_session_body(struct dkim_session *s, struct span part)
{
	return dkim_body(s->dkim, unconst(part), part.len) == DKIM_STAT_OK;
}

bool
dkim_session_end(struct dkim_session *s)
{
	bool test_key = false;
	DKIM_STAT status = dkim_eom(s->dkim, &test_key);

	/* Anything else is about the signatures, and said there for each. */
	return status != DKIM_STAT_NORESOURCE && status != DKIM_STAT_INTERNAL &&
	       status != DKIM_STAT_INVALID;
}

/* ---- results --------------------------------------------------------------------------------- */

static const struct {
	int error;
	enum auth_result result;
	const char *reason;
} errors[] = {
    {DKIM_SIGERROR_BADSIG, AUTH_FAIL, "signature does not fit"},
    {DKIM_SIGERROR_EXPIRED, AUTH_FAIL, "expired"},
    {DKIM_SIGERROR_FUTURE, AUTH_PERMERROR, "made in the future"},
    {DKIM_SIGERROR_DOMAIN, AUTH_PERMERROR, "identity outside the domain"},
    {DKIM_SIGERROR_SUBDOMAIN, AUTH_PERMERROR, "key not for subdomains"},
    {DKIM_SIGERROR_NOKEY, AUTH_PERMERROR, "no key"},
    {DKIM_SIGERROR_KEYREVOKED, AUTH_PERMERROR, "key revoked"},
    {DKIM_SIGERROR_KEYTOOSMALL, AUTH_PERMERROR, "key too short"},
    {DKIM_SIGERROR_KEYDECODE, AUTH_PERMERROR, "key not understood"},
    {DKIM_SIGERROR_KEYTYPEUNKNOWN, AUTH_PERMERROR, "key of unknown type"},
    {DKIM_SIGERROR_KEYHASHMISMATCH, AUTH_PERMERROR, "key not for this hash"},
    {DKIM_SIGERROR_NOTEMAILKEY, AUTH_PERMERROR, "key not for mail"},
};

static enum auth_result
error_result(int error, const char **reason_out)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].error != error)
			continue;
		*reason_out = errors[i].reason;
		return errors[i].result;
	}
	*reason_out = "malformed";
	return AUTH_PERMERROR;
}

/*
 * PASSED alone is also set when the body was changed, when the key forbids it, when l= is too
 * large; and a body hash counts as matched until it was looked at.
 */
enum auth_result
dkim_session_result(struct dkim_session *s, size_t index, const char **reason_out)
{
	DKIM_SIGINFO *signature = s->signatures[index];
	unsigned flags = dkim_sig_getflags(signature);
	int error = dkim_sig_geterror(signature), body = dkim_sig_getbh(signature);
	dkim_alg_t algorithm = DKIM_SIGN_UNKNOWN;

	*reason_out = "";
	if (dkim_sig_getsignalg(signature, &algorithm) != DKIM_STAT_OK ||
	    (algorithm != DKIM_SIGN_RSASHA256 && algorithm != DKIM_SIGN_ED25519SHA256))
		return error_result(DKIM_SIGERROR_INVALID_A, reason_out);
	if ((flags & DKIM_SIGFLAG_PASSED) != 0 && body == DKIM_SIGBH_MATCH &&
	    error == DKIM_SIGERROR_OK)
		return AUTH_PASS;
	if (body == DKIM_SIGBH_MISMATCH &&
	    (error == DKIM_SIGERROR_OK || error == DKIM_SIGERROR_BADSIG)) {
		*reason_out = "body was changed";
		return AUTH_FAIL;
	}
	if (error != DKIM_SIGERROR_OK && error != DKIM_SIGERROR_UNKNOWN)
		return error_result(error, reason_out);
	return error_result(DKIM_SIGERROR_BADSIG, reason_out);
}

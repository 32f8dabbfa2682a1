/*
 * libtls, for tlsd only: server contexts, the TLS side of a session, and the hooks through
 * which the private keys stay in another process.
 */
#ifndef TLSD_TLS_ENGINE_H
#define TLSD_TLS_ENGINE_H

#include <sys/types.h>

#include "lib/catalogue.h"
#include "tlsd/key_id.h"

/*
 * Makes a signature; runs inside tls_stream_handshake().
 * Out: signature_out, KEY_SIGNATURE_MAX octets. Returns: its length, 0 on failure.
 */
typedef size_t tls_sign_fn(void *arg, const struct key_id *key, enum sign_scheme scheme,
    struct span data, uint8_t *signature_out);

/*
 * Once in a process, before confinement: sets libcrypto and libtls up and puts our signer in
 * the place of the private keys. Returns: 0 or -1.
 */
int tls_engine_init(tls_sign_fn *sign, void *arg);

/* ---- server contexts ---- */

/*
 * Certificates in service. Counted: whoever began a session under it holds it until that ends,
 * since libtls looks at the context during the handshake; a reload only drops its own hold.
 */
struct tls_context;

enum { TLS_WHY_MAX = 200, TLS_EXPIRES_MAX = 32, TLS_CERTIFICATES_MAX = 16 };

/*
 * In: pems, 1 to TLS_CERTIFICATES_MAX, each a certificate and its chain; the first one is for clients
 * that ask for no name or for one that no certificate has.
 * Returns: a context with one hold, the caller's; or NULL and a text in why_out (TLS_WHY_MAX).
 */
struct tls_context *tls_context_new(const struct span *pems, size_t count, char *why_out);
struct tls_context *tls_context_hold(struct tls_context *context);
void tls_context_release(struct tls_context **context);

size_t tls_context_count(const struct tls_context *context);

/* The public half of a certificate's key. Borrowed. */
const struct key_facts *tls_context_key(const struct tls_context *context, size_t index);

/* The end of a certificate's life in unix seconds, and as text (TLS_EXPIRES_MAX). */
int64_t tls_context_expires(const struct tls_context *context, size_t index);
void tls_context_expires_text(const struct tls_context *context, size_t index, char *text_out);

enum { TLS_PROOF_MAX = 64 };

/*
 * What tls-keys has to sign to show that it has the private half: a fresh random digest.
 * Out: data_out (TLS_PROOF_MAX), *scheme_out. Returns: the length of the data.
 */
size_t tls_context_challenge(const struct tls_context *context, size_t index, uint8_t *data_out,
    enum sign_scheme *scheme_out);

/* Whether that is the signature of this certificate's key over these data. */
bool tls_context_verify(
    const struct tls_context *context, size_t index, struct span data, struct span signature);

/* ---- sessions ---- */

struct tls_stream;

enum { TLS_END = 0, TLS_WANT_READ = -2, TLS_WANT_WRITE = -3, TLS_BROKEN = -1 };

/*
 * The server's side of a session on a client's socket, of which the caller keeps the
 * descriptor. The socket need not be non-blocking: whoever holds another descriptor of it
 * could change that at any time, so each call says it itself.
 * Returns: NULL when memory is out.
 */
struct tls_stream *tls_stream_new(struct tls_context *context, int fd);
void tls_stream_free(struct tls_stream **stream);

/* Returns: 0 done, TLS_WANT_READ, TLS_WANT_WRITE, TLS_BROKEN. */
int tls_stream_handshake(struct tls_stream *stream);

/*
 * In: room for a whole record (TLS_RECORD_MAX) or more, so that nothing stays behind inside.
 * Returns: octets; TLS_END: the client has ended, with close_notify or without; or as above.
 */
enum { TLS_RECORD_MAX = 16384 };
ssize_t tls_stream_read(struct tls_stream *stream, void *room, size_t cap);

/* Returns: octets taken, perhaps fewer; or as above. After a WANT the same octets come again. */
ssize_t tls_stream_write(struct tls_stream *stream, const void *p, size_t len);

/* Says close_notify. Returns: 0 done or in vain, TLS_WANT_WRITE: once more later. */
int tls_stream_close(struct tls_stream *stream);

/* After the handshake, borrowed from the stream; NULL: none. As the client sent them: check. */
const char *tls_stream_version(struct tls_stream *stream);
const char *tls_stream_cipher(struct tls_stream *stream);
const char *tls_stream_server_name(struct tls_stream *stream);

/* Why TLS_BROKEN; borrowed until the next call. */
const char *tls_stream_error(struct tls_stream *stream);

/* Whether the signer was asked and failed: the handshake broke because of us. */
bool tls_stream_unsigned(const struct tls_stream *stream);

#endif

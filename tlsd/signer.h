/*
 * The link to tls-keys: one question, one answer.
 *
 * A handshake's signature is waited for, inside libtls; that takes a fraction of a millisecond. A
 * tls-keys that does not answer must not stop all sessions again and again: after a time-out the
 * signer refuses by itself until a late answer comes or SIGNER_REST_MS have passed, and one that was
 * just started is not waited for before it has answered a proof.
 */
#ifndef TLSD_SIGNER_H
#define TLSD_SIGNER_H

#include "lib/link.h"
#include "lib/loop.h"
#include "tlsd/key_id.h"

enum {
	SIGNER_TIMEOUT_MS = 1000,
	SIGNER_REST_MS = 10000,
};

struct signer {
	struct loop *loop;
	struct link *link; /* NULL: none */
	uint32_t serial;   /* of the last question */
	uint32_t wanted;   /* whose answer signer_sign() waits for; 0: none */
	size_t answer_len;
	bool answered;
	uint8_t answer[KEY_SIGNATURE_MAX];
	uint64_t rest_until_ms;
	bool works;     /* it has answered on this link */
	uint32_t proof; /* whose answer goes to on_proof; 0: none */
	void (*on_proof)(void *arg, struct span signature); /* empty: refused */
	void (*on_link)(void *arg);                         /* a new link is there */
	void *arg;
};

void signer_init(struct signer *s, struct loop *loop);
void signer_clear(struct signer *s);

/* Owns: fd, the link to tls-keys; it replaces an older one. Returns: 0 or -1. */
int signer_peer(struct signer *s, int fd);

/*
 * A tls_sign_fn: asks and waits.
 * In: arg, the struct signer. Returns: octets in signature_out, 0: refused, no link, no answer.
 */
size_t signer_sign(void *arg, const struct key_id *key, enum sign_scheme scheme, struct span data,
    uint8_t *signature_out);

/* Asks without waiting; the answer goes to on_proof, unless the link is lost or another proof is asked first. Returns: whether it was asked. */
bool signer_prove(
    struct signer *s, const struct key_id *key, enum sign_scheme scheme, struct span data);

#endif

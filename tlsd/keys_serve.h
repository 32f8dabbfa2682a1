/*
 * The service of tls-keys: a private key file comes in, sign_ask is answered. Owns the keys and
 * the link to tlsd.
 */
#ifndef TLSD_KEYS_SERVE_H
#define TLSD_KEYS_SERVE_H

#include "lib/link.h"
#include "lib/loop.h"
#include "tlsd/keyring.h"
#include "lib/bucket.h"

enum {
	/* Far over what the handshakes of one machine need, and little enough for an oracle. */
	KEYS_PER_SECOND = 2000,
	KEYS_BURST = 4000,
	KEYS_FILE_MAX = 32 * 1024,
	KEYS_SWEEP_MS = 60 * 1000,
};

struct keys_server {
	struct loop *loop;
	struct link *tlsd;          /* NULL: none */
	void (*on_idle)(void *arg); /* the link to tlsd is gone; may be NULL */
	void *arg;
	struct keyring ring;
	struct bucket bucket;
	struct timer sweep;
	uint64_t complained_ms; /* the last line about a refusal: one in a second at most */
};

/* In: the loop, which must outlive it. Returns: 0 or -1 (memory). */
int keys_serve_init(struct keys_server *server, struct loop *loop);
void keys_serve_clear(struct keys_server *server);

/* Owns: fd, the link to tlsd; it replaces an older one. Returns: 0 or -1. */
int keys_serve_peer(struct keys_server *server, int fd);

/*
 * Takes a key file into service, in addition to or in place of the key that had its name; a bad
 * one changes nothing. Writes the line to the log.
 * In: fd, closed before the function returns.
 * Returns: NULL, or why not as a static text.
 */
const char *keys_serve_file(struct keys_server *server, struct span name, int fd);

/*
 * Answers one request; for the handler and for tests.
 * In: ask, as decoded; now_ms. Out: signature_out, KEY_SIGNATURE_MAX octets.
 * Returns: the length of the signature; 0: refused, and counted.
 */
size_t keys_serve_sign(struct keys_server *server, const struct msg_sign_ask *ask, uint64_t now_ms,
    uint8_t *signature_out);

#endif

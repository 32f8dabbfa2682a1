/*
 * The certificate in service, and the one that wants to be.
 *
 * A file is a candidate until tls-keys has shown, by a signature over a random digest, that it
 * has the key. tls-keys may get its file later than we get ours, so a refusal is final only
 * after CERTIFICATE_TRIES; when nothing is in service, not even then. A tls-keys that was
 * started again is asked for the keys of what is in service.
 */
#ifndef TLSD_CERTIFICATE_H
#define TLSD_CERTIFICATE_H

#include "lib/loop.h"
#include "tlsd/signer.h"
#include "tlsd/tls_engine.h"

enum {
	CERTIFICATE_FILE_MAX = 64 * 1024,
	CERTIFICATE_NAME_MAX = 4096,
	CERTIFICATE_RETRY_MS = 400,
	CERTIFICATE_TRIES = 5,
	CERTIFICATE_WAIT_MS = 5000, /* between tries when nothing is in service */
};

struct certificate_store {
	struct loop *loop;
	struct signer *signer;
	struct tls_context *current;         /* NULL: no handshake can be done */
	struct tls_context *candidate;       /* NULL: none */
	char name[CERTIFICATE_NAME_MAX + 1]; /* of the file that came last */
	size_t
	    proven; /* certificates whose key has been shown, of the candidate or else of the current one */
	bool missing;    /* the current one's key was not with tls-keys when it was asked last */
	unsigned tries;  /* refusals so far */
	size_t data_len; /* what was given to be signed */
	uint8_t data[TLS_PROOF_MAX];
	struct timer retry;
	/* Called when it is decided whether a file is taken; again when a late key turns a no into a yes. */
	void (*verdict)(void *arg, bool taken, const char *detail);
	void *arg;
};

/* Takes the signer's on_proof and on_link. */
void certificate_init(struct certificate_store *store, struct loop *loop, struct signer *signer);
void certificate_clear(struct certificate_store *store);

/* In: fd, closed before the function returns; name, for the log. The verdict may come later. */
void certificate_file(struct certificate_store *store, struct span name, int fd);

#endif

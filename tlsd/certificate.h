/*
 * The certificates in service, and those that want to be.
 *
 * They come as a set of files, one message each; the first one is for clients that ask for no name
 * that another has. The whole set is a candidate until tls-keys has shown, by a signature over a
 * random digest for each, that it has their keys. tls-keys may get its files later than we get
 * ours, so a refusal is final only after CERTIFICATE_TRIES. One that is refused for good is left
 * out, and the others go into service: a reload is called off by the supervisor, which hears of
 * each refusal, and at the start of the gateway some names are better than none. When nothing is
 * left, its last one is tried again for ever. A tls-keys that was started again is asked for
 * the keys of what is in service.
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

/* One file of a set. */
struct certificate_source {
	char *name;   /* NUL-terminated, for the log; owned */
	uint8_t *pem; /* owned; NULL once the set is in service */
	size_t len;
};

/* The files of a context, in its order. */
struct certificate_set {
	struct certificate_source source[TLS_CERTIFICATES_MAX];
	size_t count;
	struct tls_context *context; /* NULL: none made of them yet */
};

struct certificate_store {
	struct loop *loop;
	struct signer *signer;
	struct certificate_set current;   /* without a context no handshake can be done */
	struct certificate_set candidate; /* count 0: none */
	size_t awaited;                   /* files of the candidate that are still to come */
	/* Certificates whose key has been shown, of the candidate or else of the current set. */
	size_t proven;
	bool missing;    /* a key of the current set was not with tls-keys when it was asked last */
	unsigned tries;  /* refusals of the one that is to be proven */
	size_t data_len; /* what was given to be signed */
	uint8_t data[TLS_PROOF_MAX];
	struct timer retry;
	/* Called once for each file, when it is decided whether it is taken; again when a late key turns a no into a yes. */
	void (*verdict)(void *arg, bool taken, const char *detail);
	void *arg;
};

/* Takes the signer's on_proof and on_link. */
void certificate_init(struct certificate_store *store, struct loop *loop, struct signer *signer);
void certificate_clear(struct certificate_store *store);

/*
 * A file of a set; the first of a set replaces a candidate that is under way.
 * In: fd, closed before the function returns. The verdict may come later.
 */
void certificate_file(struct certificate_store *store, const struct msg_file *file, int fd);

#endif

/*
 * The resolving library (libunbound, driven by our event loop): asks, caches, validates.
 *
 * It has no deadline that suits us (a dead server takes it 19 seconds) and gives a forged answer
 * with its data: both are the caller's to handle, by recursor_cancel and by DNS_BOGUS.
 */
#ifndef RESOLVERD_RECURSOR_H
#define RESOLVERD_RECURSOR_H

#include "lib/catalogue.h"
#include "lib/conf.h"
#include "lib/loop.h"

struct recursor;

/* One question; memory of the caller until it is answered or cancelled. */
struct recursor_question {
	/* In: packet, borrowed, empty when there is none; it is there when it is DNS_BOGUS, too. */
	void (*done)(void *arg, struct span packet, enum dns_security security);
	void *arg;
	int id;
	bool answered;
};

/*
 * In: conf->servers, "address:port" of recursive servers; none: resolve from the root.
 * Out: *validating_out, whether DNSSEC is on.
 * Returns: NULL, after a log line, when the library refuses. Reads files: before confinement.
 */
struct recursor *recursor_new(struct loop *loop, const struct conf_dns *conf, bool *validating_out);
void recursor_free(struct recursor **r);

/*
 * Asks. q->done is called once unless the question is cancelled; for what the library knows, before
 * this returns.
 * In: name, in presentation form (RFC 1035 5.1).
 * Returns: false when it cannot be asked; q->done is not called then.
 */
bool recursor_ask(struct recursor *r, const char *name, uint16_t type, struct recursor_question *q);

/* q->done will not be called. */
void recursor_cancel(struct recursor *r, struct recursor_question *q);

#endif

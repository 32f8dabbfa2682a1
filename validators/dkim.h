/*
 * DKIM (RFC 6376): the results of the signatures of one message.
 *
 * libopendkim verifies, but sees only what cannot hurt it (dkim_feed): the packaged library can be
 * made to write beyond its memory by an h= that names every field, and to read beyond it by
 * a crafted i=.
 */
#ifndef VALIDATORS_DKIM_H
#define VALIDATORS_DKIM_H

#include "validators/dns.h"

enum {
	DKIM_SIGNATURES_MAX = 5,
	DKIM_CLOCK_SKEW = 300, /* seconds */
};

/* The content, in LF form. */
struct dkim_content {
	/* Returns: octets read into p at `offset`, 0 at the end, -1 on failure. */
	long (*read)(void *arg, uint64_t offset, void *p, size_t len);
	void *arg;
};

struct dkim_signature {
	enum auth_result result;
	uint8_t domain_len, selector_len;
	uint8_t domain[DNS_NAME_MAX], selector[DNS_NAME_MAX]; /* LDH and "_" */
	const char *reason;                                   /* static text for the log */
};

struct dkim_answer {
	size_t count;
	struct dkim_signature signatures[DKIM_SIGNATURES_MAX];
};

struct dkim; /* the library, warm */

/* Loads the library and verifies once, so that nothing is loaded later. Returns: NULL on failure. */
struct dkim *dkim_new(void);
void dkim_close_free(struct dkim **dkim);

/*
 * In: now, unix seconds.
 * Returns: false when our own trouble (memory, reading) left no result.
 */
bool dkim_check(struct dkim *dkim, const struct dkim_content *content, const struct resolver *resolver,
    uint64_t now, struct dkim_answer *answer_out);

#endif

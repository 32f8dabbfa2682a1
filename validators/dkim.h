/*
 * DKIM (RFC 6376): the results of the signatures of one message.
 *
 * libopendkim verifies, but sees only what cannot hurt it: the packaged library can be made to
 * write beyond its memory by an h= that names every field, and to read beyond it by a crafted i=
 * or a NUL. So signature fields are read strictly first (dkim_signature), those that are
 * malformed, too many or weak never reach it, and a field with an unguessable name goes before all
 * others (dkim_engine).
 */
#ifndef VALIDATORS_DKIM_H
#define VALIDATORS_DKIM_H

#include "validators/dns.h"

enum {
	DKIM_READ_MAX = 64,           /* signatures that are read */
	DKIM_REPORTED_MAX = 8,        /* of those, that have a result */
	DKIM_VERIFIED_MAX = 5,        /* of those, that are verified */
	DKIM_TAG_MAX = 8,             /* octets of b= that tell signatures apart (RFC 6008) */
	DKIM_CLOCK_SKEW = 300,        /* seconds */
	DKIM_HEADER_MAX = 256 * 1024, /* octets of the header block */
	DKIM_FIELDS_MAX = 2000,
	DKIM_SIGNATURE_MAX = 16 * 1024, /* octets of one signature field */
	DKIM_SIGNED_MAX = 100,          /* names in h= */
};

/* The content, in LF form. */
struct dkim_content {
	/* Returns: octets read into p at `offset`, 0 at the end, -1 on failure. */
	long (*read)(void *arg, uint64_t offset, void *p, size_t len);
	void *arg;
};

struct dkim_result {
	enum auth_result result;
	uint8_t domain_len, selector_len;
	uint8_t domain[DNS_NAME_MAX], selector[DNS_NAME_MAX]; /* LDH and "_", lower case */
	enum dkim_algorithm algorithm;
	uint8_t tag_len;
	uint8_t tag[DKIM_TAG_MAX]; /* begin of b= */
	const char *reason;        /* static text for the log */
};

struct dkim_answer {
	size_t count;
	struct dkim_result results[DKIM_REPORTED_MAX];
};

struct dkim; /* the library, warm */

/* Loads the library and verifies once, so that nothing is loaded later. Returns: NULL on failure. */
struct dkim *dkim_new(void);
void dkim_destroy(struct dkim **dkim);

struct dkim_fields;

/*
 * Reads the header of a message; the first step.
 * Out: *fields_out, borrowed until the next message; NULL when the header is malformed.
 * Returns: false when our own trouble left no result.
 */
bool dkim_read_header(
    struct dkim *dkim, const struct dkim_content *content, const struct dkim_fields **fields_out);

/* Which signatures are verified first, when there are too many: whose domain may be the author's. */
typedef bool dkim_prefer_fn(void *arg, struct span domain);

/*
 * Judges the signatures whose d= and s= can be read, after dkim_read_header.
 * In: now, unix seconds; prefer, NULL when all are equal.
 * Returns: false when our own trouble (memory, reading) left no result.
 */
bool dkim_verify_signatures(struct dkim *dkim, const struct dkim_content *content,
    const struct resolver *resolver, uint64_t now, dkim_prefer_fn *prefer, void *arg,
    struct dkim_answer *answer_out);

/* Both steps. */
bool dkim_check(struct dkim *dkim, const struct dkim_content *content,
    const struct resolver *resolver, uint64_t now, struct dkim_answer *answer_out);

#endif

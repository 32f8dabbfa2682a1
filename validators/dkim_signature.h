/* One DKIM-Signature field, read strictly (RFC 6376 3.2, 3.5), before any library sees it. */
#ifndef VALIDATORS_DKIM_SIGNATURE_H
#define VALIDATORS_DKIM_SIGNATURE_H

#include "validators/dkim.h"

/*
 * Fields that a reader shows, or that change how the message is shown: of these no instance may
 * be added above the signed ones.
 */
enum dkim_watched {
	DKIM_WATCH_FROM,
	DKIM_WATCH_TO,
	DKIM_WATCH_CC,
	DKIM_WATCH_SUBJECT,
	DKIM_WATCH_DATE,
	DKIM_WATCH_REPLY_TO,
	DKIM_WATCH_CONTENT_TYPE,
	DKIM_WATCHED,
};

struct dkim_signature {
	uint8_t domain_len, selector_len;
	uint8_t domain[DNS_NAME_MAX], selector[DNS_NAME_MAX]; /* lower case */
	enum dkim_algorithm algorithm;
	uint8_t tag_len;
	uint8_t tag[DKIM_TAG_MAX];           /* begin of b=, base64 */
	unsigned signed_count[DKIM_WATCHED]; /* how often h= names each */
	/* What is decided without verifying; AUTH_UNCHECKED: verify it. */
	enum auth_result decided;
	const char *reason;
};

/* Returns: which watched field a name is, or DKIM_WATCHED. */
enum dkim_watched dkim_watched_by_name(struct span name);

/*
 * In: value, what follows the colon, folded with LF or CRLF; now, unix seconds.
 * Returns: false when not even d= and s= can be read; nothing can be said about it then.
 */
bool dkim_signature_read(struct span value, uint64_t now, struct dkim_signature *s_out);

#endif

/*
 * The header block of a message, watched while it streams by in LF form.
 *
 * Counts and refuses; changes nothing and keeps no text. A header that one reader takes for
 * header and another for body is refused, since verdict and reader must see the same
 * message: every line begins a field `name ":"` (RFC 5322 2.2, name of %d33-126) or, after a
 * field, continues it and holds more than white space. The block ends at an empty line or
 * with the message.
 */
#ifndef SMTPD_HEADER_H
#define SMTPD_HEADER_H

#include "lib/span.h"

enum {
	HEADER_BLOCK_MAX = 256 * 1024, /* octets; also the limit of one field */
	HEADER_FIELDS_MAX = 512,
};

enum header_status {
	HEADER_MORE,      /* in the header block so far */
	HEADER_BODY,      /* the block has ended and was good */
	HEADER_MALFORMED, /* rows 159, 185 to 190 */
	HEADER_TOO_LARGE, /* rows 183, 184 */
	HEADER_LOOP, /* more Received: fields than hops_max, or a Delivered-To: that is asked for */
};

enum header_place { HEADER_LINE_START, HEADER_NAME, HEADER_VALUE, HEADER_FOLD };

/* Fields that are looked at. */
enum header_field { HEADER_RECEIVED, HEADER_DELIVERED_TO, HEADER_OTHER };

/* The value of a field, read as it streams by: no text is kept, runs of white space are one space. */
struct header_value {
	uint64_t digest;
	bool begun, blank; /* something was read; white space after it */
};

struct header {
	enum header_status status;
	enum header_place place;
	size_t block_len; /* octets so far */
	unsigned fields;
	unsigned hops; /* Received: fields */
	unsigned hops_max;
	unsigned name_len;       /* octets of the field name so far, clamped */
	unsigned maybe;          /* bits of enum header_field whose name the name so far begins */
	enum header_field field; /* of the value that is being read */
	struct header_value value;
	/* Whether the value of a Delivered-To: field makes this message a loop (row 182). NULL: none does. */
	bool (*is_loop)(const void *arg, uint64_t digest);
	const void *arg;
};

/*
 * The digest of a field value, for comparisons without case. It protects nothing: who makes up a
 * value with the same digest gets his own message refused.
 */
uint64_t header_digest(struct span value);

void header_init(struct header *h, unsigned hops_max);

/* Feeds octets. Returns: the status, which stays once it is not HEADER_MORE. */
enum header_status header_feed(struct header *h, struct span octets);

/* The message has ended. Returns: the final status, HEADER_BODY when all was good. */
enum header_status header_finish(struct header *h);

#endif

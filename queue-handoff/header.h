/*
 * Boundaries of header fields, and of them only: what is removed before a message goes to the
 * back end, because the back end would take it for our word.
 *
 * Removed is every Authentication-Results: field whose authserv-id is ours (RFC 8601 5), in
 * any disguise in which a lenient reader could still take it for ours: other case, blanks
 * before the colon, folded lines, comments, quoting, a version, a final dot, stray octets. And
 * every field with one of the names that only we may write.
 */
#ifndef QUEUE_HANDOFF_HEADER_H
#define QUEUE_HANDOFF_HEADER_H

#include "lib/conf.h"

/* Octets of header that are looked at; smtpd takes no header block that is longer. */
enum { HEADER_SCAN_MAX = 264 * 1024 };

/* What is left out. */
struct header_rules {
	struct span authserv_id;   /* ours */
	struct conf_strings names; /* further field names of the operator; borrowed */
};

struct header_scan {
	size_t block_len;   /* octets of header fields; an empty line or the end follows */
	size_t removed_len; /* octets of fields that are to be left out */
	unsigned removed;   /* such fields */
	unsigned claimed;   /* of them, Authentication-Results: that claim to be ours */
	bool complete;      /* the end of the block was seen */
	bool malformed;     /* a line of the block is no field: for many readers the body began */
};

/*
 * In: octets, the content from its first octet on, as much as there is; whole, whether nothing
 * follows.
 */
void header_scan(
    struct span octets, bool whole, const struct header_rules *rules, struct header_scan *out);

/* Removes those fields from the block in place. Returns: octets that are left. */
size_t header_strip(uint8_t *block, size_t block_len, const struct header_rules *rules);

/* One field with its continuation lines. Returns: its octets, the last LF included. */
size_t header_field_len(struct span rest);

/* The field is an Authentication-Results: that claims to be from authserv_id. */
bool header_claims(struct span field, struct span authserv_id);

/* The field is left out. */
bool header_is_removed(struct span field, const struct header_rules *rules);

#endif

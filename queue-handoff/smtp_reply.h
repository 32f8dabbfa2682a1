/*
 * Replies of SMTP and LMTP (RFC 5321 4.2), line by line; can stop and go on at any octet.
 *
 *	Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
 *
 * A bare LF ends a line as well. Text that is longer than a line may be is dropped.
 */
#ifndef QUEUE_HANDOFF_SMTP_REPLY_H
#define QUEUE_HANDOFF_SMTP_REPLY_H

#include "lib/span.h"

enum {
	SMTP_REPLY_LINE = 512,       /* octets of a line that are kept, RFC 5321 4.5.3.1.5 */
	SMTP_REPLY_LINE_MOST = 4096, /* octets of a line */
	SMTP_REPLY_LINES = 100,      /* lines of a reply */
};

enum smtp_reply_status {
	SMTP_REPLY_MORE,
	SMTP_REPLY_CONTINUES, /* a line, and another follows */
	SMTP_REPLY_ENDS,      /* the last line of a reply */
	SMTP_REPLY_BAD,
};

struct smtp_reply {
	unsigned code;  /* of the line that is complete; 200 to 599 */
	unsigned first; /* code of the first line of this reply; 0: none yet */
	unsigned lines; /* of this reply */
	size_t seen;    /* octets of this line */
	size_t len;     /* of them kept */
	uint8_t line[SMTP_REPLY_LINE];
};

void smtp_reply_init(struct smtp_reply *r);

/*
 * Feeds octets, up to the end of a line and no further.
 * Out: *used_out, how many were taken.
 */
enum smtp_reply_status smtp_reply_feed(struct smtp_reply *r, struct span in, size_t *used_out);

/* The text of the line that is complete, or of what has come of it; lives until the next feed. */
struct span smtp_reply_text(const struct smtp_reply *r);

/* The enhanced status code in front of that text (RFC 2034 4), empty when there is none. */
struct span smtp_reply_enhanced(const struct smtp_reply *r);

#endif

/* Replies: reply.def has them, this writes them. */
#ifndef SMTPD_REPLY_H
#define SMTPD_REPLY_H

#include "lib/buf.h"

enum reply_id {
	REPLY_NONE, /* no reply; "nothing to complain about" where a check returns it */
#define REPLY(name, code, enhanced, kind, text, help) REPLY_##name,
#include "smtpd/reply.def"
#undef REPLY
	REPLY_COUNT,
};

enum reply_kind {
	REPLY_KIND_OK,
	REPLY_KIND_ERROR,
	REPLY_KIND_REFUSED,
	REPLY_KIND_TROUBLE,
	REPLY_KIND_CLOSE
};

struct reply {
	const char *name; /* stable, in log lines and gatehouse(8) */
	uint16_t code;
	const char *enhanced;
	enum reply_kind kind;
	const char *text;
	const char *help;
};

enum { REPLY_LINE_MAX = 512 }; /* octets with CR LF, RFC 5321 4.5.3.1.5 */

/* Returns: the row; BUG_ON for REPLY_NONE. */
const struct reply *reply_get(enum reply_id id);

/* What one use of a reply adds to its row. Zeroed: nothing. Borrowed during the call. */
struct reply_details {
	struct span argument; /* replaces "%" */
	struct span enhanced; /* instead of the row's */
	struct span id;       /* appended as ", id X" */
	bool more;            /* not the last line: "250-" */
};

/* Appends one reply line. */
void reply_put(struct buf *b, enum reply_id id, const struct reply_details *details);

#endif

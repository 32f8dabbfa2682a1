/*
 * Message content as it comes after 354 or in chunks: line ends, dots, and where it ends.
 *
 * The end of data is CR LF . CR LF and nothing else, whatever the options say (the CR LF before
 * the first line counts). The automaton looks back at nothing, so it can stop and go on at any
 * octet. It turns CR LF into LF, takes away one dot at the start of a line that CR LF began
 * (RFC 5321 4.5.2), turns nothing else, and remembers what it saw; what is refused for it is
 * decided at the end of data.
 *
 * In chunks (RFC 3030) the end is known by count: there a dot is a dot, no octets are an end, and
 * everything else is the same.
 */
#ifndef SMTPD_CONTENT_H
#define SMTPD_CONTENT_H

#include "lib/buf.h"

enum content_place {
	CONTENT_LINE_START, /* after CR LF, or at the very start */
	CONTENT_DOT,        /* after CR LF "." */
	CONTENT_DOT_CR,     /* after CR LF "." CR */
	CONTENT_LINE,       /* in a line; a bare LF begins no line for RFC 5321 4.5.2 */
	CONTENT_CR,         /* in a line, after a CR that has not been written yet */
};

enum { CONTENT_SLACK = 1 }; /* octets that one feed may write beyond the octets it reads */

struct content {
	enum content_place place;
	enum content_place
	    line_start;  /* the place after CR LF: in chunks a line begins like any other octet */
	uint64_t size;   /* octets as SIZE counts them, RFC 1870: line ends are two */
	size_t line_len; /* octets of the line so far */
	size_t line_max; /* longest line that is not remembered as too long */
	bool bare_lf, bare_cr, nul, long_line; /* were seen */
	bool unended;                          /* content_finish had to end the last line */
};

enum content_status { CONTENT_MORE, CONTENT_END };

void content_init(struct content *c, size_t line_max);

/* For content in chunks: content_feed reads all it is given, and never says CONTENT_END. */
void content_init_chunks(struct content *c, size_t line_max);

/*
 * Feeds octets; reads up to the end of data and no further.
 * In: out, with room for in.len + CONTENT_SLACK octets.
 * Out: content in LF form is appended to out; *used_out, how many octets of `in` were read.
 */
enum content_status content_feed(
    struct content *c, struct span in, struct buf *out, size_t *used_out);

/*
 * Ends content in chunks: a CR that waited for its LF was a bare one, and a line without an end gets
 * one, as a bare LF does. Content with an end of data has nothing to finish.
 * In: out, with room for 2 octets.
 */
void content_finish(struct content *c, struct buf *out);

/* What of the octets is refused, in this order of weight. */
enum content_fault { CONTENT_GOOD, CONTENT_BARE_CR, CONTENT_BARE_LF, CONTENT_UNENDED };

/*
 * In: reject_bare_lf, whether only CR LF ends a line; otherwise a bare LF does too. Bare CR and NUL
 * are always refused, as CONTENT_BARE_CR.
 */
enum content_fault content_fault(const struct content *c, bool reject_bare_lf);

#endif

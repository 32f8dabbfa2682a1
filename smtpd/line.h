/*
 * Command lines: found, never copied.
 *
 * A line ends with CR LF and nothing else (RFC 5321 2.3.8), and takes at most LINE_MAX octets
 * with it. What is longer is discarded up to its end, and then reported once.
 */
#ifndef SMTPD_LINE_H
#define SMTPD_LINE_H

#include "lib/span.h"

enum {
	COMMAND_LINE_MAX = 2048,         /* octets with CR LF; more than RFC 5321 4.5.3.1.4 asks */
	COMMAND_DISCARD_MAX = 64 * 1024, /* octets of one line before we give up */
};

enum line_status {
	LINE_MORE, /* not complete */
	LINE_GOOD,
	LINE_BAD,      /* holds a bare CR or NUL (rows 32 to 34) */
	LINE_TOO_LONG, /* row 29 */
	LINE_BARE_LF,  /* ended by LF alone (row 31) */
	LINE_FLOOD,    /* over COMMAND_DISCARD_MAX without an end (row 30) */
};

struct line_finder {
	size_t discarded; /* octets of the present line that are gone */
	bool after_cr;    /* the last of them was CR */
	uint8_t verb[4];  /* the first of them */
};

/*
 * Looks for the end of the line at the start of `in`.
 * Out: *line_out without CR LF, for LINE_GOOD; *used_out: for LINE_MORE, how many octets need
 * not be shown again; otherwise how many the line took. Nothing changes until line_take, so
 * the same line can be looked at again.
 */
enum line_status line_find(
    const struct line_finder *f, struct span in, struct span *line_out, size_t *used_out);

/* Says that `used` octets as told by line_find were taken. */
void line_take(struct line_finder *f, enum line_status status, struct span in, size_t used);

/*
 * Whether a line that line_find complained about began with that verb of four octets.
 * In: as for line_find, before line_take.
 */
bool line_began_with(const struct line_finder *f, struct span in, struct span verb);

#endif

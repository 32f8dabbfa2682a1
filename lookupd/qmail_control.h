/*
 * qmail's control files and table of assignments, as its own programs read them (control.c,
 * constmap.c, qmail-newu.c, qmail-newmrh.c).
 */
#ifndef LOOKUPD_QMAIL_CONTROL_H
#define LOOKUPD_QMAIL_CONTROL_H

#include "lib/buf.h"

/* Steps through a control file. */
struct control {
	struct span line; /* what is left of the line: a NUL splits it into entries */
	struct span rest; /* of the file */
	uint32_t number;  /* of the line, from 1 */
	bool in_line;
};

static inline struct control
control_over(struct span text)
{
	return (struct control){.rest = text};
}

/*
 * The next entry of a file of lines: blanks at its end are gone, those at its beginning and
 * carriage returns are not; empty lines and comments are left out.
 */
bool control_next(struct control *c, struct span *entry_out);

/* The first line of a file of one value, without blanks at its end. */
struct span control_first_line(struct span text);

/* What a line has that is seldom meant: NULL, or a text for a warning. */
const char *control_suspicious(struct span entry);

/* One line of users/assign. */
struct assign_line {
	bool wild;         /* "+" */
	struct span local; /* as it is written */
	struct span user, uid, gid, home, dash, pre;
};

enum assign_status {
	ASSIGN_LINE,
	ASSIGN_END, /* the line with the single dot */
	ASSIGN_BAD, /* qmail-newu refuses the file */
};

enum assign_status assign_parse(struct span line, struct assign_line *a_out);

/* The value of users/cdb: user NUL uid NUL gid NUL home NUL dash NUL pre. Returns: false for less. */
bool assign_value(struct span value, struct assign_line *a_out);

/* Digits at the beginning, as scan_ulong() takes them. */
uint64_t assign_number(struct span s);

#endif

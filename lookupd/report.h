/*
 * What gatehouse-recipients says to its user. Octets that come from files and arguments are
 * printed so that none of them reaches the terminal as a control character.
 */
#ifndef LOOKUPD_REPORT_H
#define LOOKUPD_REPORT_H

#include <stdio.h>

#include "lib/span.h"

/* Counts what was said about the sources. */
struct report {
	FILE *to;
	unsigned long errors, warnings;
};

/* Printable ASCII as it is, a backslash doubled, any other octet as \xHH. */
void report_octets(FILE *to, struct span octets);

/*
 * "SOURCE:LINE: error: MESSAGE: DETAIL"
 * In: line 0: about the source as a whole; source NULL: about nothing in particular; detail may
 * be empty.
 */
void report_error(
    struct report *r, const char *source, unsigned line, const char *message, struct span detail);
void report_warning(
    struct report *r, const char *source, unsigned line, const char *message, struct span detail);

#endif

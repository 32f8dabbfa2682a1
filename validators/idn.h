/* Internationalised names (libidn2). */
#ifndef VALIDATORS_IDN_H
#define VALIDATORS_IDN_H

#include "lib/buf.h"

/*
 * Appends the A-label form (RFC 5891) of a name that holds U-labels in UTF-8.
 * Returns: false when it is no such name; b is as before then.
 */
bool idn_put_ascii(struct buf *b, struct span name);

#endif

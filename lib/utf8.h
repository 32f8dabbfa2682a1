/* UTF-8 text, strictly: RFC 3629 4. */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include "lib/span.h"

/*
 * The length of the character that s begins with.
 * Returns: 1 to 4 octets; 0 when there is none: an overlong form, a surrogate, something above
 * U+10FFFF, a sequence that is not complete, or nothing at all.
 */
size_t utf8_char(struct span s);

/* Whether all of it is UTF-8, and none of it a control character: C0, DEL or C1. */
bool utf8_printable(struct span s);

#endif

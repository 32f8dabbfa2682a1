/*
 * Most questions about boxes are about names without an extension, and what such a one comes to is
 * known when the database is made: it is written into the controller, so that the files of the user
 * need not be asked for.
 */
#ifndef LOOKUPD_SHORTCUT_H
#define LOOKUPD_SHORTCUT_H

#include "lookupd/collection.h"

enum { SHORTCUT_MAX = 8192 };

/*
 * Out: what to, of SHORTCUT_MAX octets at least, gets in the place of the value.
 * Returns: the value itself where there is nothing to shorten.
 */
struct span shortcut(
    const struct collection *c, struct span key, struct span value, struct buf *to);

#endif

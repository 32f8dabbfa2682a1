/*
 * The source passwd:FILE: every account is a recipient in the domains that the options name.
 */
#ifndef LOOKUPD_PASSWD_H
#define LOOKUPD_PASSWD_H

#include "lookupd/source.h"

/* In: path, behind "passwd:", with options. */
enum source_status passwd_source(
    const char *path, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN]);

#endif

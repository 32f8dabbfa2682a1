/*
 * The sources qmail:DIR and vpopmail:DIR; gatehouse-recipients(8) tells their options.
 */
#ifndef LOOKUPD_QMAIL_SOURCE_H
#define LOOKUPD_QMAIL_SOURCE_H

#include "lookupd/source.h"

/* In: path, behind "qmail:", with options. */
enum source_status qmail_source(
    const char *path, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN]);

/* The domains of vpopmail alone, of an installation of qmail that has others too. */
enum source_status vpopmail_source(
    const char *path, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN]);

#endif

/*
 * ldif:FILE[,OPTION...], see gatehouse-recipients(8).
 */
#ifndef LOOKUPD_LDIF_SOURCE_H
#define LOOKUPD_LDIF_SOURCE_H

#include "lookupd/source.h"

enum source_status ldif_source(
    const char *text, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN]);

#endif

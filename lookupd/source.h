/*
 * A source of recipients, KIND:PATH, as gatehouse-recipients compile takes it.
 */
#ifndef LOOKUPD_SOURCE_H
#define LOOKUPD_SOURCE_H

#include "lib/digest.h"
#include "lookupd/collection.h"
#include "lookupd/report.h"

enum source_status {
	SOURCE_READ,    /* as a whole; what is wrong in it stands in the report */
	SOURCE_WRONG,   /* cannot be opened, or is no such thing; reported */
	SOURCE_TROUBLE, /* memory, an input error: trying again may help; reported */
};

/* Returns: whether KIND is known; else the report has an error. */
bool source_known(const char *name, struct report *report);

/*
 * Reads a source into the collection.
 * In: name, KIND:PATH of a known kind; must outlive the collection.
 * Out: digest_out, of the octets that were read.
 */
enum source_status source_read(
    const char *name, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN]);

#endif

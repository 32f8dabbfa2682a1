/*
 * Writes, for a record of a stranger, the record of ours that the library evaluates instead.
 */
#ifndef VALIDATORS_SPF_CANON_H
#define VALIDATORS_SPF_CANON_H

#include "validators/spf_run.h"

enum { SPF_CANON_MAX = 512 };

/*
 * In: record, checked; domain, whose it is.
 * Appends "v=spf1" and at most 13 terms: placeholders n0.g, n1.g ... for names; ip4 and ip6 are
 * decided here, ptr becomes exists, macros are expanded, unknown modifiers and exp left out.
 * Returns: false after a trouble.
 */
bool spf_canon_write(struct spf_run *run, struct span record, struct span domain, struct buf *b);

/* The number in a placeholder, or -1. */
int spf_canon_place(const char *name);

/* Writes the placeholder of a number, NUL-terminated. */
void spf_canon_name(int place, char name_out[16]);

#endif

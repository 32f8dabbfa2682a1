/*
 * The public suffix list (libpsl), in lower case and A-labels.
 *
 * Organisations are found by the tree walk of RFC 9989; the list only keeps a public suffix that
 * publishes a record from being taken for one, and speaks where the DNS says nothing.
 */
#ifndef VALIDATORS_SUFFIX_H
#define VALIDATORS_SUFFIX_H

#include "lib/span.h"

/* Loads the list; before the process confines itself. Returns: false when there is none. */
bool suffix_load(void);

/* Strangers register below this name; also a top-level domain that the list does not have. */
bool suffix_is_public(struct span name);

/* Likewise, and not only because its owner let the list say so: registries, not hosters. */
bool suffix_is_registry(struct span name);

/* Returns: the name one label below the public suffix, the end of `name`; the whole name when
 * it is a public suffix itself. */
struct span suffix_organization(struct span name);

#endif

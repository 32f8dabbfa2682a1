/* Versions of Debian packages, in their order. */
#ifndef SUPERVISOR_VERSION_H
#define SUPERVISOR_VERSION_H

#include "lib/span.h"

/*
 * In: a, b, versions as [EPOCH:]UPSTREAM[-REVISION]; any octets, for which the order is some order.
 * Returns: below 0, 0 or above 0 as a is older than b, the same, or newer.
 * Source: deb-version(7), "Sorting algorithm".
 */
int version_compare(struct span a, struct span b);

#endif

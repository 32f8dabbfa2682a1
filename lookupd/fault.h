/*
 * Reading a mapped file that somebody may truncate at any time.
 */
#ifndef LOOKUPD_FAULT_H
#define LOOKUPD_FAULT_H

#include <stdbool.h>

/* Before the first fault_guarded, and before the confinement. Returns: 0 or -1. */
int fault_init(void);

/*
 * Calls fn, which only reads and writes memory: it may be left at any octet it reads.
 * Returns: false when it read where a mapped file has ended.
 */
bool fault_guarded(void (*fn)(void *arg), void *arg);

#endif

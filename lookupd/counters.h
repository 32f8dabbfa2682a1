/* The counters of lookupd. */
#ifndef LOOKUPD_COUNTERS_H
#define LOOKUPD_COUNTERS_H

#include "lib/counters.h"

enum lookupd_counter {
#define COUNTER(name, help) LOOKUPD_COUNT_##name,
#include "lookupd/counters.def"
#undef COUNTER
	LOOKUPD_COUNTERS,
};

extern struct counter lookupd_counters[LOOKUPD_COUNTERS];

#define LOOKUPD_COUNT(name) (lookupd_counters[LOOKUPD_COUNT_##name].value)

#endif

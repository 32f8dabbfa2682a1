/* The counters of tlsd. */
#ifndef TLSD_COUNTERS_H
#define TLSD_COUNTERS_H

#include "lib/counters.h"

enum tlsd_counter {
#define COUNTER(name, help) TLSD_COUNT_##name,
#include "tlsd/counters.def"
#undef COUNTER
	TLSD_COUNTERS,
};

extern struct counter tlsd_counters[TLSD_COUNTERS];

#define TLSD_COUNT(name) (tlsd_counters[TLSD_COUNT_##name].value)

#endif

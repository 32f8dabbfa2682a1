/* The counters of tls-keys. */
#ifndef TLSD_KEYS_COUNTERS_H
#define TLSD_KEYS_COUNTERS_H

#include "lib/counters.h"

enum keys_counter {
#define COUNTER(name, help) KEYS_COUNT_##name,
#include "tlsd/keys_counters.def"
#undef COUNTER
	KEYS_COUNTERS,
};

extern struct counter keys_counters[KEYS_COUNTERS];

#define KEYS_COUNT(name) (keys_counters[KEYS_COUNT_##name].value)

#endif

/* The counters of qmail-queue-helper. */
#ifndef QUEUE_HANDOFF_HELPER_COUNTERS_H
#define QUEUE_HANDOFF_HELPER_COUNTERS_H

#include "lib/counters.h"

enum helper_counter {
#define COUNTER(name, help) HELPER_COUNT_##name,
#include "queue-handoff/helper_counters.def"
#undef COUNTER
	HELPER_COUNTERS,
};

extern struct counter helper_counters[HELPER_COUNTERS];

#define HELPER_COUNT(name) (helper_counters[HELPER_COUNT_##name].value)

#endif

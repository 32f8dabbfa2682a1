/* The counters of this process; counters.def has them with their texts. */
#ifndef QUEUE_HANDOFF_COUNTERS_H
#define QUEUE_HANDOFF_COUNTERS_H

#include "lib/counters.h"

enum handoff_counter {
#define COUNTER(name, help) COUNT_##name,
#include "queue-handoff/counters.def"
#undef COUNTER
	COUNT_COUNT,
};

extern struct counter handoff_counters[COUNT_COUNT];

static inline void
count(enum handoff_counter c)
{
	handoff_counters[c].value++;
}

#endif

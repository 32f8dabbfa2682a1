/* What validators (the dispatcher) counts, for `gatehouse status`. */
#ifndef VALIDATORS_COUNTERS_H
#define VALIDATORS_COUNTERS_H

#include "lib/counters.h"

enum count {
#define COUNTER(name, help) COUNT_##name,
#include "validators/counters.def"
#undef COUNTER
	COUNT_END,
};

extern struct counter validators_counters[COUNT_END];

static inline void
count(enum count which)
{
	validators_counters[which].value++;
}

static inline void
gauge(enum count which, uint64_t value)
{
	validators_counters[which].value = value;
}

#endif

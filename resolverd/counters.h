/* What resolverd counts, for `gatehouse status`. */
#ifndef RESOLVERD_COUNTERS_H
#define RESOLVERD_COUNTERS_H

#include "lib/counters.h"

enum count {
#define COUNTER(name, help) COUNT_##name,
#include "resolverd/counters.def"
#undef COUNTER
	COUNT_END,
};

extern struct counter resolverd_counters[COUNT_END];

static inline void
count(enum count which)
{
	resolverd_counters[which].value++;
}

static inline void
gauge(enum count which, uint64_t value)
{
	resolverd_counters[which].value = value;
}

#endif

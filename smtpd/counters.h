/* What this worker counts; counters.def has the texts. */
#ifndef SMTPD_COUNTERS_H
#define SMTPD_COUNTERS_H

#include "lib/counters.h"

enum smtpd_counter {
#define COUNTER(name, help) COUNT_##name,
#include "smtpd/counters.def"
#undef COUNTER
	COUNT_END,
};

extern struct counter smtpd_counters[COUNT_END];

static inline void
count(enum smtpd_counter which)
{
	smtpd_counters[which].value++;
}

static inline void
count_add(enum smtpd_counter which, uint64_t n)
{
	smtpd_counters[which].value += n;
}

static inline void
gauge(enum smtpd_counter which, uint64_t value)
{
	smtpd_counters[which].value = value;
}

#endif

/*
 * Counters and gauges of one process, for `gatehouse status`.
 *
 * Each program has a table COUNTER(name, help) in its own counters.def; program_begin()
 * answers the supervisor's status question from it.
 */
#ifndef LIB_COUNTERS_H
#define LIB_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

struct counter {
	const char *name; /* as in the manual */
	const char *help;
	uint64_t value;
};

struct counter_table {
	struct counter *counters;
	size_t count;
};

#endif

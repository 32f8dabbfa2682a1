#include "queue-handoff/counters.h"

struct counter handoff_counters[COUNT_COUNT] = {
#define COUNTER(name, help) {#name, help, 0},
#include "queue-handoff/counters.def"
#undef COUNTER
};

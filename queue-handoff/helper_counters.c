#include "queue-handoff/helper_counters.h"

struct counter helper_counters[HELPER_COUNTERS] = {
#define COUNTER(name, help) {#name, help, 0},
#include "queue-handoff/helper_counters.def"
#undef COUNTER
};

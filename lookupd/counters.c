#include "lookupd/counters.h"

struct counter lookupd_counters[LOOKUPD_COUNTERS] = {
#define COUNTER(name, help) {#name, help, 0},
#include "lookupd/counters.def"
#undef COUNTER
};

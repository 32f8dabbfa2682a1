#include "tlsd/counters.h"

struct counter tlsd_counters[TLSD_COUNTERS] = {
#define COUNTER(name, help) {#name, help, 0},
#include "tlsd/counters.def"
#undef COUNTER
};

#include "tlsd/keys_counters.h"

struct counter keys_counters[KEYS_COUNTERS] = {
#define COUNTER(name, help) {#name, help, 0},
#include "tlsd/keys_counters.def"
#undef COUNTER
};

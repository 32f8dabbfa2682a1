#include "validators/counters.h"

struct counter validators_counters[COUNT_END] = {
#define COUNTER(name, help) {#name, help, 0},
#include "validators/counters.def"
#undef COUNTER
};

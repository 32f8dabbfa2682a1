#include "resolverd/counters.h"

struct counter resolverd_counters[COUNT_END] = {
#define COUNTER(name, help) {#name, help, 0},
#include "resolverd/counters.def"
#undef COUNTER
};

#include "smtpd/counters.h"

struct counter smtpd_counters[COUNT_END] = {
#define COUNTER(name, help) {#name, help, 0},
#include "smtpd/counters.def"
#undef COUNTER
};

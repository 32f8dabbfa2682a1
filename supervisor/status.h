/* The text of `gatehouse status`. */
#ifndef SUPERVISOR_STATUS_H
#define SUPERVISOR_STATUS_H

#include "supervisor/generation.h"

enum { STATUS_MAX = 128 * 1024 };

/*
 * Writes one line for each program and one for each counter, workers added up.
 * In: now_ms as loop_now().
 */
void status_put(struct buf *b, const struct generation *g, uint64_t started_ms, uint64_t now_ms);

#endif

#include "supervisor/status.h"

#include <unistd.h>

static void
put_child(struct buf *b, const struct child *c, uint64_t now_ms)
{
	static const char *const states[] = {"absent", "waiting", "starting", "ready"};

	buf_printf(b, "%s/%u state=%s", program_name(c->id), c->index, states[c->state]);
	if (c->pid > 0)
		buf_printf(b, " pid=%d up=%llu", (int)c->pid,
		    (unsigned long long)((now_ms - c->started_ms) / 1000));
	buf_printf(b, " restarts=%u\n", c->restarts);
}

/* Workers report the same counters; the first of a kind prints the sum of all. */
static void
put_counters(struct buf *b, const struct generation *g, size_t first)
{
	const struct child *c = &g->child[first];

	for (size_t k = 0; k < c->counter_count; k++) {
		uint64_t sum = 0;

		for (size_t i = first; i < g->count; i++)
			if (g->child[i].id == c->id && k < g->child[i].counter_count)
				sum += g->child[i].counters[k].value;
		buf_printf(b, "%s.%s %llu\n", program_name(c->id), c->counters[k].name,
		    (unsigned long long)sum);
	}
}

void
status_put(struct buf *b, const struct generation *g, uint64_t started_ms, uint64_t now_ms)
{
	buf_printf(b, "gatehouse pid=%d up=%llu generation=%u state=%s\n", (int)getpid(),
	    (unsigned long long)((now_ms - started_ms) / 1000), g->number,
	    g->phase != GENERATION_SERVING ? "stopping" : (g->was_ready ? "ready" : "starting"));
	for (size_t i = 0; i < g->listeners.count; i++)
		buf_printf(b, "listen %s\n", g->listeners.item[i].name);
	for (size_t i = 0; i < g->count; i++)
		put_child(b, &g->child[i], now_ms);
	for (size_t i = 0; i < g->count; i++)
		if (g->child[i].index == 0)
			put_counters(b, g, i);
	buf_printf(b, "gatehouse.log_lines_lost %llu\n", (unsigned long long)log_relay_dropped());
}

#include "smtpd/groups.h"

/* Octets that queue-handoff puts in front of a message, and that protocols put around it. */
enum { HANDOFF_OVERHEAD = 8192 };

/* Returns: conf->backend_count when there is none. */
static size_t
index_of(const struct conf *conf, struct span route)
{
	size_t i = 0;

	while (i < conf->backend_count && route.len > 0 &&
	       !span_eq(route, span_str(conf->backend[i].title)))
		i++;
	return i;
}

void
groups_on_state(struct groups *g, const struct conf *conf, const struct msg_group_state *m)
{
	size_t i = index_of(conf, m->route);

	if (i >= conf->backend_count || g->down[i] == (m->down != 0))
		return;
	g->down[i] = m->down != 0;
	g->down_count += g->down[i] ? 1u : -1u;
}

void
groups_forget(struct groups *g)
{
	*g = (struct groups){.down_count = 0};
}

bool
groups_is_down(const struct groups *g, const struct conf *conf, struct span route)
{
	size_t i;

	if (g->down_count == 0)
		return false;
	i = index_of(conf, route);
	return i < conf->backend_count && g->down[i];
}

bool
groups_all_down(const struct groups *g, const struct conf *conf)
{
	return g->down_count > 0 && g->down_count == conf->backend_count;
}

static uint64_t
size_of(const struct conf *conf, size_t i)
{
	uint64_t limit = conf->limits.message_size;
	uint64_t takes = conf->backend[i].message_size;

	if (takes == 0 || takes >= limit + HANDOFF_OVERHEAD)
		return limit;
	return takes > HANDOFF_OVERHEAD ? takes - HANDOFF_OVERHEAD : 0;
}

uint64_t
groups_message_size(const struct conf *conf, struct span route)
{
	size_t i = index_of(conf, route);

	return i < conf->backend_count ? size_of(conf, i) : conf->limits.message_size;
}

static uint64_t
recipients_of(const struct conf *conf, size_t i)
{
	uint64_t takes = conf->backend[i].recipients;

	return takes > 0 && takes < conf->limits.recipients ? takes : conf->limits.recipients;
}

uint64_t
groups_recipients(const struct conf *conf, struct span route)
{
	size_t i = index_of(conf, route);

	return i < conf->backend_count ? recipients_of(conf, i) : conf->limits.recipients;
}

uint64_t
groups_most_recipients(const struct conf *conf)
{
	uint64_t most = conf->backend_count > 0 ? 0 : conf->limits.recipients;

	for (size_t i = 0; i < conf->backend_count; i++)
		if (recipients_of(conf, i) > most)
			most = recipients_of(conf, i);
	return most;
}

uint64_t
groups_largest(const struct conf *conf)
{
	uint64_t most = 0;

	for (size_t i = 0; i < conf->backend_count; i++)
		if (size_of(conf, i) > most)
			most = size_of(conf, i);
	return conf->backend_count > 0 ? most : conf->limits.message_size;
}

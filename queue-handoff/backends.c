#include "queue-handoff/backends.h"

#include "lib/ip.h"

static const char *
group_init(struct group *g, const struct conf_backend *conf)
{
	*g = (struct group){
	    .title = conf->title,
	    .protocol = protocol_get(conf->protocol),
	    .complaints = conf->complaints,
	    .refusals = conf->refusals,
	    .connections = (unsigned)conf->connections,
	    .connect_ms = conf->connect_timeout * 1000,
	    .write_ms = conf->write_timeout * 1000,
	    .reply_ms = conf->reply_timeout * 1000,
	    .keep_ms = conf->keep_connection * 1000,
	    .smtputf8 = conf->smtputf8,
	};
	if (g->protocol->local) {
		g->servers[g->count++].name = conf->program;
		if (g->connections == 0)
			g->connections = BACKENDS_RUNS;
		return NULL;
	}
	if (conf->servers.count == 0)
		return "a backend without servers";
	if (conf->servers.count > BACKENDS_SERVERS)
		return "a backend with more than 32 servers";
	for (size_t i = 0; i < conf->servers.count; i++) {
		struct server *s = &g->servers[g->count++];
		struct ip ip;
		uint16_t port;

		s->name = conf->servers.items[i];
		if (!ip_parse_port(span_str(s->name), false, &ip, &port))
			return "a server that is not address:port";
		s->address_len = (socklen_t)ip_to_sockaddr(&ip, port, &s->address);
	}
	return NULL;
}

const char *
backends_init(struct backends *b, const struct conf *conf)
{
	const char *wrong = NULL;

	b->count = conf->backend_count;
	for (size_t i = 0; i < b->count && wrong == NULL; i++)
		wrong = group_init(&b->groups[i], &conf->backend[i]);
	return wrong;
}

struct group *
backends_group(struct backends *b, struct span route)
{
	for (size_t i = 0; i < b->count; i++)
		if (route.len == 0 || span_eq(route, span_str(b->groups[i].title)))
			return &b->groups[i];
	return NULL;
}

static bool
is_tried(uint32_t tried, unsigned i)
{
	return (tried & (UINT32_C(1) << i)) != 0;
}

static bool
is_backing_off(const struct server *s, uint64_t now_ms)
{
	return s->sick && now_ms < s->sick_until_ms;
}

static bool
has_room(const struct group *g, const struct server *s)
{
	return g->connections == 0 || s->busy < g->connections;
}

/*
 * The least busy of those that are well, or of those that are not. In: well, which.
 * Out: *any_out, whether there is one, with room or without.
 * Returns: its index, or g->count.
 */
static unsigned
least_busy(const struct group *g, uint32_t tried, uint64_t now_ms, bool well, bool *any_out)
{
	unsigned best = g->count;

	*any_out = false;
	for (unsigned n = 0; n < g->count; n++) {
		unsigned i = (g->turn + n) % g->count;
		const struct server *s = &g->servers[i];

		if (is_tried(tried, i) || is_backing_off(s, now_ms) == well)
			continue;
		*any_out = true;
		if (has_room(g, s) && (best == g->count || s->busy < g->servers[best].busy))
			best = i;
	}
	return best;
}

struct server *
group_next(struct group *g, uint32_t *tried, uint64_t now_ms)
{
	bool any;
	unsigned i = least_busy(g, *tried, now_ms, true, &any);

	/* A wait for a server that is well is better than one that is not. */
	if (!any)
		i = least_busy(g, *tried, now_ms, false, &any);
	if (i == g->count)
		return NULL;
	/* A second attempt for one message does not take another message's turn. */
	if (*tried == 0)
		g->turn = (i + 1) % g->count;
	*tried |= UINT32_C(1) << i;
	return &g->servers[i];
}

bool
group_is_full(const struct group *g, uint32_t tried)
{
	for (unsigned i = 0; i < g->count; i++)
		if (!is_tried(tried, i) && !has_room(g, &g->servers[i]))
			return true;
	return false;
}

bool
server_failed(struct server *s, uint64_t now_ms)
{
	bool news = !s->sick;

	s->sick = true;
	s->sick_until_ms = now_ms + BACKENDS_BACK_OFF_MS;
	return news;
}

bool
server_took(struct server *s, uint64_t now_ms)
{
	bool news = s->sick;

	s->sick = false;
	s->has_taken = true;
	s->taken_ms = now_ms;
	return news;
}

bool
server_is_trusted(const struct server *s, uint64_t now_ms)
{
	return s->has_taken && now_ms - s->taken_ms <= BACKENDS_TRUST_MS;
}

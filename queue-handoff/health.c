#include "queue-handoff/health.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/loop.h"

#include "queue-handoff/counters.h"

/* The probing of one server. */
struct probe {
	struct health *health;
	struct group *group;
	struct server *server;
	int fd; /* -1: between two */
	struct watch watch;
	struct timer timer; /* to the next one, or of this one */
	uint64_t delay_ms;
};

struct health {
	struct loop *loop;
	struct backends *backends;
	void (*on_state)(void *ctx, const struct group *g);
	void *ctx;
	size_t count;
	struct probe probes[];
};

struct health *
health_new(struct loop *loop, struct backends *b, void (*on_state)(void *, const struct group *),
    void *ctx)
{
	struct health *h;
	size_t servers = 0;

	for (size_t i = 0; i < b->count; i++)
		servers += b->groups[i].count;
	h = calloc(1, sizeof(*h) + servers * sizeof(h->probes[0]));
	if (h == NULL)
		return NULL;
	*h = (struct health){loop, b, on_state, ctx, 0};
	for (size_t i = 0; i < b->count; i++) {
		for (unsigned n = 0; n < b->groups[i].count; n++) {
			struct probe *p = &h->probes[h->count++];

			*p = (struct probe){.health = h, .group = &b->groups[i], .fd = -1};
			p->server = &b->groups[i].servers[n];
		}
	}
	return h;
}

static void
hang_up(struct probe *p)
{
	watch_stop(&p->watch);
	timer_stop(&p->timer);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

void
health_free(struct health **health)
{
	struct health *h = *health;

	*health = NULL;
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->count; i++)
		hang_up(&h->probes[i]);
	free(h);
}

static struct probe *
probe_of(struct health *h, const struct server *s)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->probes[i].server == s)
			return &h->probes[i];
	return NULL;
}

bool
health_group_is_down(const struct group *g)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->servers[i].misses < HEALTH_DOWN)
			return false;
	return true;
}

/* ---- probes ---------------------------------------------------------------------------------------- */

static void probe_begin(void *arg);

static void
probe_later(struct probe *p)
{
	p->delay_ms = p->delay_ms == 0 ? HEALTH_PROBE_FIRST_MS : p->delay_ms * 2;
	if (p->delay_ms > HEALTH_PROBE_MOST_MS)
		p->delay_ms = HEALTH_PROBE_MOST_MS;
	timer_set(p->health->loop, &p->timer, p->delay_ms, probe_begin, p);
}

static void
probe_end(struct probe *p, bool reached)
{
	hang_up(p);
	if (reached)
		health_reached(p->health, p->server);
	else
		health_missed(p->health, p->server);
}

static void
on_timeout(void *arg)
{
	probe_end(arg, false);
}

/* The greeting, or the beginning of one. A polite end is not worth waiting for. */
static void
on_greeting(void *arg, unsigned events)
{
	static const char quit[] = "QUIT\r\n";
	struct probe *p = arg;
	uint8_t octets[512];
	ssize_t n = recv(p->fd, octets, sizeof(octets), MSG_DONTWAIT);
	bool good = n > 0 && octets[0] == '2';

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (good && send(p->fd, quit, sizeof(quit) - 1, MSG_NOSIGNAL) < 0)
		good = false;
	probe_end(p, good);
}

static void
on_connected(void *arg, unsigned events)
{
	struct probe *p = arg;
	int error = 0;
	socklen_t len = sizeof(error);

	(void)events;
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
		probe_end(p, false);
		return;
	}
	if (!p->group->protocol->talk->greets) {
		probe_end(p, true);
		return;
	}
	watch_stop(&p->watch);
	if (watch_start(p->health->loop, &p->watch, p->fd, WATCH_READ, on_greeting, p) != 0)
		probe_end(p, false);
}

static void
probe_begin(void *arg)
{
	struct probe *p = arg;
	const struct server *s = p->server;

	count(COUNT_probes);
	p->fd = socket(s->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0 ||
	    (connect(p->fd, (const struct sockaddr *)&s->address, s->address_len) != 0 &&
		errno != EINPROGRESS) ||
	    watch_start(p->health->loop, &p->watch, p->fd, WATCH_WRITE, on_connected, p) != 0 ||
	    timer_set(p->health->loop, &p->timer, p->group->connect_ms, on_timeout, p) != 0)
		probe_end(p, false);
}

/* ---- what is known --------------------------------------------------------------------------------- */

static void
report_state(const struct group *g, enum log_event event)
{
	struct log_line l;

	log_begin(&l, event);
	log_str(&l, "backend", g->title);
	log_end(&l);
}

void
health_missed(struct health *h, struct server *s)
{
	struct probe *p = h != NULL ? probe_of(h, s) : NULL;
	bool was_down;

	if (p == NULL || p->group->protocol->local)
		return;
	was_down = health_group_is_down(p->group);
	if (s->misses < HEALTH_DOWN)
		s->misses++;
	if (!was_down && health_group_is_down(p->group)) {
		report_state(p->group, EVENT_backend_group_down);
		h->on_state(h->ctx, p->group);
	}
	/* One is under way, or set. */
	if (p->fd < 0 && !p->timer.active)
		probe_later(p);
}

void
health_reached(struct health *h, struct server *s)
{
	struct probe *p;
	bool was_down;

	if (h == NULL || s->misses == 0)
		return;
	p = probe_of(h, s);
	if (p == NULL)
		return;
	was_down = health_group_is_down(p->group);
	hang_up(p);
	p->delay_ms = 0;
	s->misses = 0;
	/* It was sick for want of connections, and may be chosen again. */
	s->sick_until_ms = 0;
	if (was_down) {
		report_state(p->group, EVENT_backend_group_up);
		h->on_state(h->ctx, p->group);
	}
}

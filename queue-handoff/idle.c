#include "queue-handoff/idle.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/loop.h"

struct kept {
	struct idle *idle;
	struct server *server;
	int fd;          /* -1: free */
	uint64_t number; /* the larger the newer */
	struct smtp_offer offer;
	struct watch watch;
	struct timer timer;
};

struct idle {
	struct loop *loop;
	uint64_t last;
	struct kept kept[IDLE_MOST];
};

struct idle *
idle_new(struct loop *loop)
{
	struct idle *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return NULL;
	i->loop = loop;
	for (size_t n = 0; n < IDLE_MOST; n++)
		i->kept[n] = (struct kept){.idle = i, .fd = -1};
	return i;
}

static int
release(struct kept *k)
{
	int fd = k->fd;

	watch_stop(&k->watch);
	timer_stop(&k->timer);
	k->fd = -1;
	k->server->idle--;
	return fd;
}

void
idle_free(struct idle **idle)
{
	struct idle *i = *idle;

	*idle = NULL;
	if (i == NULL)
		return;
	for (size_t n = 0; n < IDLE_MOST; n++)
		if (i->kept[n].fd >= 0)
			close(release(&i->kept[n]));
	free(i);
}

static void
on_timer(void *arg)
{
	close(release(arg));
}

/* Whatever a server says unasked, the connection is no good any more. */
static void
on_event(void *arg, unsigned events)
{
	(void)events;
	close(release(arg));
}

static struct kept *
free_place(struct idle *i)
{
	for (size_t n = 0; n < IDLE_MOST; n++)
		if (i->kept[n].fd < 0)
			return &i->kept[n];
	return NULL;
}

void
idle_keep(
    struct idle *i, struct server *s, int fd, const struct smtp_offer *offer, uint64_t keep_ms)
{
	struct kept *k = s->idle < IDLE_OF_A_SERVER && keep_ms > 0 ? free_place(i) : NULL;

	if (k == NULL) {
		close(fd);
		return;
	}
	k->server = s;
	k->fd = fd;
	k->number = ++i->last;
	k->offer = *offer;
	s->idle++;
	if (timer_set(i->loop, &k->timer, keep_ms, on_timer, k) != 0 ||
	    watch_start(i->loop, &k->watch, fd, WATCH_READ, on_event, k) != 0)
		close(release(k));
}

int
idle_take(struct idle *i, struct server *s, struct smtp_offer *offer_out)
{
	struct kept *newest = NULL;

	if (s->idle == 0)
		return -1;
	for (size_t n = 0; n < IDLE_MOST; n++) {
		struct kept *k = &i->kept[n];

		if (k->fd >= 0 && k->server == s && (newest == NULL || k->number > newest->number))
			newest = k;
	}
	if (newest == NULL)
		return -1;
	*offer_out = newest->offer;
	return release(newest);
}

/*
 * Which servers take connections, and so which groups are down. Known from the connections of
 * messages, and while a server takes none, from light probes: a connection that is closed again,
 * with SMTP and LMTP after the greeting and QUIT. Probes come later and later.
 *
 * A server is down when two connections in a row were not taken; a group is down when all its
 * servers are. Trouble after the connection makes a server sick (backends.h), not down.
 */
#ifndef QUEUE_HANDOFF_HEALTH_H
#define QUEUE_HANDOFF_HEALTH_H

#include "queue-handoff/backends.h"

struct health;
struct loop;

enum { HEALTH_PROBE_FIRST_MS = 200, HEALTH_PROBE_MOST_MS = 30000, HEALTH_DOWN = 2 };

/*
 * In: backends, borrowed; on_state, told when a group goes down or comes up.
 * Returns: NULL when memory is out.
 */
struct health *health_new(struct loop *loop, struct backends *backends,
    void (*on_state)(void *ctx, const struct group *g), void *ctx);
void health_free(struct health **h);

/* A connection was not taken, or was. In: h, may be NULL. */
void health_missed(struct health *h, struct server *s);
void health_reached(struct health *h, struct server *s);

bool health_group_is_down(const struct group *g);

#endif

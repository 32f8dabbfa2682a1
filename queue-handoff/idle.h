/*
 * Connections that have served a message and wait for another: few for each server, for a short
 * time. One that the server closes, or on which it says anything, is closed at once.
 */
#ifndef QUEUE_HANDOFF_IDLE_H
#define QUEUE_HANDOFF_IDLE_H

#include "queue-handoff/backends.h"
#include "queue-handoff/smtp.h"

struct idle;
struct loop;

enum {
	IDLE_MOST = 256, /* of all servers */
	IDLE_OF_A_SERVER = 8,
};

/* Returns: NULL when memory is out. */
struct idle *idle_new(struct loop *loop);
void idle_free(struct idle **i);

/*
 * Takes over a connection, or closes it when there is no room.
 * In: offer, what the server offers; keep_ms, how long it waits.
 */
void idle_keep(
    struct idle *i, struct server *s, int fd, const struct smtp_offer *offer, uint64_t keep_ms);

/* The connection to a server that was kept last. Returns: -1 when there is none. */
int idle_take(struct idle *i, struct server *s, struct smtp_offer *offer_out);

#endif

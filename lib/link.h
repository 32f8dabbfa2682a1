/*
 * Links: one end of a seqpacket socket pair between two programs.
 *
 * Messages are gathered during a turn of the loop and leave at its end, many in a packet.
 * The channel says who speaks: a role names both ends, and the catalogue says what each may
 * say. A message that is malformed, too long, unknown, not in its sender's catalogue, or with
 * a descriptor too many or too few closes the link, and is counted. Both ends begin with
 * hello; nothing else is taken before it.
 */
#ifndef LIB_LINK_H
#define LIB_LINK_H

#include "lib/catalogue.h"

struct link;
struct loop;

enum {
	LINK_PACKET_MAX = 128 * 1024,     /* octets of one packet */
	LINK_QUEUE_MAX = 8 * 1024 * 1024, /* octets that may wait for a slow peer */
	LINK_PACKET_FDS = 32,             /* descriptors of one packet */
};

/*
 * Handles one message.
 * In: m, borrowed until the handler returns; fd, *fd is the descriptor that came with it or
 * -1. A handler that keeps the descriptor sets *fd to -1; otherwise the link closes it.
 * A handler may send on this or any other link, and may call link_close on this one.
 */
struct link_handler {
	enum msg_type type;
	void (*fn)(void *ctx, struct link *link, const union msg *m, int *fd);
};

/* What one end of a kind of link understands. Usually a static const. */
struct link_role {
	enum program_id self, peer;
	const struct link_handler *handlers; /* hello is the link's own */
	size_t handler_count;
	/*
	 * The peer is gone or has misbehaved: called once, from the loop, never from inside
	 * link_send. The link is dead; the owner must link_free it now or later.
	 */
	void (*on_lost)(void *ctx, struct link *link);
	bool brief; /* the link lives for one piece of work: its end is no event for the log */
};

/*
 * Takes ownership of fd (a seqpacket socket), sends hello, watches it.
 * In: loop, NULL for a process that only ever waits with link_wait; it sends nothing before, and
 * hears of a lost link only by its -1.
 * Returns: NULL when memory or the kernel refuses; fd is closed then.
 */
struct link *link_new(struct loop *loop, int fd, const struct link_role *role, void *ctx);

/* Closes and frees; takes NULL. Safe inside a handler and inside on_lost. */
void link_free(struct link **link);

/*
 * Queues a message; it leaves at the end of this turn.
 * In: fields, the struct msg_NAME; fd, a descriptor whose ownership passes to the link in
 * every case, or -1.
 * Returns: true when queued. False when the link is dead, the queue is full, or a field is out
 * of bounds: nothing will be sent, and the caller answers with a 4xx.
 */
bool link_send(struct link *link, enum msg_type type, const void *fields, int fd);

/*
 * Calls fn whenever a link of this process ends that its owner has not freed, before its on_lost
 * and with the descriptor still open. At most one fn.
 */
struct link_loss {
	enum program_id peer;
	int fd;
	bool violated; /* the peer sent what it may not */
};
void link_on_loss(void (*fn)(void *arg, const struct link_loss *loss), void *arg);

/* The link is dead because its peer sent what it may not; for on_lost. */
bool link_violated(const struct link *link);

/* The link is up, as far as is known. False for NULL. */
bool link_alive(const struct link *link);

/* Octets waiting for a slow peer. */
size_t link_backlog(const struct link *link);

/* Writes now what is queued instead of at the end of the turn. */
void link_flush(struct link *link);

/*
 * Waits for the next message outside the loop, at most timeout_ms, and runs its handler; what
 * is queued is written first. For set-up and for tlsd's signatures only.
 * Returns: 1 a message was handled, 0 timeout, -1 the link is dead.
 */
int link_wait(struct link *link, int timeout_ms);

/* Messages that closed a link, since the start of the process. */
uint64_t link_violations(void);

/* A connected pair of descriptors for a link: non-blocking, close-on-exec. Returns: 0 or -1. */
int link_pair(int fds_out[2]);

#endif

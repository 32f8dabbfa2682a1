/*
 * Questions of the dispatcher, each with its own deadline, to the resolving library and back.
 */
#ifndef RESOLVERD_SERVICE_H
#define RESOLVERD_SERVICE_H

#include "resolverd/packet.h"
#include "resolverd/recursor.h"
#include "resolverd/traffic.h"

#include "lib/link.h"
#include "lib/loop.h"

enum { SERVICE_QUESTIONS_MAX = 4096 }; /* as many as validators may have in progress */

struct service;

struct service_question {
	struct service *service;
	struct recursor_question asked;
	struct timer deadline;
	struct packet_name name;
	uint32_t query; /* the asker's number */
	uint16_t type;
	bool used;
	bool left;    /* it is under way: what is answered before was in the cache */
	bool charged; /* to its zone */
	struct service_question *next_free;
};

struct service {
	struct loop *loop;
	struct recursor *recursor;     /* borrowed */
	struct link *asker;            /* NULL: not there */
	void (*asker_gone)(void *arg); /* may be NULL */
	void *arg;
	size_t running;
	struct traffic traffic;
	struct service_question *first_free;
	struct service_question questions[SERVICE_QUESTIONS_MAX];
};

/* Returns: NULL when memory is out. */
struct service *service_new(struct loop *loop, struct recursor *recursor);
void service_free(struct service **s);

/* Takes the link to the dispatcher; what the older one asked is cancelled. Returns: 0 or -1. */
int service_take_asker(struct service *s, int fd);

/*
 * The name as the library wants to read it: what could be syntax as \DDD (RFC 1035 5.1), with the
 * final dot. Appends a NUL.
 */
void service_put_presentation(struct buf *b, struct span name);

#endif

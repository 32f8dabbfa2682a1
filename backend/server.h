/* QMQP conversations: one package each, many at the same time. */
#ifndef BACKEND_SERVER_H
#define BACKEND_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct maildir;
struct server;

struct server_options {
	struct maildir *maildir; /* NULL: everything is taken and forgotten */
	uint64_t message_size;   /* larger ones are refused */
	uint32_t idle_ms;        /* without an octet; then the connection is closed */
};

enum { SERVER_CONNECTIONS = 4096 };

/* Takes a listening, non-blocking socket. Returns: NULL when memory is out. */
struct server *server_new(struct loop *loop, int listener, const struct server_options *options);

/* Drops what is not complete. */
void server_free(struct server **s);

#endif

/* The listening sockets: bound once by the supervisor, shared by all workers of all generations. */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H

#include "lib/conf.h"
#include "lib/ip.h"

enum { LISTENERS_MAX = 64 };

struct listener {
	char wanted[64]; /* as configured; with port 0 it differs from name */
	char name[64];   /* address:port as bound */
	bool tls;        /* sessions begin with the handshake */
	int fd;
};

struct listeners {
	size_t count;
	struct listener item[LISTENERS_MAX];
};

/*
 * Binds what `listen` and `listen_tls` name; a socket that `old` already has is duplicated instead,
 * so that no connection in its backlog is lost.
 * Out: *out, owned by the caller. Returns: 0; or -1 with the address at fault in error_out.
 */
int listeners_open(struct listeners *out, const struct conf_top *conf, const struct listeners *old,
    char *error_out, size_t error_cap);

void listeners_close(struct listeners *l);

#endif

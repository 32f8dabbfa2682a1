/*
 * The memory in which the SMTP workers count their clients (lib/clients.h), and who has which
 * column of it. It lives as long as the gateway: workers and generations come and go.
 */
#ifndef SUPERVISOR_CLIENT_SLOTS_H
#define SUPERVISOR_CLIENT_SLOTS_H

#include <stdbool.h>

#include "lib/clients.h"

enum { CLIENT_SLOT_NONE = -1 };

struct client_slots {
	int fd; /* of the memory; it can neither shrink nor grow */
	uint8_t key[SIPHASH_KEY_LEN];
	bool taken[CLIENTS_SLOTS];
};

/* Returns: 0; or -1 with errno, and fd is -1. */
int client_slots_init(struct client_slots *s);
void client_slots_clear(struct client_slots *s);

/* Returns: the lowest free slot, its column zeroed; CLIENT_SLOT_NONE when there is none or the kernel refuses. */
int client_slots_take(struct client_slots *s);

/* The worker has ended, and so have its connections. Sets *slot to CLIENT_SLOT_NONE, which is taken too. */
void client_slots_give(struct client_slots *s, int *slot);

#endif

/*
 * How many DNS questions each client may cause: 600 in a minute that leave the machine.
 *
 * The table forgets: a client that shares its place with a newer one starts anew. What bounds many
 * clients together is the budget of each zone, which resolverd keeps.
 */
#ifndef VALIDATORS_BUDGET_H
#define VALIDATORS_BUDGET_H

#include "lib/bucket.h"
#include "lib/ip.h"

enum {
	BUDGET_PER_SECOND = 10,
	BUDGET_BURST = 600,
	BUDGET_CLIENTS = 4096,
};

struct budgets {
	struct {
		struct ip client; /* an IPv6 one by its /64 */
		bool used;
		struct bucket bucket;
	} places[BUDGET_CLIENTS];
};

/* Zeroed memory is an empty table. Returns: whether the client may cause one more. */
bool budget_spend(struct budgets *b, const struct ip *client, uint64_t now_ms);

/* One that it was charged for did not leave the machine. */
void budget_return(struct budgets *b, const struct ip *client);

#endif

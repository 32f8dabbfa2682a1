#include "queue-handoff/grants.h"

#include <stdlib.h>

struct grants_window {
	uint64_t next;                     /* one more than the highest number taken; 0: none was */
	uint64_t bits[GRANTS_WINDOW / 64]; /* number n is bit n % GRANTS_WINDOW */
};

struct grants_window *
grants_window_new(void)
{
	return calloc(1, sizeof(struct grants_window));
}

void
grants_window_free(struct grants_window **w)
{
	free(*w);
	*w = NULL;
}

void
grants_window_reset(struct grants_window *w)
{
	memset(w, 0, sizeof(*w));
}

static uint64_t *
word_of(struct grants_window *w, uint64_t n)
{
	return &w->bits[n % GRANTS_WINDOW / 64];
}

static uint64_t
bit_of(uint64_t n)
{
	return UINT64_C(1) << (n % 64);
}

/* Moves the window so that it ends with n; what enters it is free. */
static void
window_advance(struct grants_window *w, uint64_t n)
{
	if (n - w->next >= GRANTS_WINDOW)
		memset(w->bits, 0, sizeof(w->bits));
	else
		for (uint64_t i = w->next; i <= n; i++)
			*word_of(w, i) &= ~bit_of(i);
	w->next = n + 1;
}

bool
grants_spend(struct grants_window *w, uint64_t transaction)
{
	/* The last number has no next one; no worker ever counts so far. */
	if (transaction == UINT64_MAX)
		return false;
	if (transaction >= w->next)
		window_advance(w, transaction);
	else if (w->next - transaction > GRANTS_WINDOW)
		return false;
	if ((*word_of(w, transaction) & bit_of(transaction)) != 0)
		return false;
	*word_of(w, transaction) |= bit_of(transaction);
	return true;
}

const char *
grants_check(
    const struct grant_key *key, uint32_t instance, const struct msg_deliver *m, uint64_t now_s)
{
	struct span rest = m->recipients.encoded;
	struct msg_granted g;

	while (msg_list_next(&rest, RECORD_granted, &g)) {
		struct grant_terms terms = {
		    .instance = instance,
		    .transaction = m->transaction,
		    .recipient = g.recipient,
		    .route = m->route,
		    .class = m->class,
		    .exempt = g.exempt,
		    .size_limit = g.size_limit,
		    .generation = g.generation,
		    .expiry = g.expiry,
		};

		if (!grant_check(key, &terms, g.grant))
			return "no-grant";
		if (g.expiry < now_s)
			return "grant-expired";
		if (g.size_limit != 0 && m->size > g.size_limit)
			return "over-granted-size";
	}
	return NULL;
}

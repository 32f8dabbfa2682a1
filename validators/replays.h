/*
 * Signatures that come again and again: of a list that sends one mail to each of its readers, or of
 * somebody who got hold of one good message and sends it to everybody (DKIM replay).
 *
 * A signature that is replayed is a good one, so this only counts: the log tells, and what to do is
 * for somebody to decide who can see whether it is a newsletter.
 */
#ifndef VALIDATORS_REPLAYS_H
#define VALIDATORS_REPLAYS_H

#include "lib/catalogue.h"

enum {
	REPLAYS_KEPT = 4096,                /* signatures; a rarer one makes room */
	REPLAYS_WINDOW_MS = 60 * 60 * 1000, /* from the first message that had it */
	REPLAYS_TOLD = 100, /* recipients; told then, and whenever they have doubled */
};

/* Zeroed memory knows none. */
struct replays {
	struct replay {
		uint64_t signature; /* a hash */
		uint64_t until_ms;
		uint64_t recipients;
		uint64_t told_at;
	} kept[REPLAYS_KEPT];
};

/*
 * Counts the recipients of a message with this signature, which its domain, selector and the begin
 * of its b= make one.
 * Returns: how many there have been within the window, when that should be told; else 0.
 */
uint64_t replays_note(struct replays *r, const struct msg_dkim_result *signature,
    unsigned recipients, uint64_t now_ms);

#endif

/*
 * What the parts of local(8) share; private to postfix_local*.c.
 *
 * postfix_local.c is the way of a name through aliases to a user, postfix_local_text.c what stands
 * in an alias, a .forward or an include file, postfix_local_user.c what a user has of his own.
 */
#ifndef LOOKUPD_POSTFIX_LOCAL_H
#define LOOKUPD_POSTFIX_LOCAL_H

#include "lookupd/postfix_files.h"

enum {
	LOCAL_LEVEL_MAX = 100,   /* local(8) counts its own nested functions */
	LOCAL_STEPS_MAX = 20000, /* of one address; a larger expansion is put off */
};

enum local_expansion { FROM_MESSAGE, FROM_ALIAS, FROM_INCLUDE, FROM_FORWARD };

/* An address that goes back into the queue when the delivery is done. */
struct local_indirect {
	struct span address, top;
	struct local_indirect *next;
};

struct local_run {
	struct postfix *p;
	const struct postfix_trail *trail;
	struct postfix_outcome *o;
	struct keymap seen;
	struct pool pool;
	struct local_indirect *first, **tail;
	unsigned steps;
};

/* Where local(8) is; copied for each step down. */
struct local_state {
	struct local_run *run;
	unsigned level;
	enum local_expansion expansion;
	bool has_owner;
	bool relayed;                     /* by luser_relay */
	struct span owner, expanded_from; /* the latter: the name that is being expanded */
	struct span top;                  /* Delivered-To: what was asked for first */
	struct span address, local, domain, user;
	struct span extension, unmatched; /* with their delimiter */
	const struct postfix_user *rights;
};

/* ---- postfix_local.c ---- */

void local_outcome(struct local_state *s, unsigned what);

/* Returns: whether this kind of step was taken with these octets before. */
bool local_was_seen(
    struct local_state *s, const char *kind, unsigned level, struct span octets, bool remember);

/* Whether a parameter that is a list of words has this one. */
bool local_list_has(struct span list, const char *name);

/* The account of the name, or NULL. */
const struct postfix_user *local_user_of(struct local_state *s);

/* Mail goes back into the queue, in the end. */
void local_deliver_indirect(struct local_state s);

void local_deliver_recipient(struct local_state s, const struct postfix_address *to);

/* ---- postfix_local_text.c ---- */

/* Addresses, programs, files. Out: *count (NULL: not wanted) grows by how many there are. */
void local_deliver_text(struct local_state s, struct span text, unsigned *count);

/* Lines, of which those with "#" in front are comments. It stops at what is put off. */
void local_deliver_lines(struct local_state s, struct span text, unsigned *count);

/* An address: of ours it is delivered here and now, else by way of the queue. */
void local_deliver_address(struct local_state s, const struct postfix_address *a);

/* ---- postfix_local_user.c ---- */

/* His .forward. Returns: whether there is one that says anything. */
bool local_deliver_forward(struct local_state s);

/* Returns: whether there is one. */
bool local_deliver_mailbox(struct local_state s);

/* What becomes of names that nobody has. */
void local_deliver_unknown(struct local_state s);

bool local_has_home(struct local_state *s, const struct postfix_user *user);

#endif

/* The links to the other programs: what is sent, who handles what comes, what happens when one ends. */
#ifndef SMTPD_PARTNERS_H
#define SMTPD_PARTNERS_H

#include "lib/link.h"
#include "smtpd/worker.h"

struct partners {
	struct loop *loop;
	struct worker *worker;
	struct link *links[PROGRAM_COUNT]; /* NULL: no such link (yet, or any more) */
};

void partners_init(struct partners *p, struct loop *loop, struct worker *worker);

/* What the worker is given. */
struct surroundings partners_surroundings(struct partners *p);

/* Takes a new link, in place of an older one to the same program. Returns: 0, or -1 when this program has no business with that one. */
int partners_take(struct partners *p, enum program_id who, int fd);

/* Hands a message to its handler; for partners.c and for tests. In: fd as in struct link_handler. */
void partners_dispatch(struct worker *w, enum msg_type type, const union msg *m, int *fd);

/* A link ended: everybody who waits for it gets an answer. */
void partners_lost(struct worker *w, enum program_id who);

void partners_clear(struct partners *p);

#endif

/*
 * What the parts of lookupd at work share; private to serve*.c.
 */
#ifndef LOOKUPD_SERVE_PARTS_H
#define LOOKUPD_SERVE_PARTS_H

#include "lookupd/serve.h"

/* ---- serve_answer.c ---- */

/* What is asked, and what was found; octets keep what was found in a mapped file. */
struct finding {
	const struct serve *s;
	const struct address *asked, *recipient;
	struct lookup_result r;
	uint8_t octets[LAYOUT_STATUS_MAX + LAYOUT_TEXT_MAX + 2 * LAYOUT_NAME_MAX +
		       LAYOUT_DELIVERED_TO_MAX];
};

/*
 * Asks the overlay and the database. A mapped file that is not what it was when it was checked is
 * trouble.
 * In: f->s, f->asked. Out: the rest; spans borrow from the database, the overlay or f.
 */
void serve_find(struct serve *s, struct finding *f);

/*
 * Answers a question, or lets the answer be trouble: without a database, and while the worker has
 * used up its misses (row 274).
 * In: f->asked. Out: *answer, whose spans live as long as f and the database.
 */
void serve_decide(struct worker *w, struct finding *f, struct msg_rcpt_answer *answer);

/*
 * What answers are made from, in one number: another database or another overlay is another one,
 * so that what was granted before is asked for again (row 269).
 */
uint64_t serve_generation(const struct serve *s);

/* ---- serve.c ---- */

/* Tells each worker that answers are made from something else now. */
void serve_tell_all(const struct serve *s);

/* ---- serve_files.c ---- */

/* Gives back what is in service and what is being loaded. */
void serve_files_clear(struct serve *s);

#endif

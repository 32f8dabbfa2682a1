/*
 * What became of mail, as a leaf of the database.
 */
#ifndef LOOKUPD_POSTFIX_LEAF_H
#define LOOKUPD_POSTFIX_LEAF_H

#include "lookupd/postfix.h"
#include "lookupd/record.h"

/* In: p->word, what the tables say that cannot be listed. The spans are those of the outcome. */
struct leaf postfix_leaf_of(const struct postfix *p, const struct postfix_outcome *o);

/* Whether both say the same to a client. */
bool postfix_same_leaf(const struct leaf *a, const struct leaf *b);

#endif

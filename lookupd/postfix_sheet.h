/*
 * What a domain of a Postfix has, before it is written: many domains differ by a few addresses
 * only, and share the rest.
 */
#ifndef LOOKUPD_POSTFIX_SHEET_H
#define LOOKUPD_POSTFIX_SHEET_H

#include "lookupd/keymap.h"
#include "lookupd/layout.h"
#include "lookupd/pool.h"

struct sheet_row {
	struct keymap_item item; /* type, local part */
	struct span value;       /* a leaf */
	struct sheet_row *next;
};

struct sheet {
	struct pool pool;
	struct keymap rows;
	struct sheet_row *first, **tail;
	size_t count;
	bool failed; /* memory was out */
};

void sheet_init(struct sheet *s);
void sheet_clear(struct sheet *s);

/* What is there already stays. In: value, an encoded leaf; copied. */
void sheet_put(struct sheet *s, enum layout_key type, struct span local, struct span value);

/*
 * What is to be said in a table that is asked before that of `base`, so that both together
 * answer as `s` does alone.
 * In: delimiters and owner_request, of the domain; the domain has no patterns.
 * Out: diff_out, initialised; it may have failed.
 */
void sheet_diff(const struct sheet *s, const struct sheet *base, struct span delimiters,
    bool owner_request, struct sheet *diff_out);

#endif

/* The header fields of a message in LF form, found without judging them. */
#ifndef VALIDATORS_DKIM_FIELDS_H
#define VALIDATORS_DKIM_FIELDS_H

#include "validators/dkim.h"

struct dkim_field {
	struct span whole; /* from the name to the last octet before the final LF, folds included */
	struct span name;  /* without white space before the colon */
	struct span value; /* after the colon */
};

struct dkim_fields {
	size_t count;
	size_t body; /* offset of the body in the content */
	struct dkim_field items[DKIM_FIELDS_MAX];
};

/*
 * In: block, the content's beginning: the header block and perhaps more; whole, that nothing follows.
 * Out: spans borrow from block.
 * Returns: false when it does not end within the block, has a line that is no field, too many fields,
 * or a NUL or CR in it.
 */
bool dkim_fields_split(struct span block, bool whole, struct dkim_fields *fields_out);

#endif

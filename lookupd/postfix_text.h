/*
 * Addresses as Postfix reads them in tables, alias files and .forward files (tok822), and as it
 * takes them apart.
 */
#ifndef LOOKUPD_POSTFIX_TEXT_H
#define LOOKUPD_POSTFIX_TEXT_H

#include "lib/buf.h"

enum {
	POSTFIX_ADDRESS_MAX = 1000, /* octets; Postfix takes no longer ones out of a table */
	POSTFIX_QUOTED_MAX = 2 * POSTFIX_ADDRESS_MAX + 2,
};

/*
 * An address in the internal form: a local part without quotes, "@", a domain; the last "@"
 * separates. Also a program, a file and an :include:, which a list of addresses may hold.
 */
struct postfix_address {
	uint8_t octets[POSTFIX_ADDRESS_MAX];
	size_t len;
	bool overlong; /* what did not fit is missing */
};

static inline struct span
postfix_span(const struct postfix_address *a)
{
	return span_of(a->octets, a->len);
}

void postfix_address_set(struct postfix_address *a, struct span octets);
void postfix_address_join(struct postfix_address *a, struct span local, struct span domain);

/* Before the last "@", and behind it; without one the whole, and nothing. */
struct span postfix_local(struct span address);
struct span postfix_domain(struct span address);
bool postfix_has_domain(struct span address);

/*
 * Takes the next address of a list: separated by commas or blanks, quoted parts, <address>
 * behind a name, (comments). In: rest, of the text; moved behind what was taken.
 * Returns: false at the end.
 */
bool postfix_next_address(struct span *rest, struct postfix_address *a_out);

/* Appends the address with its local part quoted if need be, as tables have their keys. */
void postfix_put_quoted(struct buf *b, struct span address);

/*
 * Where a local part is split into a name and an extension.
 * In: delimiters, recipient_delimiter; owner_request, owner_request_special;
 * double_bounce, a name that is never split.
 * Returns: the length of the name; local.len when it is not split.
 */
size_t postfix_split(
    struct span local, struct span delimiters, bool owner_request, struct span double_bounce);

/* Takes the next word of a parameter; commas and blanks separate, braces group. */
bool postfix_next_word(struct span *rest, struct span *word_out);

/* "prefix" at the beginning; letters without case. */
bool postfix_begins(struct span s, struct span prefix);

#endif

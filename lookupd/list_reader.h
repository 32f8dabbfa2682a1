/*
 * The list format as it comes out of a file or a program: octets in pieces of any length, into the
 * collection.
 */
#ifndef LOOKUPD_LIST_READER_H
#define LOOKUPD_LIST_READER_H

#include "lib/digest.h"
#include "lookupd/collection.h"
#include "lookupd/report.h"

struct list_reader;

/* In: name, of the source; must outlive the collection. Returns: NULL when memory is out. */
struct list_reader *list_reader_new(struct collection *c, struct report *report, const char *name);

/* Takes octets, and all whole lines among them. Returns: false when memory is out. */
bool list_reader_take(struct list_reader *l, struct span octets);

/*
 * Takes a last line that has no line feed.
 * Out: digest_out, of all octets.
 * Returns: false when memory is out.
 */
bool list_reader_end(struct list_reader *l, uint8_t digest_out[DIGEST_LEN]);

/* Lines that named a recipient, good or not. */
uint64_t list_reader_entries(const struct list_reader *l);

void list_reader_free(struct list_reader **l);

#endif

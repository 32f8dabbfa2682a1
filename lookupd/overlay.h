/*
 * The overlay: what has changed for single addresses since the database was made. It is asked
 * first, and the next compile folds it in.
 *
 * A text beside the database, replaced as a whole:
 *
 *   overlay = "gatehouse-overlay 1 " generation LF *( entry LF ) "end " count " " SHA-256 LF
 *   entry   = ( "add" | "remove" | "defer" ) " " unix-seconds " " line of a list (list.h)
 *
 * generation: of the database into which older entries have been folded; with an older one in
 * service they would be missed. SHA-256: of all octets before the last line, in hexadecimal.
 */
#ifndef LOOKUPD_OVERLAY_H
#define LOOKUPD_OVERLAY_H

#include "lookupd/keymap.h"
#include "lookupd/list.h"
#include "lookupd/lookup.h"

enum {
	OVERLAY_ENTRIES_MAX = 10000,
	OVERLAY_OCTETS_MAX = 4 * 1024 * 1024,
};

enum overlay_verb { OVERLAY_ADD, OVERLAY_REMOVE, OVERLAY_DEFER, OVERLAY_VERBS };

struct overlay_entry {
	struct keymap_item item; /* the address, inside form in lower case */
	enum overlay_verb verb;
	uint64_t time; /* unix seconds: when it was said */
	struct span line;
	struct list_entry said; /* borrows from line */
	bool dropped;           /* taken back */
	struct overlay_entry *next;
};

struct overlay {
	uint64_t generation;
	uint32_t mark; /* of its content: another content, another mark */
	struct keymap map;
	struct overlay_entry *first, **tail;
	size_t count; /* without those that were dropped */
};

/* An empty one. Returns: NULL when memory is out. */
struct overlay *overlay_new(void);
void overlay_free(struct overlay **o);

/* Out: *error_out, a static text. Returns: NULL when it is no good or memory is out. */
struct overlay *overlay_parse(struct span text, const char **error_out);

/* Reads all of a file and parses it. Does not close fd. */
struct overlay *overlay_read(int fd, const char **error_out);

/*
 * Says something new about an address; what was said before is dropped.
 * In: line, of a list: one address, with its attributes.
 * Returns: NULL, or what is wrong, a static text.
 */
const char *overlay_say(struct overlay *o, enum overlay_verb verb, uint64_t time, struct span line);

/* The text of it. Returns: of malloc, or NULL. */
char *overlay_format(const struct overlay *o, size_t *len_out);

/*
 * Out: *r_out, when the overlay knows the address, be it by its alias domain or without its
 * extension.
 * Returns: whether it does.
 */
bool overlay_lookup(const struct overlay *o, const struct database *db, const struct address *asked,
    struct lookup_result *r_out);

const char *overlay_verb_name(enum overlay_verb verb);

#endif

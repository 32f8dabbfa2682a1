/*
 * Every name that the tables and accounts of a Postfix have, by domain: an address that is not
 * among them is treated like any other that is not.
 */
#ifndef LOOKUPD_POSTFIX_NAMES_H
#define LOOKUPD_POSTFIX_NAMES_H

#include "lookupd/postfix.h"

struct postfix_name {
	struct span local; /* lower case */
	struct postfix_name *next;
};

struct postfix_named_domain {
	struct keymap_item item; /* the domain, lower case; empty: names without one */
	struct keymap locals;
	struct postfix_name *first, **tail;
	bool mentioned;    /* in a table, a parameter or a file that was read */
	struct plan *plan; /* of postfix_source.c: how it is written; NULL: it is not */
	struct postfix_named_domain *next;
};

/* The extensions that tables have of one name, each with its delimiter. */
struct postfix_extensions {
	struct keymap_item item; /* "name@domain", or "name" */
	struct postfix_name *first;
};

struct postfix_names {
	struct postfix *p;
	struct keymap domains, extensions;
	bool by_domain; /* local delivery depends on the domain, or tables on those above it */
	struct postfix_named_domain *first, **tail;
};

/*
 * Notes the domains that are written in a text: of a table, a parameter, a file with forwards.
 * In: p, whose names are gathered.
 */
void postfix_mention(struct postfix *p, struct span text);

/* Whether a domain, or one above it, is written anywhere but in a list of domains. */
bool postfix_names_mentioned(
    const struct postfix_names *names, const struct postfix_named_domain *d);

/* Returns: false when memory is out. */
bool postfix_names_gather(struct postfix *p, struct postfix_names *names_out);
void postfix_names_clear(struct postfix_names *names);

struct postfix_named_domain *postfix_names_of(
    const struct postfix_names *names, struct span domain);
const struct postfix_extensions *postfix_names_extensions(
    const struct postfix_names *names, struct span base, struct span domain);

/*
 * What was asked for while POSTFIX_ANY_LOCAL or POSTFIX_ANY_EXTENSION was judged: the domains in
 * which the local part mattered, or the names whose extension did.
 */
struct postfix_note {
	struct keymap_item item; /* base "@" domain */
	struct span base, domain;
	struct postfix_note *next;
};

struct postfix_notes {
	struct keymap seen;
	struct pool pool;
	struct postfix_note *first;
};

void postfix_notes_begin(struct postfix *p, struct postfix_notes *notes);
void postfix_notes_end(struct postfix *p, struct postfix_notes *notes);
void postfix_note(struct postfix *p, struct span local, struct span base, struct span domain);

#endif
